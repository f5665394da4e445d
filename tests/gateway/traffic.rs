//! Filters, references, the mock, and changes while traffic runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatewright::gateway::Change;
use gatewright::gateway::mock::serve_mock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::support::client::call;
use crate::world::{LOCAL, PING, SOON, STREAM, objects, recorded, start};

const SHAPES: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shapes, namespace: ns}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{path: {type: Exact, value: /moved}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: new.example, path: {type: ReplaceFullPath, replaceFullPath: /here}, statusCode: 301}}]
  - matches: [{path: {value: /secure}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]
  - matches: [{path: {type: Exact, value: /wrong}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]
    backendRefs: [{group: agentgateway.dev, kind: AgentgatewayBackend, name: plain}]
  - matches: [{path: {value: /v1/models}, headers: [{name: x-team, value: blue}]}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: "1"}], add: [{name: x-added, value: "2"}], remove: [x-team]}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-back, value: "3"}]}}
    - {type: URLRewrite, urlRewrite: {hostname: rewritten.example}}
    backendRefs:
    - {group: agentgateway.dev, kind: AgentgatewayBackend, name: plain, weight: 1}
    - {group: agentgateway.dev, kind: AgentgatewayBackend, name: gone, weight: 1}
  - matches: [{path: {value: /service}}]
    backendRefs: [{name: nobody, port: 80}]
  - matches: [{path: {value: /unready}}]
    backendRefs: [{name: unready, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: unready, namespace: ns}
spec: {ports: [{port: 80}]}
"#;

#[tokio::test]
async fn filters_and_references_do_what_they_say() {
    let (upstream, seen) = recorded().await;
    let (_gateway, address, _log) = start(upstream, SHAPES).await;
    let moved = call(address, "GET", "/moved?a=1", &[LOCAL], "").await;
    assert_eq!(
        (moved.status, moved.headers["location"].as_str()),
        (301, "http://new.example:8080/here?a=1")
    );
    let secure = call(address, "GET", "/secure/x", &[LOCAL], "").await;
    assert_eq!(
        (secure.status, secure.headers["location"].as_str()),
        (302, "https://localhost/secure/x")
    );
    let table = [
        (
            "/wrong",
            500,
            "failed to apply filters: invalid filter configuration: prefix redirect requires prefix match",
        ),
        ("/service", 500, "service not found"),
        ("/unready", 503, "no healthy backends"),
        ("/v1/models", 404, "route not found"),
    ];
    for (path, status, body) in table {
        let reply = call(address, "GET", path, &[LOCAL], "").await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (status, body),
            "{path}"
        );
    }
    // The broken reference beside the good one gets no traffic (facts 9.7).
    for _ in 0..20 {
        let reply = call(
            address,
            "GET",
            "/v1/models?q",
            &[LOCAL, ("x-team", "blue")],
            "",
        )
        .await;
        assert_eq!((reply.status, reply.headers["x-back"].as_str()), (200, "3"));
    }
    let first = &seen.take()[0];
    assert_eq!(first["path"], "/v1/models?q");
    assert_eq!(
        first["headers"],
        json!({"host": "rewritten.example", "x-set": "1", "x-added": "2"})
    );
}

#[tokio::test]
async fn the_mock_through_the_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mock = tokio::spawn(serve_mock(listener, async move { drop(stopped.await) }));
    let (_gateway, address, log) = start(upstream, "").await;
    let reply = call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "mock: pong");
    assert_eq!(reply.headers["x-gatewright-mock"], "true");
    let stream = call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], STREAM).await;
    assert!(stream.body.ends_with("data: [DONE]\n\n"), "{}", stream.body);
    log.find("gen_ai.response.model=m gen_ai.usage.input_tokens=1 gen_ai.usage.output_tokens=2")
        .await;
    let models = call(address, "GET", "/plain/v1/models", &[LOCAL], "").await;
    assert_eq!(
        (models.status, models.headers["x-gatewright-mock"].as_str()),
        (200, "true")
    );
    assert_eq!(
        call(address, "GET", "/plain/nothing", &[LOCAL], "")
            .await
            .status,
        404
    );
    stop.send(()).unwrap();
    timeout(SOON, mock).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_change_of_configuration_takes_effect_between_requests_and_breaks_none() {
    let (upstream, _) = recorded().await;
    let (gateway, address, _log) = start(upstream, "").await;
    let gateway = Arc::new(gateway);
    let answered = Arc::new(AtomicUsize::new(0));
    let traffic = {
        let answered = answered.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                let reply = call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
                assert_eq!(reply.status, 200);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    for number in 0..50 {
        let mut backend = objects(upstream, "")[1].clone();
        backend["spec"]["ai"]["provider"]["openai"]["model"] = json!(format!("m{number}"));
        assert_eq!(gateway.apply(backend).await.unwrap().0, Change::Updated);
    }
    traffic.await.unwrap();
    assert_eq!(answered.load(Ordering::Relaxed), 100);
    let reply = call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
    assert!(reply.body.contains("m49"));
}
