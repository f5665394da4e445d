//! Policies that ask in CEL: who may call, and what becomes of headers and bodies.

use serde_json::{Value, json};

use crate::support::client::{Reply, call};
use crate::world::{LOCAL, PING, STREAM, recorded, start};

type Given<'a> = &'a [(&'a str, &'a str)];

/// A policy on a route, a Gateway, or a part of one.
pub fn policy(name: &str, target: &str, traffic: &str) -> String {
    format!(
        "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayPolicy\nmetadata: {{name: {name}, namespace: ns}}\nspec:\n  targetRefs: [{{group: gateway.networking.k8s.io, {target}}}]\n  traffic: {traffic}\n---\n"
    )
}

pub const ROUTE: &str = "kind: HTTPRoute, name: main";
pub const GATEWAY: &str = "kind: Gateway, name: gw";

#[tokio::test]
async fn authorization_asks_about_requests_and_adds_up_over_levels() {
    let (upstream, seen) = recorded().await;
    let more = [
        policy(
            "allow",
            GATEWAY,
            r#"{authorization: {policy: {matchExpressions: ["request.headers['x-team'] == 'blue'", "json(request.body).model == 'open'"]}}}"#,
        ),
        policy(
            "deny",
            ROUTE,
            r#"{authorization: {action: Deny, policy: {matchExpressions: ["request.headers['x-bad'] == '1'"]}}}"#,
        ),
    ];
    let (_gateway, address, log) = start(upstream, &more.concat()).await;
    let open = PING.replace("\"m\"", "\"open\"");
    let table: [(Given, &str, u16); 5] = [
        (&[], PING, 403),
        (&[("x-team", "blue")], PING, 200),
        (&[("x-team", "red")], PING, 403),
        (&[], &open, 200),
        (&[("x-team", "blue"), ("x-bad", "1")], PING, 403),
    ];
    for (headers, body, status) in table {
        seen.take();
        let headers: Vec<_> = [LOCAL].into_iter().chain(headers.iter().copied()).collect();
        let reply = call(
            address,
            "POST",
            "/ai/v1/chat/completions",
            &headers,
            body.to_string(),
        )
        .await;
        assert_eq!(reply.status, status, "{headers:?} {body}");
        let requests = seen.take();
        match status {
            200 => assert_eq!(requests[0]["body"]["messages"][0]["content"], "ping"),
            _ => {
                assert_eq!(reply.body, "authorization failed");
                assert!(requests.is_empty());
            }
        }
    }
    log.find("reason=Authorization").await;
}

async fn transformed(
    traffic: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (Reply, Value) {
    let (upstream, seen) = recorded().await;
    let (_gateway, address, _log) = start(upstream, &policy("t", ROUTE, traffic)).await;
    let headers: Vec<_> = [LOCAL].into_iter().chain(headers.iter().copied()).collect();
    let reply = call(address, "POST", path, &headers, body.to_string()).await;
    (reply, seen.take().into_iter().next().unwrap_or(Value::Null))
}

#[tokio::test]
async fn requests_are_changed_before_they_are_sent() {
    let traffic = r#"{transformation: {request: {
        set: [{name: x-path, value: "request.path"}, {name: x-sub, value: "jwt.sub"}, {name: x-from, value: "source.address"}],
        add: [{name: x-model, value: "json(request.body).model"}],
        remove: [x-secret],
        body: "toJson(json(request.body).merge({'model': 'other'}))"}}}"#;
    let headers = [("x-sub", "forged"), ("x-secret", "s")];
    let (reply, seen) = transformed(traffic, "/ai/v1/chat/completions", &headers, PING).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(seen["headers"]["x-path"], "/ai/v1/chat/completions");
    assert_eq!(seen["headers"]["x-from"], "127.0.0.1");
    assert_eq!(seen["headers"]["x-model"], "m");
    // A value that can't be had is none, whatever the client sent.
    assert_eq!(seen["headers"]["x-sub"], Value::Null);
    assert_eq!(seen["headers"]["x-secret"], Value::Null);
    assert_eq!(seen["body"]["model"], "other");
}

#[tokio::test]
async fn pseudo_headers_change_method_and_path() {
    let traffic = r#"{transformation: {request: {set: [{name: ":path", value: "'/plain/v1/models?a=1'"}, {name: ":method", value: "'GET'"}]}, response: {set: [{name: ":status", value: "response.code + 2"}]}}}"#;
    let (reply, seen) = transformed(traffic, "/plain/x", &[], "").await;
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["path"], "/v1/models?a=1");
    assert_eq!(reply.status, 202);
}

#[tokio::test]
async fn answers_are_changed_on_their_way_back() {
    let traffic = r#"{transformation: {response: {
        set: [{name: x-code, value: "string(response.code)"}, {name: x-asked, value: "request.method + ' ' + request.path"},
              {name: x-tokens, value: "string(llm.totalTokens)"}],
        body: "{'content': json(response.body).choices[0].message.content}"}}}"#;
    let (reply, _) = transformed(traffic, "/ai/v1/chat/completions", &[], PING).await;
    assert_eq!(reply.headers["x-code"], "200");
    assert_eq!(reply.headers["x-asked"], "POST /ai/v1/chat/completions");
    assert!(reply.headers["x-tokens"].parse::<u32>().is_ok());
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert!(body["content"].is_string(), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 1);
    // A stream that nobody asks about is not held.
    let headers = r#"{transformation: {response: {add: [{name: x-one, value: "'1'"}]}}}"#;
    let (reply, _) = transformed(headers, "/ai/v1/chat/completions", &[], STREAM).await;
    assert_eq!(reply.headers["x-one"], "1");
    assert!(reply.body.contains("data: "), "{}", reply.body);
}

#[tokio::test]
async fn refusals_are_changed_too() {
    let traffic = r#"{authorization: {policy: {matchExpressions: ["false"]}},
        transformation: {response: {set: [{name: x-why, value: "string(response.code)"}], body: "'{\"error\": \"no\"}'"}}}"#;
    let (reply, seen) = transformed(traffic, "/plain/v1/models", &[], "").await;
    assert_eq!(
        (reply.status, reply.headers["x-why"].as_str()),
        (403, "403")
    );
    assert_eq!(
        serde_json::from_str::<Value>(&reply.body).unwrap(),
        json!({"error": "no"})
    );
    assert_eq!(seen, Value::Null);
}

#[tokio::test]
async fn a_body_too_long_to_be_asked_about_still_arrives() {
    let traffic = r#"{transformation: {request: {set: [{name: x-size, value: "string(size(request.body))"}]}}}"#;
    let long = "x".repeat(3 << 20);
    let (reply, seen) = transformed(
        traffic,
        "/plain/v1/models",
        &[("content-type", "text/plain")],
        &long,
    )
    .await;
    assert_eq!(reply.status, 200);
    assert_eq!(seen["headers"]["x-size"], Value::Null);
    let (_, seen) = transformed(
        traffic,
        "/plain/v1/models",
        &[("content-type", "text/plain")],
        "four",
    )
    .await;
    assert_eq!(seen["headers"]["x-size"], "4");
}
