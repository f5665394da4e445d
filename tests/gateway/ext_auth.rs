//! `traffic.extAuth` with real servers behind it, over gRPC and over HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{
    Authorization, AuthorizationServer,
};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{self, Struct};
use envoy_types::pb::google::rpc::Status as RpcStatus;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::support::client::call;
use crate::support::model::{self, Said, Seen};
use crate::world::{LOCAL, SOON, recorded, start};

/// A server that decides by the header `x-ext-authz`.
#[derive(Clone, Default)]
struct Gatekeeper(Arc<Mutex<Vec<CheckRequest>>>);

fn option(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_string(),
            value: value.to_string(),
            raw_value: Vec::new(),
        }),
        ..HeaderValueOption::default()
    }
}

fn team() -> Struct {
    let blue = protobuf::Value {
        kind: Some(Kind::StringValue("blue".to_string())),
    };
    Struct {
        fields: [("team".to_string(), blue)].into(),
    }
}

#[tonic::async_trait]
impl Authorization for Gatekeeper {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        let attributes = request.attributes.as_ref().unwrap();
        let http = attributes.request.as_ref().unwrap().http.as_ref().unwrap();
        let asked = http.headers.get("x-ext-authz").map_or("", String::as_str);
        let (code, response) = match asked {
            "allow" => (
                0,
                Some(HttpResponse::OkResponse(OkHttpResponse {
                    headers: vec![
                        option("x-ext-authz-check-result", "allowed"),
                        option("host", "evil.example"),
                    ],
                    headers_to_remove: vec!["x-secret".to_string()],
                    response_headers_to_add: vec![option("x-checked", "yes")],
                    ..OkHttpResponse::default()
                })),
            ),
            "deny" => (
                7,
                Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
                    status: Some(HttpStatus { code: 401 }),
                    headers: vec![option("x-why", "because")],
                    body: "go away".to_string(),
                })),
            ),
            "hang" => {
                std::future::pending::<()>().await;
                (0, None)
            }
            "break" => return Err(Status::internal("no")),
            _ => (7, None),
        };
        self.0.lock().unwrap().push(request);
        Ok(Response::new(CheckResponse {
            status: Some(RpcStatus {
                code,
                ..RpcStatus::default()
            }),
            http_response: response,
            dynamic_metadata: Some(team()),
        }))
    }
}

async fn gatekeeper() -> (SocketAddr, Gatekeeper) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gatekeeper = Gatekeeper::default();
    let service = AuthorizationServer::new(gatekeeper.clone());
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, gatekeeper)
}

/// A policy on the route, its server behind an AgentgatewayBackend.
fn policy(address: SocketAddr, ext_auth: &str) -> String {
    let port = address.port();
    format!(
        r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: gatekeeper, namespace: ns}}
spec: {{static: {{host: 127.0.0.1, port: {port}}}}}
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {{name: p, namespace: ns}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main}}]
  traffic:
    extAuth:
      backendRef: {{group: agentgateway.dev, kind: AgentgatewayBackend, name: gatekeeper}}
      {ext_auth}
"#
    )
}

#[tokio::test]
async fn a_grpc_server_lets_pass_denies_and_fails_closed() {
    let (upstream, seen) = recorded().await;
    let (address, _) = gatekeeper().await;
    let (_gateway, gateway, log) = start(upstream, &policy(address, "grpc: {}")).await;
    let secret = ("x-secret", "1");
    let allow = ("x-ext-authz", "allow");
    let passed = call(
        gateway,
        "GET",
        "/plain/v1/models",
        &[LOCAL, secret, allow],
        "",
    )
    .await;
    assert_eq!(
        (passed.status, passed.headers["x-checked"].as_str()),
        (200, "yes")
    );
    let headers = &seen.take()[0]["headers"];
    assert_eq!(headers["x-ext-authz-check-result"], "allowed");
    assert_eq!(headers["host"], "localhost:8080");
    assert_eq!(headers.get("x-secret"), None);
    let failed = "external authorization failed";
    for (asked, status, body) in [
        ("deny", 401, "go away"),
        ("", 403, failed),
        ("break", 403, failed),
        ("hang", 403, failed),
    ] {
        let asked = [LOCAL, ("x-ext-authz", asked)];
        let reply = call(gateway, "GET", "/plain/v1/models", &asked, "");
        let reply = timeout(SOON, reply).await.unwrap();
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (status, body),
            "{asked:?}"
        );
        assert_eq!(reply.headers.contains_key("x-why"), status == 401);
    }
    assert_eq!(seen.take().len(), 0);
    log.find("reason=ExtAuth").await;
}

