//! `gw reach` names the first hop that fails, and claims nothing of those after it.

#[path = "support/admin.rs"]
mod admin;
#[path = "support/home.rs"]
mod home;

use admin::{admin, kept_object};
use home::{Home, free_port};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// One CA, one key, and what the CA has signed for it: `good` for localhost and 127.0.0.1, `expired` for the
/// same until 2024, `other` for llm.example. The CA's key is nowhere.
const CA: &str = include_str!("recordings/tls/hops/ca.pem");
const KEY: &[u8] = include_bytes!("recordings/tls/hops/key.pem");
const GOOD: &[u8] = include_bytes!("recordings/tls/hops/good.pem");
const EXPIRED: &[u8] = include_bytes!("recordings/tls/hops/expired.pem");
const OTHER: &[u8] = include_bytes!("recordings/tls/hops/other.pem");

/// A server that does this with everybody who comes, and its port.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

fn answer(mut stream: impl Read + Write) {
    let read = stream.read(&mut [0; 4096]).unwrap_or(0);
    if read > 0 {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    }
}

/// Holds the connection until the other side goes.
fn hold(mut stream: impl Read) {
    while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
}

fn secure(certificate: &'static [u8], then: fn(StreamOwned<ServerConnection, TcpStream>)) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    server(move |stream| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        then(StreamOwned::new(connection, stream));
    })
}

/// A server that knows nothing newer than TLS 1.1: alert 70 (RFC 8446, 6.2) to everybody who does not either.
fn old() -> u16 {
    server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]);
    })
}

fn up() -> Home {
    let home = Home::new();
    let profile = home.profile();
    assert_eq!(home.gw(&["up", "--profile", &profile]).code, 0);
    home
}

/// Leads route /mock elsewhere behind the back of gw: host, port, and `policies.tls`.
fn lead(home: &Home, host: &str, port: u16, tls: Option<Value>) {
    let mut backend = kept_object(home, "AgentgatewayBackend", "mock");
    let provider = json!({"openai": {"model": "mock"}, "host": host, "port": port});
    backend["spec"] = json!({"ai": {"provider": provider}});
    if let Some(tls) = tls {
        backend["spec"]["policies"] = json!({"tls": tls});
    }
    admin(home, "/apply", &backend);
}

/// The hops behind the gateway by their ids, and the last one.
fn hops(home: &Home, code: i32) -> (Vec<String>, Value) {
    let (report, found) = home.json(&["reach", "/mock"]);
    assert_eq!(found, code, "{report}");
    let hops = report["paths"][0]["hops"].as_array().unwrap().clone();
    let ids = hops
        .iter()
        .map(|hop| hop["id"].as_str().unwrap().to_string());
    let behind = ids.skip_while(|id| id != "reach.backend").skip(1);
    (behind.collect(), hops.last().unwrap().clone())
}

#[test]
fn a_fault_of_tls_is_the_first_hop_that_fails_and_says_which() {
    let home = up();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "hops-ca", "namespace": "kgateway-system"}, "data": {"ca.crt": CA}});
    admin(&home, "/apply", &map);
    let ours = json!({"caCertificateRefs": [{"name": "hops-ca"}]});
    let table = [
        (
            "expired",
            secure(EXPIRED, answer),
            ours.clone(),
            "its certificate has expired: it was valid until Mon, 01 Jan 2024 00:00:00 GMT",
        ),
        (
            "another name",
            secure(OTHER, answer),
            ours.clone(),
            "its certificate is for llm.example, not for 127.0.0.1",
        ),
        (
            "a CA of its own",
            secure(GOOD, answer),
            json!({}),
            "its certificate is signed by nobody whom the gateway trusts",
        ),
        (
            "plain HTTP",
            server(answer),
            ours.clone(),
            "it speaks no TLS: plain HTTP is answered (404)",
        ),
        (
            "silence",
            server(hold),
            ours.clone(),
            "no answer to the TLS handshake in 3.00 s",
        ),
        (
            "TLS 1.1",
            old(),
            ours.clone(),
            "it offers no TLS of today, 1.2 or 1.3 (ProtocolVersion)",
        ),
    ];
    for (fault, port, tls, said) in table {
        lead(&home, "127.0.0.1", port, Some(tls));
        let (ids, last) = hops(&home, 4);
        assert_eq!(ids, ["reach.name", "reach.address", "reach.tls"], "{fault}");
        assert_eq!(last["verdict"], "fail", "{fault}");
        assert_eq!(
            last["summary"],
            format!("127.0.0.1:{port}: {said}"),
            "{fault}"
        );
        assert_eq!(
            last["next"], "gw up --force",
            "{fault}: the profile leads elsewhere"
        );
    }
    // With the CA and the name there is nothing to find, also where the name is another one.
    let good = secure(GOOD, answer);
    let other = secure(OTHER, answer);
    let named = json!({"caCertificateRefs": [{"name": "hops-ca"}], "sni": "llm.example"});
    let any = json!({"insecureSkipVerify": "All"});
    for (port, tls) in [(good, ours.clone()), (other, named), (other, any)] {
        lead(&home, "127.0.0.1", port, Some(tls));
        let (ids, last) = hops(&home, 4);
        let wanted = [
            "reach.name",
            "reach.address",
            "reach.tls",
            "reach.service",
            "reach.model",
        ];
        assert_eq!(ids, wanted, "{last}");
    }
    lead(&home, "127.0.0.1", secure(GOOD, hold), Some(ours));
    let (ids, last) = hops(&home, 4);
    assert_eq!(
        ids,
        ["reach.name", "reach.address", "reach.tls", "reach.service"]
    );
    let summary = last["summary"].as_str().unwrap();
    assert!(
        summary.contains("takes the connection and answers nothing"),
        "{last}"
    );
}

