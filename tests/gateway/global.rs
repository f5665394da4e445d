//! `traffic.rateLimit.global` with a real gRPC server behind it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::support::client::call;
use crate::world::{LOCAL, PING, SOON, STREAM, recorded, start};

/// A limiter that lets each descriptor through once.
#[derive(Clone, Default)]
struct Once(Arc<Mutex<HashMap<String, usize>>>);

#[tonic::async_trait]
impl RateLimitService for Once {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let request = request.into_inner();
        let key = request.descriptors.iter().flat_map(|d| &d.entries);
        let key: Vec<String> = key.map(|e| format!("{}={}", e.key, e.value)).collect();
        let key = format!("{}: {}", request.domain, key.join(" "));
        let mut seen = self.0.lock().unwrap();
        let count = seen.entry(key).or_default();
        *count += 1;
        let code = match *count {
            1 => Code::Ok,
            _ => Code::OverLimit,
        };
        let header = |name: &str| HeaderValue {
            key: name.to_string(),
            value: count.to_string(),
            raw_value: Vec::new(),
        };
        Ok(Response::new(RateLimitResponse {
            overall_code: code.into(),
            response_headers_to_add: vec![header("x-count")],
            request_headers_to_add: vec![header("x-counted")],
            raw_body: b"enough".to_vec(),
            ..RateLimitResponse::default()
        }))
    }
}

fn policy(address: SocketAddr, descriptors: &str) -> String {
    let port = address.port();
    format!(
        r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: limiter, namespace: ns}}
spec: {{static: {{host: 127.0.0.1, port: {port}}}}}
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {{name: p, namespace: ns}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main}}]
  traffic:
    rateLimit:
      global:
        backendRef: {{group: agentgateway.dev, kind: AgentgatewayBackend, name: limiter}}
        domain: demo
        descriptors: {descriptors}
"#
    )
}

#[tokio::test]
async fn a_limiter_counts_by_what_expressions_say() {
    let (upstream, seen) = recorded().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let once = Once::default();
    let service = RateLimitServiceServer::new(once.clone());
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let descriptors = r#"[{entries: [{name: path, expression: request.path}, {name: user, expression: 'request.headers["x-user-id"]'}]}]"#;
    let (_gateway, gateway, _log) = start(upstream, &policy(address, descriptors)).await;
    let user = |name| [LOCAL, ("x-user-id", name)];
    let first = call(gateway, "GET", "/plain/v1/models", &user("a"), "").await;
    assert_eq!(
        (first.status, first.headers["x-count"].as_str()),
        (200, "1")
    );
    assert_eq!(seen.take()[0]["headers"]["x-counted"], "1");
    let second = call(gateway, "GET", "/plain/v1/models", &user("a"), "").await;
    assert_eq!((second.status, second.body.as_str()), (429, "enough"));
    assert_eq!(second.headers["x-count"], "2");
    assert_eq!(
        call(gateway, "GET", "/plain/v1/models", &user("b"), "")
            .await
            .status,
        200
    );
    // What has no value is not counted, and nobody is asked.
    for _ in 0..2 {
        assert_eq!(
            call(gateway, "GET", "/plain/v1/models", &[LOCAL], "")
                .await
                .status,
            200
        );
    }
    let keys: Vec<_> = once.0.lock().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(
        keys.contains(&"demo: path=/plain/v1/models user=a".to_string()),
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_limiter_that_is_down_lets_nobody_through() {
    let (upstream, seen) = recorded().await;
    let down = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let descriptors = "[{entries: [{name: path, expression: request.path}]}]";
    let (_gateway, gateway, log) = start(upstream, &policy(down, descriptors)).await;
    let reply = call(gateway, "GET", "/plain/v1/models", &[LOCAL], "").await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (429, "rate limit failed")
    );
    assert_eq!(seen.take().len(), 0);
    log.find("reason=RateLimit").await;
}

/// A limiter that lets a key pass until this many tokens were taken from it.
#[derive(Clone, Default)]
struct Purse(Arc<Mutex<HashMap<String, u64>>>);

const TOKENS: u64 = 20;

#[tonic::async_trait]
impl RateLimitService for Purse {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let request = request.into_inner();
        let [descriptor] = &request.descriptors[..] else {
            return Err(Status::invalid_argument("one descriptor"));
        };
        let key = descriptor.entries[0].value.clone();
        let mut taken = self.0.lock().unwrap();
        let taken = taken.entry(key).or_default();
        *taken += descriptor.hits_addend.map_or(1, |amount| amount.value);
        let code = match *taken < TOKENS {
            true => Code::Ok,
            false => Code::OverLimit,
        };
        Ok(Response::new(RateLimitResponse {
            overall_code: code.into(),
            raw_body: b"no tokens left".to_vec(),
            ..RateLimitResponse::default()
        }))
    }
}

#[tokio::test]
async fn a_limiter_is_told_what_answers_cost_and_a_question_costs_nothing() {
    let (upstream, _) = recorded().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let purse = Purse::default();
    let service = RateLimitServiceServer::new(purse.clone());
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let descriptors =
        r#"[{unit: Tokens, entries: [{name: user, expression: 'request.headers["x-user-id"]'}]}]"#;
    let (_gateway, gateway, _log) = start(upstream, &policy(address, descriptors)).await;
    let ask = async |user: &str, body: &'static str| {
        let headers = [LOCAL, ("x-user-id", user)];
        let reply = call(gateway, "POST", "/ai/v1/chat/completions", &headers, body).await;
        (reply.status, reply.body)
    };
    let taken = async |user: &str, wanted: u64| {
        let wait = async {
            while purse.0.lock().unwrap().get(user) != Some(&wanted) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(SOON, wait).await;
        waited.unwrap_or_else(|_| panic!("{wanted}: {:?}", purse.0.lock().unwrap()));
    };
    // Each answer of the recordings' model costs 13 tokens, whole or streamed.
    for (user, body) in [("a", PING), ("b", STREAM)] {
        assert_eq!(ask(user, body).await.0, 200);
        taken(user, 13).await;
        assert_eq!(ask(user, body).await.0, 200);
        taken(user, 26).await;
        assert_eq!(ask(user, body).await, (429, "no tokens left".to_string()));
    }
    // Whatever is no model's costs nothing, and is not asked about.
    let headers = [LOCAL, ("x-user-id", "c")];
    let reply = call(gateway, "GET", "/plain/v1/models", &headers, "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(purse.0.lock().unwrap().get("c"), None);
}