#[tokio::test]
async fn a_grpc_server_is_told_who_asks_for_what() {
    let (upstream, seen) = recorded().await;
    let (address, gatekeeper) = gatekeeper().await;
    let forwarding = "{grpc: {contextExtensions: {team: blue}}, forwardBody: {maxSize: 4}}";
    let forwarding = forwarding
        .trim_matches(['{', '}'])
        .replace("}, forwardBody", "}\n      forwardBody")
        + "}";
    let (_gateway, gateway, _log) = start(upstream, &policy(address, &forwarding)).await;
    let allow = ("x-ext-authz", "allow");
    for (body, sent, size) in [(r#"{"a":1}"#, r#"{"a""#, -1), ("{}", "{}", 2)] {
        let reply = call(
            gateway,
            "POST",
            "/plain/v1/models?q=1",
            &[LOCAL, allow],
            body,
        )
        .await;
        assert_eq!(reply.status, 200);
        // The upstream gets all of it.
        assert_eq!(seen.take()[0]["body"].to_string(), body);
        let request = gatekeeper.0.lock().unwrap().pop().unwrap();
        let attributes = request.attributes.unwrap();
        assert_eq!(attributes.context_extensions["team"], "blue");
        assert!(attributes.source.is_some());
        let http = attributes.request.unwrap().http.unwrap();
        assert_eq!((http.body.as_str(), http.size), (sent, size));
        assert_eq!(
            (http.method.as_str(), http.path.as_str(), http.host.as_str()),
            ("POST", "/plain/v1/models?q=1", "localhost")
        );
        assert_eq!(http.protocol, "HTTP/1.1");
    }
}

#[tokio::test]
async fn an_http_server_lets_pass_or_gives_the_answer() {
    fn decides(path: &str, headers: &http::HeaderMap, _: &serde_json::Value) -> Said {
        match headers
            .get("authorization")
            .map(http::HeaderValue::as_bytes)
        {
            Some(b"Bearer good") => Said::Json(200, json!({})),
            _ => Said::Text(402, "text/html", format!("pay for {path}")),
        }
    }
    let seen = Seen::default();
    let server = model::start(decides, None, seen.clone()).await;
    let (upstream, behind) = recorded().await;
    let http = "http: {allowedResponseHeaders: [content-type]}";
    let (_gateway, gateway, _log) = start(upstream, &policy(server, http)).await;
    let path = "/plain/v1/models?q=1";
    let denied = call(gateway, "POST", path, &[LOCAL, ("x-other", "1")], "{}").await;
    assert_eq!(
        (denied.status, denied.body.as_str()),
        (402, "pay for /plain/v1/models")
    );
    assert_eq!(denied.headers["content-type"], "text/html");
    let asked = &seen.take()[0];
    assert_eq!(
        (&asked["method"], &asked["path"]),
        (&json!("POST"), &json!("/plain/v1/models"))
    );
    // Only what may be sent is sent, and the body stays here.
    assert_eq!(asked["headers"].get("x-other"), None);
    assert_eq!(asked["body"], json!(null));
    let good = [
        LOCAL,
        ("authorization", "Bearer good"),
        ("content-type", "text/plain"),
    ];
    let passed = call(gateway, "POST", path, &good, "{}").await;
    assert_eq!(passed.status, 200);
    let behind = &behind.take()[0];
    assert_eq!(behind["headers"]["content-type"], "application/json");
    assert_eq!(behind["body"], json!({}));
}

#[tokio::test]
async fn a_server_that_is_not_there_closes_the_route() {
    let (upstream, seen) = recorded().await;
    let down = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let missing = policy(down, "grpc: {}").replace("name: gatekeeper}\n", "name: nobody}\n");
    for more in [policy(down, "grpc: {}"), policy(down, "http: {}"), missing] {
        let (gateway, address, _log) = start(upstream, &more).await;
        let reply = call(address, "GET", "/plain/v1/models", &[LOCAL], "").await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (403, "external authorization failed")
        );
        if more.contains("nobody") {
            let objects = gateway.objects().await;
            let policy = objects.iter().find(|o| o["kind"] == "AgentgatewayPolicy");
            let state = &policy.unwrap()["status"]["ancestors"][0]["conditions"][0];
            assert_eq!(state["reason"], "PartiallyValid");
            assert_eq!(
                state["message"],
                "failed to build extAuth: unable to find the Backend ns/nobody"
            );
        }
    }
    assert_eq!(seen.take().len(), 0);
}