#[test]
fn no_name_no_connection_and_no_answer_are_three_hops() {
    let home = up();
    let silent = server(hold);
    let table = [
        ("nowhere.invalid", 443, vec!["reach.name"]),
        (
            "127.0.0.1",
            free_port(),
            vec!["reach.name", "reach.address"],
        ),
    ];
    for (host, port, wanted) in table {
        for tls in [None, Some(json!({}))] {
            lead(&home, host, port, tls);
            let (ids, last) = hops(&home, 4);
            assert_eq!(ids, wanted, "{last}");
            assert_eq!(last["verdict"], "fail");
        }
    }
    lead(&home, "127.0.0.1", silent, None);
    let (ids, last) = hops(&home, 4);
    assert_eq!(
        ids,
        ["reach.name", "reach.address", "reach.service"],
        "{last}"
    );
}

#[test]
fn reach_shows_the_proof_of_the_path_that_was_asked_for() {
    let home = Home::new();
    let profile = home.profile();
    assert_eq!(home.gw(&["up", "--profile", &profile]).code, 0);
    let mut route = kept_object(&home, "HTTPRoute", "mock");
    let mut second = route["spec"]["rules"][0].clone();
    second["matches"] = json!([{"path": {"type": "PathPrefix", "value": "/second"}}]);
    route["spec"]["rules"].as_array_mut().unwrap().push(second);
    admin(&home, "/apply", &route);
    for path in ["/second", "/mock"] {
        let (report, code) = home.json(&["reach", path]);
        assert_eq!(code, 0, "{report}");
        let hops = report["paths"][0]["hops"].as_array().unwrap();
        assert_eq!(hops.last().unwrap()["route"]["path"], path, "{report}");
    }
}

#[test]
fn an_alias_that_connects_and_answers_nothing_is_named_by_reach() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let home = Home::new();
    let profile = home.profile();
    assert_eq!(home.gw(&["up", "--profile", &profile]).code, 0);
    let said = home.gw(&["reach", "/mock"]);
    assert_eq!(said.code, 0, "{said:?}");
    let mut backend = json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayBackend",
        "metadata": {"name": "mock", "namespace": "kgateway-system", "labels": {"app.kubernetes.io/managed-by": "gatewright", "gatewright.dev/environment": "default"}},
        "spec": {"ai": {"provider": {"openai": {"model": "mock"}, "host": "127.0.0.1", "port": port}}}});
    admin(&home, "/apply", &backend);
    let said = home.gw(&["reach", "/mock"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(
        said.stdout
            .contains("takes the connection and answers nothing in 5.00 s"),
        "{said:?}"
    );
    drop(silent);
    backend["spec"]["ai"]["provider"]["port"] = json!(free_port());
    admin(&home, "/apply", &backend);
    let (report, code) = home.json(&["reach", "/mock"]);
    assert_eq!(code, 4);
    let hops = report["paths"][0]["hops"].as_array().unwrap();
    assert_eq!(hops.last().unwrap()["id"], "reach.address");
}
