//! Ports and the admin socket.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use gatewright::gateway::{
    Change, DoorPorts, Gateway, Id, Options, Rejection, ServeOptions, serve,
};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::timeout;

use crate::support::client::call;
use crate::support::log::Lines;
use crate::world::{LOCAL, SOON};

/// Ports of no meaning: tests run beside each other.
const ANY: DoorPorts = DoorPorts {
    ready: 0,
    metrics: 0,
    config: 0,
};

fn gateway_object(name: &str, port: u16) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": name, "namespace": "ns"},
        "spec": {"gatewayClassName": "agentgateway", "listeners": [{"name": "http", "protocol": "HTTP", "port": port}]}})
}

async fn admin(socket: &Path, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let stream = UnixStream::connect(socket).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let body = http_body_util::Full::new(Bytes::from(body.to_string()));
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .body(body)
        .unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        parts.status.as_u16(),
        serde_json::from_slice(&body).unwrap(),
    )
}

#[tokio::test]
async fn ports_follow_the_gateways() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let gateway = Gateway::start(Options::new(Box::new(std::io::sink()))).unwrap();
    let refused = gateway.apply(gateway_object("a", port)).await.unwrap_err();
    let Rejection::Port { why: error, .. } = refused else {
        panic!("{refused:?}")
    };
    assert!(
        error.starts_with(&format!("127.0.0.1:{port}: ")) && error.contains("os error"),
        "{error}"
    );
    assert!(
        gateway.objects().await.is_empty(),
        "nothing is kept of a refused object"
    );

    drop(taken);
    assert_eq!(
        gateway.apply(gateway_object("a", port)).await.unwrap().0,
        Change::Created
    );
    assert_eq!(
        gateway.apply(gateway_object("a", port)).await.unwrap().0,
        Change::Unchanged
    );
    let second = gateway.apply(gateway_object("b", port)).await.unwrap_err();
    assert!(
        matches!(&second, Rejection::Port { why: e, .. } if e.contains("ns/a") && e.contains("ns/b")),
        "{second:?}"
    );
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(
        call(address, "GET", "/", &[LOCAL], "").await.body,
        "route not found"
    );

    // Gone and back at once: the port is free again as soon as delete returns.
    let id = Id {
        kind: "Gateway".into(),
        namespace: "ns".into(),
        name: "a".into(),
    };
    for _ in 0..5 {
        assert!(gateway.delete(&id).await.unwrap());
        assert!(TcpStream::connect(address).await.is_err());
        gateway.apply(gateway_object("a", port)).await.unwrap();
    }
    assert!(
        !gateway
            .delete(&Id {
                name: "other".into(),
                ..id
            })
            .await
            .unwrap()
    );
    gateway.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_admin_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("gateway.sock");
    let log = Lines::default();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let options = ServeOptions {
        socket: socket.clone(),
        log: Box::new(log.clone()),
        doors: ANY,
        ready: Box::new(move || ready.send(()).unwrap()),
    };
    let server = tokio::spawn(serve(options));
    timeout(SOON, is_ready).await.unwrap().unwrap();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let (status, health) = admin(&socket, "GET", "/healthz", &Value::Null).await;
    assert_eq!(
        (status, &health["pid"], &health["listeners"]),
        (200, &json!(std::process::id()), &json!([]))
    );
    for door in ["ready", "metrics", "configDump"] {
        let url = health["urls"][door].as_str().unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{health}");
    }
    let key = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}, "stringData": {"Authorization": "sk-very-secret"}});
    for change in ["created", "unchanged"] {
        let (status, answer) = admin(&socket, "POST", "/apply", &key).await;
        assert_eq!((status, &answer["change"]), (200, &json!(change)));
    }
    let backend = json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayBackend", "metadata": {"name": "b", "namespace": "ns"},
        "spec": {"ai": {"provider": {"openai": {}}}, "policies": {"auth": {"key": "sk-very-secret"}}}});
    let (_, answer) = admin(&socket, "POST", "/apply", &backend).await;
    assert_eq!(
        answer["object"]["status"]["conditions"][0]["reason"],
        "Accepted"
    );
    let (_, objects) = admin(&socket, "GET", "/objects", &Value::Null).await;
    assert_eq!(objects["objects"].as_array().unwrap().len(), 2);
    assert!(
        !objects.to_string().contains("very-secret")
            && !objects.to_string().contains("c2stdmVyeS1zZWNyZXQ")
    );

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let (status, answer) = admin(&socket, "POST", "/apply", &gateway_object("g", port)).await;
    assert_eq!(status, 409);
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains(&format!("127.0.0.1:{port}"))
    );
    for (path, body, status) in [
        ("/apply", json!({"kind": "Pod"}), 400),
        ("/apply", json!("sk-very-secret"), 400),
        (
            "/delete",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}}),
            200,
        ),
        ("/nothing", Value::Null, 404),
    ] {
        let (got, answer) = admin(&socket, "POST", path, &body).await;
        assert_eq!(got, status, "{path} {answer}");
        assert!(!answer.to_string().contains("very-secret"));
    }
    // A second gateway does not take the socket of a living one.
    let second = ServeOptions {
        socket: socket.clone(),
        log: Box::new(std::io::sink()),
        doors: ANY,
        ready: Box::new(|| ()),
    };
    assert!(
        serve(second)
            .await
            .unwrap_err()
            .to_string()
            .contains("another gateway")
    );

    let (status, _) = admin(&socket, "POST", "/stop", &Value::Null).await;
    assert_eq!(status, 200);
    timeout(SOON, server)
        .await
        .expect("it stops")
        .unwrap()
        .unwrap();
    assert!(!socket.exists());
    assert!(!log.text().contains("very-secret"));
}
