//! HTTPS listeners, HTTP/2, and connections that begin strangely.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::tls;
use crate::world::{PING, SOON, indented, recorded, start};

const NAME: &str = "api.openai.com";

/// An HTTPS listener on port 8443 that takes every route of `main`.
fn https() -> String {
    let certificate = include_str!("../recordings/tls/cert.pem");
    let key = include_str!("../recordings/tls/key.pem");
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: secure, namespace: ns}}\nspec:\n  gatewayClassName: agentgateway\n  listeners:\n  - {{name: https, protocol: HTTPS, port: 8443, hostname: {NAME}, tls: {{certificateRefs: [{{name: tls}}]}}}}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: secure, namespace: ns}}\nspec:\n  parentRefs: [{{name: secure}}]\n  rules: [{{backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: ai}}]}}]\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: tls, namespace: ns}}\nstringData:\n  tls.crt: |\n{}\n  tls.key: |\n{}\n",
        indented(certificate),
        indented(key)
    )
}

async fn connect(
    address: SocketAddr,
    name: &str,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(tls::roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_string()).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

fn ping(uri: &str) -> Request<Full<Bytes>> {
    let request = Request::builder()
        .method("POST")
        .uri(uri)
        .header("host", NAME);
    request.body(Full::new(PING.into())).unwrap()
}

#[tokio::test]
async fn a_listener_shows_its_certificate_to_clients_that_ask_for_its_name() {
    let (upstream, _) = recorded().await;
    let (gateway, _, log) = start(upstream, &https()).await;
    let address = gateway.address(8443).await.unwrap();
    let stream = connect(address, NAME, b"http/1.1").await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let answer = sender
        .send_request(ping("/v1/chat/completions"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    log.find("gateway=ns/secure listener=https").await;
    assert!(
        connect(address, "other.example", b"http/1.1")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn http_2_is_spoken_over_tls() {
    let (upstream, _) = recorded().await;
    let (gateway, _, log) = start(upstream, &https()).await;
    let address = gateway.address(8443).await.unwrap();
    let stream = connect(address, NAME, b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let uri = format!("https://{NAME}/v1/chat/completions");
    let answer = sender.send_request(ping(&uri)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"{"), "{body:?}");
    log.find("http.version=HTTP/2.0 http.status=200 protocol=llm")
        .await;
}

#[tokio::test]
async fn http_2_is_spoken_without_tls_to_a_client_that_begins_with_it() {
    let (upstream, _) = recorded().await;
    let (_gateway, address, _) = start(upstream, "").await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let ask = |mut sender: hyper::client::conn::http2::SendRequest<Full<Bytes>>| async move {
        let request = Request::builder()
            .method("POST")
            .uri("http://localhost:8080/ai/v1/chat/completions");
        let request = request.body(Full::new(PING.into())).unwrap();
        sender.send_request(request).await.unwrap().status()
    };
    let (one, two) = tokio::join!(ask(sender.clone()), ask(sender));
    assert_eq!((one.as_u16(), two.as_u16()), (200, 200));
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_answered() {
    let (upstream, _) = recorded().await;
    let (_gateway, address, _) = start(upstream, "").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!(
        "POST /ai/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{PING}",
        PING.len()
    );
    for byte in request.as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut answer = [0; 12];
    timeout(SOON, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_client_that_says_nothing_does_not_hold_up_a_stop() {
    let (upstream, _) = recorded().await;
    let (gateway, address, _) = start(upstream, "").await;
    let _silent = TcpStream::connect(address).await.unwrap();
    timeout(SOON, gateway.stop()).await.expect("it stops");
}
