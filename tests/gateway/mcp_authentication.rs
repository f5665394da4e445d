//! `mcp.authentication`: who may use MCP servers, and how a client finds its way to a token (facts 9.8,
//! 10; agentgateway's mcp/auth.rs).

use std::net::SocketAddr;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::support::client::{Reply, call};
use crate::support::mcp::{Server, fast};
use crate::support::model::{self, Said, Seen};
use crate::support::token::{JWKS, bearer};
use crate::world::{LOCAL, start};

/// An issuer: its keys, its metadata, and a place to register.
fn issuer(path: &str, _: &HeaderMap, body: &Value) -> Said {
    match path {
        "/keys" => Said::Json(200, serde_json::from_str(JWKS).unwrap()),
        "/tenant/.well-known/oauth-authorization-server" => Said::Json(
            200,
            json!({"issuer": "i", "authorization_endpoint": "http://i/authorize", "registration_endpoint": "http://i/register"}),
        ),
        "/tenant/clients-registrations/openid-connect" => {
            Said::Json(201, json!({"client_id": "c", "asked": body}))
        }
        _ => Said::Empty(404),
    }
}

/// An MCP backend on the routes `/mcp` and `/.well-known`, and what is asked of its clients.
async fn objects(server: SocketAddr, issuer: SocketAddr, name: &str, more: &str) -> String {
    format!(
        r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: issuer, namespace: ns}}
spec: {{static: {{host: 127.0.0.1, port: {}}}}}
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: m, namespace: ns}}
spec: {{mcp: {{targets: [{{name: alpha, static: {{host: 127.0.0.1, port: {}, protocol: StreamableHTTP}}}}]}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: m, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules:
  - matches: [{{path: {{value: /mcp}}}}, {{path: {{value: /.well-known}}}}]
    backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: m}}]
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {{name: who, namespace: ns}}
spec:
  targetRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: m}}]
  backend:
    mcp:
      authentication:
        issuer: {name}
        audiences: [gw]
        jwks: {{backendRef: {{group: agentgateway.dev, kind: AgentgatewayBackend, name: issuer}}, jwksPath: /keys}}
        {more}
"#,
        issuer.port(),
        server.port(),
    )
}

async fn initialize(address: SocketAddr, authorization: Option<&str>) -> Reply {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
        "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}});
    let mut headers = vec![
        LOCAL,
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    headers.extend(authorization.map(|value| ("authorization", value)));
    call(address, "POST", "/mcp", &headers, message.to_string()).await
}

const ISSUER: &str = "https://issuer.example";

#[tokio::test]
async fn only_a_good_token_gets_in_and_the_others_are_told_where_to_get_one() {
    let server = Server::start(fast("alpha")).await;
    let keys = model::start(issuer, None, Seen::default()).await;
    let text = objects(server.address, keys, ISSUER, "mode: Strict").await;
    let (_gateway, address, log) = start(([127, 0, 0, 1], 1).into(), &text).await;
    let other = bearer(json!({"aud": "somebody"}));
    for authorization in [None, Some("Bearer nonsense"), Some(other.as_str())] {
        let reply = initialize(address, authorization).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (
                401,
                r#"{"error":"unauthorized","error_description":"JWT token required"}"#
            ),
            "{authorization:?}"
        );
        assert_eq!(
            reply.headers["www-authenticate"],
            "Bearer resource_metadata=\"http://localhost:8080/.well-known/oauth-protected-resource/mcp\""
        );
        assert_eq!(reply.headers["content-type"], "application/json");
    }
    assert_eq!(server.sessions().len(), 0);
    let good = bearer(json!({"aud": "gw", "sub": "ann"}));
    let reply = initialize(address, Some(&good)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    // The token was for this gateway.
    assert_eq!(server.seen()[0]["headers"].get("authorization"), None);
    log.find("reason=JwtAuth").await;
}

#[tokio::test]
async fn modes_let_pass_whom_they_say() {
    let server = Server::start(fast("alpha")).await;
    let keys = model::start(issuer, None, Seen::default()).await;
    // Without a mode, v2.2 takes Optional.
    for (mode, none, bad) in [
        ("", 200, 401),
        ("mode: Optional", 200, 401),
        ("mode: Permissive", 200, 200),
    ] {
        let text = objects(server.address, keys, ISSUER, mode).await;
        let (_gateway, address, _log) = start(([127, 0, 0, 1], 1).into(), &text).await;
        assert_eq!(initialize(address, None).await.status, none, "{mode}");
        assert_eq!(
            initialize(address, Some("Bearer x")).await.status,
            bad,
            "{mode}"
        );
    }
}

#[tokio::test]
async fn the_way_to_a_token_is_told_without_one() {
    let server = Server::start(fast("alpha")).await;
    let seen = Seen::default();
    let keys = model::start(issuer, None, seen.clone()).await;
    let name = format!("http://{keys}/tenant");
    let more =
        "mode: Strict\n        resourceMetadata: {scopesSupported: [read], resource_name: tools}";
    let text = objects(server.address, keys, &name, more).await;
    let (_gateway, address, _log) = start(([127, 0, 0, 1], 1).into(), &text).await;
    let get = async |path: &str| call(address, "GET", path, &[LOCAL], "").await;

    let told = get("/.well-known/oauth-protected-resource/mcp").await;
    let expected = json!({"resource": "http://localhost:8080/mcp", "authorization_servers": [name],
        "mcp_protocol_version": "2025-06-18", "resource_type": "mcp-server",
        "resource_name": "tools", "scopes_supported": ["read"]});
    assert_eq!(told.status, 200);
    assert_eq!(serde_json::from_str::<Value>(&told.body).unwrap(), expected);
    assert_eq!(told.headers["access-control-allow-origin"], "*");

    let told = get("/.well-known/oauth-authorization-server/mcp").await;
    let told: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(told["registration_endpoint"], "http://i/register");

    let path = "/.well-known/oauth-authorization-server/mcp/client-registration";
    let asked = json!({"redirect_uris": ["http://localhost/cb"]});
    let registered = call(address, "POST", path, &[LOCAL], asked.to_string()).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let told: Value = serde_json::from_str(&registered.body).unwrap();
    assert_eq!(told, json!({"client_id": "c", "asked": asked}));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn an_issuer_that_can_not_be_asked_is_a_failure_of_ours() {
    let server = Server::start(fast("alpha")).await;
    let keys = model::start(issuer, None, Seen::default()).await;
    for name in [format!("http://{keys}/gone"), "no address".to_string()] {
        let text = objects(server.address, keys, &name, "").await;
        let (_gateway, address, _log) = start(([127, 0, 0, 1], 1).into(), &text).await;
        let path = "/.well-known/oauth-authorization-server/mcp";
        let reply = call(address, "GET", path, &[LOCAL], "").await;
        assert_eq!((reply.status, reply.body.as_str()), (500, ""), "{name}");
    }
}
