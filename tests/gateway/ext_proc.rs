//! `traffic.extProc` with a real gRPC server behind it.

use std::net::SocketAddr;

use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use gatewright::gateway::processor::serve_processor;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tonic::Status;

use crate::processor::{self, echo, head, header, immediate, piece, setting};
use crate::support::client::{call, open};
use crate::world::{LOCAL, PING, SOON, STREAM, recorded, start};

/// A policy on the route, its processor behind a Service.
fn policy(address: SocketAddr, more: &str) -> String {
    let port = address.port();
    format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: processor, namespace: ns}}
spec: {{ports: [{{port: 9001}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: processor, namespace: ns, labels: {{kubernetes.io/service-name: processor}}}}
ports: [{{port: {port}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {{name: p, namespace: ns}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main}}]
  traffic:
    extProc: {{backendRef: {{name: processor, port: 9001}}}}
{more}"#
    )
}

fn changes(message: &Request) -> Vec<Result<Response, Status>> {
    vec![Ok(match message {
        Request::RequestHeaders(sent) => {
            let asked = header(&sent.headers, ":authority") + &header(&sent.headers, ":path");
            let pairs = [
                ("x-asked", asked.as_str()),
                (":path", "/plain/v1/models?by=processor"),
            ];
            Response::RequestHeaders(head(setting(&pairs)))
        }
        Request::ResponseHeaders(sent) => {
            let status = header(&sent.headers, ":status");
            let pairs = [("x-was", status.as_str()), (":status", "203")];
            Response::ResponseHeaders(head(setting(&pairs)))
        }
        Request::ResponseBody(sent) if sent.end_of_stream => {
            Response::ResponseBody(piece(b"!".to_vec(), true))
        }
        Request::ResponseBody(_) => Response::ResponseBody(piece(b"changed".to_vec(), false)),
        other => echo(other),
    })]
}

#[tokio::test]
async fn a_processor_changes_heads_and_bodies() {
    let (upstream, seen) = recorded().await;
    let (address, heard) = processor::start(changes).await;
    let (_gateway, gateway, _log) = start(upstream, &policy(address, "")).await;
    let secret = ("x-secret", "1");
    let reply = call(gateway, "GET", "/plain/x?q=1", &[LOCAL, secret], "").await;
    assert_eq!((reply.status, reply.body.as_str()), (203, "changed!"));
    assert_eq!(reply.headers["x-was"], "200");
    let seen = &seen.take()[0];
    assert_eq!(seen["path"], "/v1/models?by=processor");
    assert_eq!(seen["headers"]["x-asked"], "localhost:8080/plain/x?q=1");
    assert_eq!(seen["headers"].get("x-secret"), None);
    assert_eq!(
        heard.words(),
        [
            "request-headers end",
            "response-headers",
            "response-body",
            "response-body end"
        ]
    );
}

#[tokio::test]
async fn a_processor_changes_the_prompt_of_a_model() {
    fn replaces(message: &Request) -> Vec<Result<Response, Status>> {
        vec![Ok(match message {
            Request::RequestBody(sent) if !sent.end_of_stream => {
                let text = String::from_utf8(sent.body.clone()).unwrap();
                let text = text.replace("ping", "something longer than ping");
                Response::RequestBody(piece(text.into_bytes(), false))
            }
            other => echo(other),
        })]
    }
    let (upstream, seen) = recorded().await;
    let (address, _) = processor::start(replaces).await;
    let (_gateway, gateway, log) = start(upstream, &policy(address, "")).await;
    let reply = call(gateway, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.body.contains("pong"));
    let seen = &seen.take()[0]["body"]["messages"][0]["content"];
    assert_eq!(*seen, json!("something longer than ping"));
    log.find("gen_ai.usage.output_tokens=4").await;
}

#[tokio::test]
async fn a_processor_answers_itself() {
    fn refuses(message: &Request) -> Vec<Result<Response, Status>> {
        match message {
            Request::RequestHeaders(_) => vec![Ok(immediate(418, "teapot"))],
            other => vec![Ok(echo(other))],
        }
    }
    fn refuses_answers(message: &Request) -> Vec<Result<Response, Status>> {
        match message {
            Request::ResponseHeaders(_) => vec![Ok(immediate(418, "teapot"))],
            other => vec![Ok(echo(other))],
        }
    }
    for (script, calls) in [(refuses as processor::Script, 0), (refuses_answers, 1)] {
        let (upstream, seen) = recorded().await;
        let (address, _) = processor::start(script).await;
        let (_gateway, gateway, _log) = start(upstream, &policy(address, "")).await;
        let reply = call(gateway, "GET", "/plain/v1/models", &[LOCAL], "").await;
        assert_eq!((reply.status, reply.body.as_str()), (418, "teapot"));
        assert_eq!(reply.headers["x-why"], "because");
        assert_eq!(seen.take().len(), calls);
    }
}

#[tokio::test]
async fn a_processor_that_fails_closes_the_route() {
    fn breaks(_: &Request) -> Vec<Result<Response, Status>> {
        vec![Err(Status::internal("no"))]
    }
    let (upstream, seen) = recorded().await;
    let (breaking, _) = processor::start(breaks).await;
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr();
    for address in [breaking, down.unwrap()] {
        let (_gateway, gateway, log) = start(upstream, &policy(address, "")).await;
        let reply = call(gateway, "POST", "/plain/v1/models", &[LOCAL], "{}").await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (500, "ext_proc failed: no more responses")
        );
        log.find("reason=ExtProc").await;
    }
    assert_eq!(seen.take().len(), 0);
}

