//! Two levels set the same field: the more specific one wins, field by field (facts 7.1, 17.7).

use std::net::SocketAddr;

use serde_json::json;

use crate::expression::policy;
use crate::support::client::{Reply, call};
use crate::support::token::{JWKS, bearer};
use crate::world::{LOCAL, PING, recorded, start};

/// From the least specific to the most.
const LEVELS: [&str; 4] = [
    "kind: Gateway, name: gw",
    "kind: Gateway, name: gw, sectionName: http",
    "kind: HTTPRoute, name: main",
    "kind: HTTPRoute, name: main, sectionName: ai",
];

const SECRETS: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: keys-a, namespace: ns}
stringData: {k: key-a}
---
apiVersion: v1
kind: Secret
metadata: {name: keys-b, namespace: ns}
stringData: {k: key-b}
---
"#;

/// A field, how a level sets it to `a` or to `b`, and how to see which of them counts.
struct Field {
    name: &'static str,
    set: fn(&str) -> String,
    counts: for<'a> fn(&'a Reply, &str) -> bool,
    headers: fn(&str) -> Vec<(&'static str, String)>,
}

fn header(reply: &Reply, name: &str) -> String {
    reply.headers.get(name).cloned().unwrap_or_default()
}

const NOTHING: fn(&str) -> Vec<(&'static str, String)> = |_| Vec::new();
const GETS_IN: for<'a> fn(&'a Reply, &str) -> bool = |reply, _| reply.status == 200;

const FIELDS: [Field; 11] = [
    Field {
        name: "directResponse",
        set: |v| {
            format!(
                "{{directResponse: {{status: {}}}}}",
                if v == "a" { 418 } else { 419 }
            )
        },
        counts: |reply, v| reply.status == if v == "a" { 418 } else { 419 },
        headers: NOTHING,
    },
    Field {
        name: "headerModifiers.response",
        set: |v| {
            format!("{{headerModifiers: {{response: {{set: [{{name: x-level, value: {v}}}]}}}}}}")
        },
        counts: |reply, v| header(reply, "x-level") == v,
        headers: NOTHING,
    },
    Field {
        name: "headerModifiers.request",
        set: |v| {
            format!("{{headerModifiers: {{request: {{set: [{{name: x-seen, value: {v}}}]}}}}}}")
        },
        counts: |reply, v| header(reply, "x-seen") == v,
        headers: NOTHING,
    },
    Field {
        name: "transformation",
        set: |v| {
            format!(
                "{{transformation: {{response: {{add: [{{name: x-level, value: \"'{v}'\"}}]}}}}}}"
            )
        },
        counts: |reply, v| header(reply, "x-level") == v,
        headers: NOTHING,
    },
    Field {
        name: "cors",
        set: |v| format!("{{cors: {{allowOrigins: [\"https://{v}.example\"]}}}}"),
        counts: |reply, v| {
            header(reply, "access-control-allow-origin") == format!("https://{v}.example")
        },
        headers: |v| vec![("origin", format!("https://{v}.example"))],
    },
    Field {
        name: "csrf",
        set: |v| format!("{{csrf: {{additionalOrigins: [\"https://{v}.example\"]}}}}"),
        counts: GETS_IN,
        headers: |v| vec![("origin", format!("https://{v}.example"))],
    },
    Field {
        name: "rateLimit",
        set: |v| {
            format!(
                "{{rateLimit: {{local: [{{requests: {}, unit: Hours}}]}}}}",
                if v == "a" { 1 } else { 2 }
            )
        },
        counts: |reply, v| header(reply, "x-ratelimit-limit") == if v == "a" { "1" } else { "2" },
        headers: NOTHING,
    },
    Field {
        name: "timeouts",
        set: |v| {
            format!(
                "{{timeouts: {{request: {}}}}}",
                if v == "a" { "60s" } else { "100ms" }
            )
        },
        counts: |reply, v| (reply.status == 504) == (v == "b"),
        headers: NOTHING,
    },
    Field {
        name: "apiKeyAuthentication",
        set: |v| format!("{{apiKeyAuthentication: {{secretRef: {{name: keys-{v}}}}}}}"),
        counts: GETS_IN,
        headers: |v| vec![("authorization", format!("Bearer key-{v}"))],
    },
    Field {
        name: "basicAuthentication",
        set: |v| {
            format!(
                "{{basicAuthentication: {{users: [\"{v}:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\"]}}}}"
            )
        },
        counts: GETS_IN,
        headers: |v| {
            let pair = if v == "a" {
                "YTpzZWNyZXQ="
            } else {
                "YjpzZWNyZXQ="
            };
            vec![("authorization", format!("Basic {pair}"))]
        },
    },
    Field {
        name: "jwtAuthentication",
        set: |v| {
            format!(
                "{{jwtAuthentication: {{providers: [{{issuer: {v}, jwks: {{inline: {}}}}}]}}}}",
                json!(JWKS)
            )
        },
        counts: GETS_IN,
        headers: |v| vec![("authorization", bearer(json!({"iss": v})))],
    },
];

