//! Mirrors, the CORS filter, redirects, trailers and connections that are upgraded.

use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::client::{call, open};
use crate::world::{LOCAL, SOON, recorded, start};

fn route(port: u16, rules: &str) -> String {
    format!(
        r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: copy, namespace: ns}}
spec: {{static: {{host: 127.0.0.1, port: {port}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: shape, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules:
{rules}"#
    )
}

fn mirror(name: &str, more: &str) -> String {
    format!(
        r#"
  - matches: [{{path: {{value: /v1/models}}}}]
    filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{group: agentgateway.dev, kind: AgentgatewayBackend, name: {name}}}{more}}}}}]
    backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: plain}}]
"#
    )
}

#[tokio::test]
async fn a_mirror_gets_the_head_of_each_request_and_holds_up_none() {
    let (upstream, seen) = recorded().await;
    let copy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = copy.local_addr().unwrap().port();
    let (_gateway, address, _log) = start(upstream, &route(port, &mirror("copy", ""))).await;
    // The mirror does not answer at all.
    let asked = call(address, "POST", "/v1/models?q=1", &[LOCAL], "{}");
    let reply = timeout(SOON, asked).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(seen.take()[0]["body"], json!({}));
    let (mut mirrored, _) = timeout(SOON, copy.accept()).await.unwrap().unwrap();
    let mut buffer = vec![0; 4096];
    let count = timeout(SOON, mirrored.read(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    let head = String::from_utf8_lossy(&buffer[..count]).to_lowercase();
    assert!(
        head.starts_with("post /v1/models?q=1 http/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("host: localhost:8080\r\n"), "{head}");
    assert!(!head.contains("content-length: 2"), "{head}");
}

#[tokio::test]
async fn a_mirror_of_no_share_or_no_backend_changes_nothing() {
    let (upstream, seen) = recorded().await;
    let copy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = copy.local_addr().unwrap().port();
    let never = mirror("copy", ", percent: 0");
    for rules in [never, mirror("nobody", "")] {
        let (gateway, address, _log) = start(upstream, &route(port, &rules)).await;
        let reply = call(address, "GET", "/v1/models", &[LOCAL], "").await;
        assert_eq!((reply.status, seen.take().len()), (200, 1));
        let objects = gateway.objects().await;
        let shape = objects.iter().find(|o| o["metadata"]["name"] == "shape");
        let conditions = &shape.unwrap()["status"]["parents"][0]["conditions"];
        match rules.contains("nobody") {
            true => assert_eq!(
                conditions[1]["message"],
                "kgateway Backend not found: ns/nobody"
            ),
            false => assert_eq!(conditions[1]["status"], "True"),
        }
    }
    let called = timeout(Duration::from_millis(100), copy.accept()).await;
    assert!(called.is_err());
}

#[tokio::test]
async fn a_cors_filter_is_a_policy_of_its_rule() {
    let (upstream, _) = recorded().await;
    let rules = r#"
  - matches: [{path: {value: /v1/models}}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://app.example"], allowMethods: [GET], maxAge: 60}}]
    backendRefs: [{group: agentgateway.dev, kind: AgentgatewayBackend, name: plain}]
"#;
    let (_gateway, address, _log) = start(upstream, &route(1, rules)).await;
    let origin = ("origin", "https://app.example");
    let preflight = [LOCAL, origin, ("access-control-request-method", "GET")];
    let reply = call(address, "OPTIONS", "/v1/models", &preflight, "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["access-control-max-age"], "60");
    let reply = call(address, "GET", "/v1/models", &[LOCAL, origin], "").await;
    assert_eq!(
        reply.headers["access-control-allow-origin"],
        "https://app.example"
    );
}

#[tokio::test]
async fn redirects_keep_what_they_do_not_name() {
    let (upstream, _) = recorded().await;
    let filter = |path: &str, redirect: &str| {
        format!(
            "  - matches: [{{path: {{value: {path}}}}}]\n    filters: [{{type: RequestRedirect, requestRedirect: {redirect}}}]\n"
        )
    };
    let rules = [
        ("/host", "{hostname: new.example}"),
        ("/port", "{port: 9090, statusCode: 307}"),
        ("/scheme", "{scheme: https, statusCode: 308}"),
        ("/both", "{scheme: https, port: 8443, statusCode: 303}"),
        ("/plain80", "{scheme: http, port: 80}"),
        ("/tls", "{scheme: https, port: 443}"),
        (
            "/prefix",
            "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}, statusCode: 301}",
        ),
        (
            "/full",
            "{path: {type: ReplaceFullPath, replaceFullPath: /all}}",
        ),
    ];
    let rules: String = rules
        .iter()
        .map(|(path, redirect)| filter(path, redirect))
        .collect();
    let (_gateway, address, _log) = start(upstream, &route(1, &rules)).await;
    let forwarded = ("host", "localhost:18080");
    let bare = ("host", "localhost");
    // Without a scheme or a port of its own, a redirect keeps the port that the client used; the
    // listener's where the client named none (Gateway API, HTTPRequestRedirectFilter.port).
    let table = [
        (
            LOCAL,
            "/host/x?q=1",
            302,
            "http://new.example:8080/host/x?q=1",
        ),
        (forwarded, "/host", 302, "http://new.example:18080/host"),
        (bare, "/host", 302, "http://new.example:8080/host"),
        (LOCAL, "/port", 307, "http://localhost:9090/port"),
        (LOCAL, "/scheme/x", 308, "https://localhost/scheme/x"),
        (LOCAL, "/both", 303, "https://localhost:8443/both"),
        (LOCAL, "/plain80", 302, "http://localhost/plain80"),
        (LOCAL, "/tls", 302, "https://localhost/tls"),
        (LOCAL, "/prefix", 301, "http://localhost:8080/new"),
        (
            LOCAL,
            "/prefix/a/b?q",
            301,
            "http://localhost:8080/new/a/b?q",
        ),
        (LOCAL, "/full/a?q", 302, "http://localhost:8080/all?q"),
    ];
    for (host, path, status, location) in table {
        let reply = call(address, "GET", path, &[host], "").await;
        assert_eq!(
            (reply.status, reply.headers["location"].as_str()),
            (status, location),
            "{host:?} {path}"
        );
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(SOON, stream.read_u8()).await.unwrap().unwrap();
        head.push(byte);
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

#[tokio::test]
async fn trailers_pass_to_a_client_that_takes_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let (_gateway, address, _log) = start(upstream, "").await;
    let asked = tokio::spawn(open(
        address,
        "GET",
        "/plain/x",
        &[LOCAL, ("te", "trailers")],
        "",
    ));
    let (mut upstream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    assert!(read_head(&mut upstream).await.contains("te: trailers\r\n"));
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nab\r\n0\r\nx-sum: 7\r\n\r\n";
    upstream.write_all(answer.as_bytes()).await.unwrap();
    let body = timeout(SOON, asked).await.unwrap().unwrap().into_body();
    let whole = timeout(SOON, body.collect()).await.unwrap().unwrap();
    assert_eq!(whole.trailers().unwrap()["x-sum"], "7");
}

/// What a client writes to ask for a WebSocket; its own trailing data comes after the upstream's yes.
const ASKS: &str = "GET /plain/ws HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\n\r\n";

#[tokio::test]
async fn an_upgraded_connection_carries_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (gateway, address, log) = start(listener.local_addr().unwrap(), "").await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(ASKS.as_bytes()).await.unwrap();
    let (mut upstream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let head = read_head(&mut upstream).await;
    assert!(head.contains("connection: upgrade\r\n"), "{head}");
    assert!(head.contains("upgrade: websocket\r\n"), "{head}");
    assert!(head.contains("sec-websocket-key: k\r\n"), "{head}");
    let yes = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello";
    upstream.write_all(yes.as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("upgrade: websocket\r\n"), "{head}");
    let mut five = [0; 5];
    timeout(SOON, client.read_exact(&mut five))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&five, b"hello");
    client.write_all(b"world").await.unwrap();
    timeout(SOON, upstream.read_exact(&mut five))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&five, b"world");
    drop(client);
    let ended = timeout(SOON, upstream.read(&mut five)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    drop(upstream);
    log.find("http.status=101").await;
    timeout(SOON, gateway.stop()).await.unwrap();
}

#[tokio::test]
async fn an_upgrade_to_something_else_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_gateway, address, _log) = start(listener.local_addr().unwrap(), "").await;
    let asks = [("connection", "upgrade"), ("upgrade", "websocket"), LOCAL];
    let table: [(&[(&str, &str)], &str); 2] = [
        (
            &asks,
            r#"request upgrade failed, backend tried Some("other") but Some("websocket") was requested"#,
        ),
        (
            &asks[2..],
            "request upgrade failed, backend tried None but None was requested",
        ),
    ];
    for (headers, body) in table {
        let asked = call(address, "GET", "/plain/ws", headers, "");
        let upstream = async {
            let (mut upstream, _) = listener.accept().await.unwrap();
            read_head(&mut upstream).await;
            let answer =
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n";
            upstream.write_all(answer.as_bytes()).await.unwrap();
            upstream
        };
        let both = timeout(SOON, async { tokio::join!(asked, upstream) });
        let (reply, _upstream) = both.await.unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (502, body));
    }
}
