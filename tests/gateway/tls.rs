//! How upstreams are spoken to: TLS with all its settings, HTTP/2 with and without it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gatewright::gateway::Gateway;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::client::{Reply, call};
use crate::support::model::{self, Seen};
use crate::support::tls;
use crate::world::{LOCAL, start};

/// Replaces the static backend by one with these policies.
async fn plain(gateway: &Gateway, upstream: SocketAddr, policies: Value) {
    let object = json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayBackend",
        "metadata": {"name": "plain", "namespace": "ns"},
        "spec": {"static": {"host": "127.0.0.1", "port": upstream.port()}, "policies": policies}});
    gateway.apply(object).await.unwrap();
}

async fn trust(gateway: &Gateway) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca", "namespace": "ns"},
        "data": {"ca.crt": String::from_utf8_lossy(tls::CA)}});
    gateway.apply(map).await.unwrap();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "client", "namespace": "ns"},
        "stringData": {"tls.crt": String::from_utf8_lossy(tls::CERTIFICATE), "tls.key": String::from_utf8_lossy(tls::KEY)}});
    gateway.apply(secret).await.unwrap();
}

async fn ask(address: SocketAddr) -> Reply {
    call(address, "GET", "/plain/v1/models", &[LOCAL], "").await
}

#[tokio::test]
async fn a_certificate_is_held_against_what_was_asked_for() {
    let upstream = model::start(model::recorded, Some(tls::acceptor()), Seen::default()).await;
    let (gateway, address, _log) = start(upstream, "").await;
    trust(&gateway).await;
    let ca = json!([{"name": "ca"}]);
    let table = [
        (
            json!({"sni": "api.openai.com", "caCertificateRefs": ca}),
            true,
        ),
        (
            json!({"sni": "other.example", "caCertificateRefs": ca}),
            false,
        ),
        (json!({"caCertificateRefs": ca}), false),
        (json!({"sni": "api.openai.com"}), false),
        (
            json!({"verifySubjectAltNames": ["x.example", "api.openai.com"], "caCertificateRefs": ca}),
            true,
        ),
        (
            json!({"verifySubjectAltNames": ["x.example"], "caCertificateRefs": ca}),
            false,
        ),
        (json!({"verifySubjectAltNames": ["api.openai.com"]}), false),
        (
            json!({"insecureSkipVerify": "Hostname", "caCertificateRefs": ca}),
            true,
        ),
        (json!({"insecureSkipVerify": "Hostname"}), false),
        (json!({"insecureSkipVerify": "All"}), true),
    ];
    for (settings, taken) in table {
        plain(&gateway, upstream, json!({"tls": settings})).await;
        let reply = ask(address).await;
        match taken {
            true => assert_eq!(reply.status, 200, "{settings} {}", reply.body),
            false => {
                assert_eq!(reply.status, 503, "{settings}");
                let family = "upstream call failed: Connect: ";
                assert!(reply.body.starts_with(family), "{settings} {}", reply.body);
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_that_asks_for_a_certificate_is_shown_one() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(tls::roots().into(), provider);
    let config = tls::server(Some(clients.build().unwrap()));
    let upstream = model::start(model::recorded, Some(config.into()), Seen::default()).await;
    let (gateway, address, _log) = start(upstream, "").await;
    trust(&gateway).await;
    let anonymous = json!({"insecureSkipVerify": "All"});
    plain(&gateway, upstream, json!({"tls": anonymous})).await;
    assert_eq!(ask(address).await.status, 503);
    let known = json!({"insecureSkipVerify": "All", "mtlsCertificateRef": [{"name": "client"}]});
    plain(&gateway, upstream, json!({"tls": known})).await;
    assert_eq!(ask(address).await.status, 200);
    let shown = gateway.objects().await;
    assert!(!json!(shown).to_string().contains("PRIVATE KEY"));
}

/// An upstream that takes HTTP/2 only and answers with what it saw.
async fn two(tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let tls = tls.clone();
            tokio::spawn(async move {
                match tls {
                    None => serve(stream).await,
                    Some(tls) => serve(tls.accept(stream).await.unwrap()).await,
                }
            });
        }
    });
    address
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let seen = json!({
            "two": request.version() == Version::HTTP_2,
            "authority": request.uri().authority().map(|a| a.as_str()),
            "path": request.uri().path(),
            "host": request.headers().contains_key("host"),
        });
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(seen.to_string()))))
    });
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[tokio::test]
async fn http_2_is_spoken_with_and_without_tls() {
    let mut config = tls::server(None);
    Arc::get_mut(&mut config).unwrap().alpn_protocols = vec![b"h2".to_vec()];
    for tls in [None, Some(TlsAcceptor::from(config))] {
        let settings = match tls {
            None => json!({"http": {"version": "HTTP2"}}),
            Some(_) => {
                json!({"http": {"version": "HTTP2"}, "tls": {"insecureSkipVerify": "All"}})
            }
        };
        let upstream = two(tls).await;
        let (gateway, address, _log) = start(upstream, "").await;
        plain(&gateway, upstream, settings.clone()).await;
        for _ in 0..2 {
            let reply = ask(address).await;
            // An upstream given as an address sees the client's Host (facts 16.1).
            let expected =
                json!({"two": true, "authority": LOCAL.1, "path": "/v1/models", "host": false});
            let seen: Value = serde_json::from_str(&reply.body).unwrap_or_default();
            assert_eq!(seen, expected, "{settings} {}", reply.body);
        }
    }
}