/// The answer to a request that only `value` suits; a limit shows itself when it is used up, and
/// what the upstream saw is noted as a header.
async fn ask(address: SocketAddr, field: &Field, value: &str) -> Reply {
    let given = (field.headers)(value);
    let mut headers = vec![LOCAL];
    headers.extend(given.iter().map(|(name, value)| (*name, value.as_str())));
    let body = match field.name {
        "timeouts" => PING.replace("ping", "SLOW"),
        _ => PING.to_string(),
    };
    let mut reply = call(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &headers,
        body.clone(),
    )
    .await;
    if field.name == "rateLimit" {
        for _ in 0..2 {
            if reply.status != 429 {
                reply = call(
                    address,
                    "POST",
                    "/ai/v1/chat/completions",
                    &headers,
                    body.clone(),
                )
                .await;
            }
        }
    }
    reply
}

async fn counts(field: &Field, less: usize, more: usize, values: [&str; 2]) -> (bool, bool) {
    let (upstream, seen) = recorded().await;
    let policies = [
        policy("less", LEVELS[less], &(field.set)(values[0])),
        policy("more", LEVELS[more], &(field.set)(values[1])),
    ];
    let (_gateway, address, _log) =
        start(upstream, &format!("{SECRETS}{}", policies.concat())).await;
    let mut answers = Vec::new();
    for value in values {
        let mut reply = ask(address, field, value).await;
        if let Some(request) = seen.take().first() {
            let seen = request["headers"]["x-seen"].as_str().unwrap_or("");
            reply.headers.insert("x-seen".to_string(), seen.to_string());
        }
        answers.push((field.counts)(&reply, value));
    }
    (answers[0], answers[1])
}

#[tokio::test]
async fn the_more_specific_level_wins() {
    for field in &FIELDS {
        for (less, more) in [(0, 1), (1, 2), (2, 3), (0, 2), (0, 3), (1, 3)] {
            let mut ways = vec![["a", "b"]];
            // A slow answer is waited for once only.
            if field.name != "timeouts" || (less, more) == (0, 3) {
                ways.push(["b", "a"]);
            }
            for values in ways {
                let found = counts(field, less, more, values).await;
                let levels = (LEVELS[less], LEVELS[more]);
                assert_eq!(found, (false, true), "{} {levels:?} {values:?}", field.name);
            }
        }
    }
}

#[tokio::test]
async fn levels_that_set_different_fields_add_up() {
    let (upstream, seen) = recorded().await;
    let rules = |action: &str, header: &str| {
        format!(
            "authorization: {{action: {action}, policy: {{matchExpressions: [\"'{header}' in request.headers\"]}}}}"
        )
    };
    let policies = [
        policy(
            "gateway",
            LEVELS[0],
            &format!(
                "{{headerModifiers: {{request: {{set: [{{name: x-gateway, value: g}}]}}}}, {}}}",
                rules("Allow", "x-in")
            ),
        ),
        policy(
            "listener",
            LEVELS[1],
            "{headerModifiers: {response: {set: [{name: x-listener, value: l}]}}}",
        ),
        policy(
            "route",
            LEVELS[2],
            &format!(
                "{{cors: {{allowOrigins: [\"*\"]}}, {}}}",
                rules("Deny", "x-out")
            ),
        ),
        policy(
            "rule",
            LEVELS[3],
            "{csrf: {additionalOrigins: [\"https://a.example\"]}}",
        ),
    ];
    let (_gateway, address, _log) = start(upstream, &policies.concat()).await;
    let ask = async |headers: &[(&str, &str)]| {
        let headers: Vec<_> = [LOCAL].into_iter().chain(headers.iter().copied()).collect();
        call(address, "POST", "/ai/v1/chat/completions", &headers, PING).await
    };
    let reply = ask(&[("origin", "https://a.example"), ("x-in", "1")]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(header(&reply, "x-listener"), "l");
    assert!(!header(&reply, "access-control-allow-origin").is_empty());
    assert_eq!(seen.take()[0]["headers"]["x-gateway"], "g");
    assert_eq!(
        ask(&[("x-in", "1"), ("origin", "https://b.example")])
            .await
            .status,
        403
    );
    assert_eq!(ask(&[]).await.body, "authorization failed");
    assert_eq!(
        ask(&[("x-in", "1"), ("x-out", "1")]).await.body,
        "authorization failed"
    );
}

#[tokio::test]
async fn a_routes_own_filter_wins_over_every_policy() {
    let (upstream, seen) = recorded().await;
    let route = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: own, namespace: ns}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{path: {value: /own}}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-own, value: "1"}]}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-back, value: "1"}]}}
    backendRefs: [{group: agentgateway.dev, kind: AgentgatewayBackend, name: plain}]
---
"#;
    let policies = [
        policy(
            "request",
            LEVELS[0],
            "{headerModifiers: {request: {set: [{name: x-policy, value: p}]}}}",
        ),
        policy(
            "response",
            LEVELS[1],
            "{headerModifiers: {response: {set: [{name: x-policy, value: p}]}}}",
        ),
    ];
    let (_gateway, address, _log) = start(upstream, &format!("{route}{}", policies.concat())).await;
    let reply = call(address, "GET", "/own", &[LOCAL], "").await;
    assert_eq!(
        (header(&reply, "x-back"), header(&reply, "x-policy")),
        ("1".to_string(), String::new())
    );
    let request = &seen.take()[0]["headers"];
    assert_eq!(request["x-own"], "1");
    assert!(request["x-policy"].is_null());
}