#[tokio::test]
async fn a_processor_that_says_nothing_is_cut_by_the_routes_timeout() {
    let (upstream, _) = recorded().await;
    let (address, _) = processor::start(|_| Vec::new()).await;
    let limited = policy(address, "    timeouts: {request: 150ms}\n");
    let (_gateway, gateway, _log) = start(upstream, &limited).await;
    let asked = call(gateway, "GET", "/plain/v1/models", &[LOCAL], "");
    let reply = timeout(SOON, asked).await.unwrap();
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (504, "request timeout")
    );
}

#[tokio::test]
async fn the_demo_processor_does_as_it_is_instructed() {
    let (upstream, seen) = recorded().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_processor(listener, std::future::pending()));
    let (_gateway, gateway, _log) = start(upstream, &policy(address, "")).await;
    let instructions = (
        "instructions",
        r#"{"addHeaders": {"extproctest": "true"}, "removeHeaders": ["instructions"]}"#,
    );
    for (path, body) in [
        ("/plain/v1/models", "{}"),
        ("/ai/v1/chat/completions", PING),
        ("/ai/v1/chat/completions", STREAM),
    ] {
        let reply = call(gateway, "POST", path, &[LOCAL, instructions], body).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.len() > 20, "{}", reply.body);
        let seen = &seen.take()[0];
        assert_eq!(seen["headers"]["extproctest"], "true");
        assert_eq!(seen["headers"].get("instructions"), None);
        assert_ne!(seen["body"], json!(null));
    }
}

#[tokio::test]
async fn without_its_processor_the_policy_is_not_there() {
    let (upstream, _) = recorded().await;
    let nobody = policy(upstream, "").replace("name: processor, port", "name: nobody, port");
    let (gateway, address, _log) = start(upstream, &nobody).await;
    let reply = call(address, "GET", "/plain/v1/models", &[LOCAL], "").await;
    assert_eq!(reply.status, 200);
    let objects = gateway.objects().await;
    let policy = objects.iter().find(|o| o["kind"] == "AgentgatewayPolicy");
    let accepted = &policy.unwrap()["status"]["ancestors"][0]["conditions"][0];
    assert_eq!(
        (&accepted["reason"], &accepted["message"]),
        (
            &json!("Invalid"),
            &json!("failed to build extProc: unable to find the Service ns/nobody")
        )
    );
}

/// An upstream by hand: reads one request to its end, and says what it read.
async fn accept(listener: &TcpListener, end: &[u8]) -> (TcpStream, String) {
    let (mut stream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(end) {
        let count = timeout(SOON, stream.read(&mut buffer)).await.unwrap();
        let count = count.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&buffer[..count]);
    }
    (stream, String::from_utf8(request).unwrap())
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";

#[tokio::test]
async fn a_stream_goes_through_a_processor_event_by_event() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (processor, _) = processor::start(|message| vec![Ok(echo(message))]).await;
    let more = policy(processor, "");
    let (_gateway, address, _log) = start(listener.local_addr().unwrap(), &more).await;
    let asked = tokio::spawn(open(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &[LOCAL],
        STREAM,
    ));
    let (mut upstream, _) = accept(&listener, b"}").await;
    upstream.write_all(CHUNKED.as_bytes()).await.unwrap();
    let mut body = timeout(SOON, asked).await.unwrap().unwrap().into_body();
    for number in 0..5 {
        let event = format!("data: {{\"n\": {number}}}\n\n");
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        upstream.write_all(chunk.as_bytes()).await.unwrap();
        let frame = timeout(SOON, body.frame()).await.expect("before the next");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), event);
    }
    drop(upstream);
    // An answer that broke off is not taken for whole.
    let rest = timeout(SOON, body.frame()).await.unwrap();
    assert!(rest.unwrap().is_err());
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_conversation() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (processor, heard) = processor::start(|message| vec![Ok(echo(message))]).await;
    let more = policy(processor, "");
    let (_gateway, address, log) = start(listener.local_addr().unwrap(), &more).await;
    let asked = tokio::spawn(open(address, "POST", "/plain/x", &[LOCAL], "{}"));
    let (mut upstream, request) = accept(&listener, b"0\r\n\r\n").await;
    assert!(request.contains("2\r\n{}\r\n"), "{request}");
    asked.abort();
    let mut rest = [0; 16];
    let ended = timeout(SOON, upstream.read(&mut rest)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    log.find("reason=ClientGone").await;
    assert_eq!(
        heard.words(),
        ["request-headers", "request-body", "request-body end"]
    );
}

#[tokio::test]
async fn before_routing_a_processor_chooses_the_route_and_sees_the_answer_last() {
    let (upstream, seen) = recorded().await;
    let (address, _) = processor::start(changes).await;
    let before = policy(address, "")
        .replace("kind: HTTPRoute, name: main", "kind: Gateway, name: gw")
        .replace("  traffic:\n", "  traffic:\n    phase: PreRouting\n");
    let headers = r#"---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {name: later, namespace: ns}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main}]
  traffic: {transformation: {response: {set: [{name: ":status", value: "201"}]}}}
"#;
    let (_gateway, gateway, _log) = start(upstream, &(before + headers)).await;
    // There is no such route but for the processor.
    let reply = call(gateway, "GET", "/nowhere", &[LOCAL], "").await;
    assert_eq!((reply.status, reply.body.as_str()), (203, "changed!"));
    assert_eq!(reply.headers["x-was"], "201");
    assert_eq!(seen.take()[0]["path"], "/v1/models?by=processor");
}
