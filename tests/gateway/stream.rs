//! Streams, slow parties, and parties that leave.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::client::{call, open};
use crate::world::{LOCAL, PING, SOON, STREAM, recorded, start};

/// An upstream that a test drives by hand: accepts one connection and reads one request.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"}") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the request ended early");
        request.extend_from_slice(&buffer[..count]);
    }
    stream
}

async fn send_event(stream: &mut TcpStream, number: usize) -> String {
    let event = format!("data: {{\"n\": {number}}}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    stream.write_all(chunk.as_bytes()).await.unwrap();
    event
}

const EVENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn each_event_reaches_the_client_before_the_next_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_gateway, address, log) = start(listener.local_addr().unwrap(), "").await;
    let asked = tokio::spawn(open(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &[LOCAL],
        STREAM,
    ));
    let mut upstream = accept(&listener).await;
    upstream.write_all(EVENTS).await.unwrap();
    let answer = timeout(SOON, asked).await.unwrap().unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    for number in 0..5 {
        let event = send_event(&mut upstream, number).await;
        let frame = timeout(SOON, body.frame())
            .await
            .expect("the event before the next one");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), event);
    }
    upstream.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(timeout(SOON, body.frame()).await.unwrap().is_none());
    assert!(
        log.find("http.path=/ai")
            .await
            .contains("http.status=200 protocol=llm")
    );
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstream_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_gateway, address, log) = start(listener.local_addr().unwrap(), "").await;
    // While the answer is awaited, and while it streams.
    for begun in [false, true] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /ai/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{STREAM}",
            STREAM.len()
        );
        client.write_all(head.as_bytes()).await.unwrap();
        let mut upstream = accept(&listener).await;
        if begun {
            upstream.write_all(EVENTS).await.unwrap();
            send_event(&mut upstream, 0).await;
            let mut some = [0; 64];
            assert!(client.read(&mut some).await.unwrap() > 0);
        }
        drop(client);
        let mut rest = [0; 16];
        let ended = timeout(SOON, upstream.read(&mut rest))
            .await
            .expect("the upstream is told");
        assert!(matches!(ended, Ok(0) | Err(_)), "begun: {begun}");
    }
    log.find("reason=ClientGone").await;
}

#[tokio::test]
async fn a_slow_upstream_and_a_slow_client_hold_up_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (upstream, _) = recorded().await;
    let slow = format!(
        r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: slow, namespace: ns}}
spec: {{static: {{host: 127.0.0.1, port: {}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: slow, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules: [{{matches: [{{path: {{value: /slow}}}}], backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: slow}}]}}]
"#,
        listener.local_addr().unwrap().port()
    );
    let (_gateway, address, _log) = start(upstream, &slow).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(tokio::spawn(open(address, "POST", "/slow", &[LOCAL], "{}")));
        let mut upstream = accept(&listener).await;
        upstream.write_all(EVENTS).await.unwrap();
        // More than any socket buffer holds, to a client that does not read.
        tokio::spawn(async move {
            for number in 0..200_000 {
                send_event(&mut upstream, number).await;
            }
        });
    }
    let begin = Instant::now();
    for _ in 0..20 {
        let reply = call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
        assert_eq!(reply.status, 200);
    }
    assert!(begin.elapsed() < SOON);
}

#[tokio::test]
async fn a_stop_lets_a_running_stream_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (gateway, address, _log) = start(listener.local_addr().unwrap(), "").await;
    let asked = tokio::spawn(open(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &[LOCAL],
        STREAM,
    ));
    let mut upstream = accept(&listener).await;
    upstream.write_all(EVENTS).await.unwrap();
    let body = timeout(SOON, asked).await.unwrap().unwrap().into_body();
    let stopped = tokio::spawn(async move { gateway.stop().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody new is let in"
    );
    let event = send_event(&mut upstream, 1).await;
    upstream.write_all(b"0\r\n\r\n").await.unwrap();
    let whole = timeout(SOON, body.collect())
        .await
        .unwrap()
        .unwrap()
        .to_bytes();
    assert_eq!(whole, event);
    timeout(SOON, stopped)
        .await
        .expect("stopped when the stream had ended")
        .unwrap();
}