#[tokio::test]
async fn expressions_say_what_is_asked_and_where_the_refused_are_sent() {
    fn refuses(_: &str, _: &http::HeaderMap, _: &serde_json::Value) -> Said {
        Said::Empty(401)
    }
    let seen = Seen::default();
    let server = model::start(refuses, None, seen.clone()).await;
    let (upstream, _) = recorded().await;
    let http = r#"http: {path: '"/check" + request.path', redirect: '"https://login.example/?to=" + request.path', addRequestHeaders: {x-asked: request.method, x-none: 'jwt.sub'}, allowedRequestHeaders: [x-none]}"#;
    let (_gateway, gateway, _log) = start(upstream, &policy(server, http)).await;
    let asked = [LOCAL, ("x-none", "forged")];
    let reply = call(gateway, "GET", "/plain/x", &asked, "").await;
    assert_eq!(
        (reply.status, reply.headers["location"].as_str()),
        (302, "https://login.example/?to=/plain/x")
    );
    let asked = &seen.take()[0];
    assert_eq!(asked["path"], "/check/plain/x");
    assert_eq!(asked["headers"]["x-asked"], "GET");
    // What has no value is not the client's to say.
    assert_eq!(asked["headers"].get("x-none"), None);
}

#[tokio::test]
async fn metadata_is_what_expressions_say() {
    let (upstream, _) = recorded().await;
    let (address, gatekeeper) = gatekeeper().await;
    let grpc = r#"grpc: {requestMetadata: {demo: '{"path": request.path}', wrong: request.path}}"#;
    let (_gateway, gateway, _log) = start(upstream, &policy(address, grpc)).await;
    let allow = ("x-ext-authz", "allow");
    let reply = call(gateway, "GET", "/plain/v1/models", &[LOCAL, allow], "").await;
    assert_eq!(reply.status, 200);
    let request = gatekeeper.0.lock().unwrap().pop().unwrap();
    let metadata = request.attributes.unwrap().metadata_context.unwrap();
    assert_eq!(metadata.filter_metadata.len(), 1);
    let path = metadata.filter_metadata["demo"].fields["path"].kind.clone();
    assert_eq!(
        path,
        Some(Kind::StringValue("/plain/v1/models".to_string()))
    );
}

/// A header of the request that says what the server has said of it.
const SAID: &str = r#"
    transformation: {request: {set: [{name: x-said, value: 'default(extauthz.team, "?") + default(extauthz.role, "?") + string(default(extauthz.code, 0))'}]}}
"#;

#[tokio::test]
async fn what_a_server_says_of_a_request_is_known_to_later_expressions() {
    fn tells(_: &str, _: &http::HeaderMap, _: &serde_json::Value) -> Said {
        Said::Json(200, json!({"role": "admin"}))
    }
    let http = model::start(tells, None, Seen::default()).await;
    let (grpc, _) = gatekeeper().await;
    let (upstream, seen) = recorded().await;
    let metadata = "http: {responseMetadata: {role: json(response.body).role, code: response.code, none: response.nothing}}";
    for (server, protocol, said) in [(http, metadata, "?admin200"), (grpc, "grpc: {}", "blue?0")] {
        let objects = policy(server, protocol) + SAID;
        let (_gateway, gateway, _log) = start(upstream, &objects).await;
        let asked = [LOCAL, ("x-ext-authz", "allow")];
        let reply = call(gateway, "GET", "/plain/v1/models", &asked, "").await;
        assert_eq!(reply.status, 200, "{protocol}");
        assert_eq!(seen.take()[0]["headers"]["x-said"], said, "{protocol}");
    }
}

#[tokio::test]
async fn before_routing_a_server_decides_before_there_is_a_route() {
    let (address, _) = gatekeeper().await;
    let (upstream, seen) = recorded().await;
    let before = policy(address, "grpc: {}")
        .replace("kind: HTTPRoute, name: main", "kind: Gateway, name: gw")
        .replace("  traffic:\n", "  traffic:\n    phase: PreRouting\n");
    let (_gateway, gateway, _log) = start(upstream, &before).await;
    for (path, asked, status, body) in [
        ("/nowhere", "deny", 401, "go away"),
        ("/nowhere", "allow", 404, "route not found"),
        ("/plain/v1/models", "deny", 401, "go away"),
    ] {
        let asked = [LOCAL, ("x-ext-authz", asked)];
        let reply = call(gateway, "GET", path, &asked, "").await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (status, body),
            "{path}"
        );
    }
    let asked = [LOCAL, ("x-ext-authz", "allow")];
    let reply = call(gateway, "GET", "/plain/v1/models", &asked, "").await;
    assert_eq!(
        (reply.status, reply.headers["x-checked"].as_str()),
        (200, "yes")
    );
    let seen = seen.take();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["headers"]["x-ext-authz-check-result"], "allowed");
}
