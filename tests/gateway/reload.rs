//! New objects while connections are open.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::client::open;
use crate::world::{LOCAL, SOON, STREAM, objects, recorded, start};

/// A policy that makes the route `main` answer by itself.
const SAID: &str = "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayPolicy\nmetadata: {name: said, namespace: ns}\nspec:\n  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main}]\n  traffic: {directResponse: {status: 200, body: new}}\n";

#[tokio::test]
async fn a_stream_goes_on_and_the_next_request_of_a_connection_meets_the_new_objects() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let (gateway, address, _) = start(upstream, "").await;
    let asked = tokio::spawn(open(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &[LOCAL],
        STREAM,
    ));
    let (mut model, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let mut some = [0; 4096];
    assert!(model.read(&mut some).await.unwrap() > 0);
    model.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let mut stream = timeout(SOON, asked).await.unwrap().unwrap().into_body();

    let idle = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(idle))
        .await
        .unwrap();
    tokio::spawn(connection);
    let ask = || {
        Request::get("/nowhere")
            .header("host", "localhost")
            .body(Full::new(Bytes::new()))
            .unwrap()
    };
    let answer = sender.send_request(ask()).await.unwrap();
    assert_eq!(answer.status(), 404);
    answer.into_body().collect().await.unwrap();

    gateway.replace(objects(upstream, SAID)).await.unwrap();
    let ask = || {
        Request::get("/ai")
            .header("host", "localhost")
            .body(Full::new(Bytes::new()))
            .unwrap()
    };
    sender.ready().await.expect("the connection is still open");
    let answer = sender.send_request(ask()).await.unwrap();
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        "new"
    );

    model
        .write_all(b"9\r\ndata: 1\n\n\r\n0\r\n\r\n")
        .await
        .unwrap();
    let frame = timeout(SOON, stream.frame())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(frame.into_data().unwrap(), "data: 1\n\n");
    assert!(timeout(SOON, stream.frame()).await.unwrap().is_none());
}

#[tokio::test]
async fn objects_that_are_not_given_again_are_gone_and_a_refused_set_changes_nothing() {
    let (upstream, _) = recorded().await;
    let (gateway, _, _) = start(upstream, SAID).await;
    let count = gateway.objects().await.len();
    gateway.replace(objects(upstream, "")).await.unwrap();
    assert_eq!(gateway.objects().await.len(), count - 1);
    let mut bad = objects(upstream, SAID);
    bad.push(serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}));
    assert!(gateway.replace(bad).await.is_err());
    assert_eq!(gateway.objects().await.len(), count - 1);
}
