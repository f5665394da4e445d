//! `traffic.retry` and `rules[].retry`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::client::call;
use crate::world::{LOCAL, recorded, start};

fn policy(retry: &str) -> String {
    format!(
        r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {{name: p, namespace: ns}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main}}]
  traffic: {{retry: {retry}}}
"#
    )
}

#[tokio::test]
async fn a_code_that_is_named_is_tried_again_and_the_last_answer_is_given() {
    let (upstream, seen) = recorded().await;
    let asked = policy("{attempts: 2, codes: [500], backoff: 10ms}");
    let (_gateway, address, log) = start(upstream, &asked).await;
    let failing = json!({"model": "m", "messages": [{"role": "user", "content": "FAIL500"}]});
    for path in ["/ai/v1/chat/completions", "/plain/v1/chat/completions"] {
        let reply = call(address, "POST", path, &[LOCAL], failing.to_string()).await;
        assert_eq!(reply.status, 500);
        assert!(reply.body.contains("mock upstream failure"));
        let tries = seen.take();
        assert_eq!(tries.len(), 3, "facts 17.10");
        for (number, seen) in tries.iter().enumerate() {
            assert_eq!(seen["body"]["messages"], failing["messages"]);
            let told = seen["headers"].get("x-retry-attempt");
            let expected = (number > 0).then(|| json!(number.to_string()));
            assert_eq!(told, expected.as_ref());
        }
    }
    log.find("retry.attempt=2").await;
    let fine = call(address, "POST", "/plain/v1/models", &[LOCAL], "{}").await;
    assert_eq!((fine.status, seen.take().len()), (200, 1));
}

/// An upstream that breaks off as many connections as it is told to, then answers.
async fn breaking(mut times: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let mut some = [0; 1024];
            let _ = stream.read(&mut some).await;
            if times > 0 {
                times -= 1;
                continue;
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfine";
            let _ = stream.write_all(answer).await;
        }
    });
    (address, count)
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_tried_again_for_bodies_that_can_be_kept() {
    let (upstream, count) = breaking(1).await;
    let (_gateway, address, _log) = start(upstream, &policy("{attempts: 1}")).await;
    let reply = call(address, "POST", "/plain/x", &[LOCAL], "{}").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "fine"));
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_long_body_is_sent_once() {
    let (upstream, seen) = recorded().await;
    let asked = policy("{attempts: 2, codes: [500]}");
    let (_gateway, address, _log) = start(upstream, &asked).await;
    let long = json!({"model": "m", "pad": "x".repeat(100_000), "messages": ["FAIL500"]});
    let path = "/plain/v1/chat/completions";
    let reply = call(address, "POST", path, &[LOCAL], long.to_string()).await;
    let tries = seen.take();
    assert_eq!((reply.status, tries.len()), (500, 1));
    assert_eq!(tries[0]["body"], long);
}

#[tokio::test]
async fn a_rules_own_retry_wins_and_each_try_has_its_own_time() {
    let (upstream, seen) = recorded().await;
    let own = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: own, namespace: ns}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{path: {value: /own}}]
    retry: {attempts: 1, codes: [404]}
    timeouts: {request: 10s, backendRequest: 200ms}
    backendRefs: [{group: agentgateway.dev, kind: AgentgatewayBackend, name: plain}]
---
"#
    .to_string()
        + &policy("{attempts: 4, codes: [404]}")
            .replace("HTTPRoute, name: main", "HTTPRoute, name: own");
    let (_gateway, address, _log) = start(upstream, &own).await;
    let reply = call(address, "GET", "/own", &[LOCAL], "").await;
    assert_eq!((reply.status, seen.take().len()), (404, 2));
    let slow = call(address, "POST", "/own", &[LOCAL], r#"{"SLOW":1}"#).await;
    assert_eq!(
        (slow.status, slow.body.as_str()),
        (504, "upstream call timeout")
    );
}
