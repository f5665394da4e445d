//! What is refused, and in which words.

use tokio::net::TcpListener;

use crate::support::client::call;
use crate::world::{LOCAL, PING, recorded, start};

const CSRF: &str = r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {name: csrf, namespace: ns}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}]
  traffic: {csrf: {}}
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {name: rule, namespace: ns}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main, sectionName: ai}]
  traffic: {csrf: {additionalOrigins: ["https://app.example"]}}
"#;

#[tokio::test]
async fn names_that_are_not_ours_are_refused() {
    let (upstream, seen) = recorded().await;
    let (_gateway, address, log) = start(upstream, "").await;
    for host in [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
    ] {
        let reply = call(address, "GET", "/plain/v1/models", &[("host", host)], "").await;
        assert_eq!(reply.status, 421, "{host}");
        assert!(
            reply.body.starts_with("this gateway answers to localhost"),
            "{}",
            reply.body
        );
    }
    assert!(seen.take().is_empty());
    log.find("http.status=421").await;
    for host in [
        "localhost",
        "a.localhost:1",
        "127.0.0.1:8080",
        "[::1]:8080",
        "10.1.2.3",
    ] {
        let reply = call(address, "GET", "/plain/v1/models", &[("host", host)], "").await;
        assert_eq!(reply.status, 200, "{host}");
    }
}

#[tokio::test]
async fn other_sites_are_refused_and_the_nearest_policy_decides() {
    let (upstream, seen) = recorded().await;
    let (_gateway, address, log) = start(upstream, CSRF).await;
    let table = [
        ("/ai/v1/chat/completions", None, 200),
        (
            "/ai/v1/chat/completions",
            Some(("sec-fetch-site", "cross-site")),
            403,
        ),
        (
            "/ai/v1/chat/completions",
            Some(("origin", "https://app.example")),
            200,
        ),
        (
            "/plain/v1/chat/completions",
            Some(("origin", "https://app.example")),
            403,
        ),
        (
            "/plain/v1/chat/completions",
            Some(("origin", "http://localhost:8080")),
            200,
        ),
    ];
    for (path, header, status) in table {
        seen.take();
        let headers: Vec<_> = [LOCAL].into_iter().chain(header).collect();
        let reply = call(address, "POST", path, &headers, PING).await;
        assert_eq!(reply.status, status, "{path} {header:?}");
        if status == 403 {
            assert_eq!(reply.body, "CSRF validation failed");
            assert!(seen.take().is_empty());
        }
    }
    log.find("error=\"CSRF validation failed\" reason=CSRF")
        .await;
}

#[tokio::test]
async fn limits_on_bodies_and_heads() {
    let (upstream, seen) = recorded().await;
    let (_gateway, address, _log) = start(upstream, "").await;
    let prompt = |size: usize| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#,
            "x".repeat(size)
        )
    };
    let fits = call(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &[LOCAL],
        prompt(2_000_000),
    )
    .await;
    assert_eq!(fits.status, 200);
    let large = call(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &[LOCAL],
        prompt(2 << 20),
    )
    .await;
    assert_eq!(
        (large.status, large.body.as_str()),
        (503, "processing failed: request was too large")
    );
    assert_eq!(seen.take().len(), 1);
    let long = "x".repeat(200_000);
    let head = call(
        address,
        "GET",
        "/plain/v1/models",
        &[LOCAL, ("x-long", &long)],
        "",
    )
    .await;
    assert_eq!(head.status, 431);
}

#[tokio::test]
async fn timeouts_have_the_real_proxys_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (upstream, _) = recorded().await;
    let route = |name: &str, timeouts: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: ns}}\nspec:\n  parentRefs: [{{name: gw}}]\n  rules: [{{matches: [{{path: {{value: /{name}}}}}], timeouts: {timeouts}, backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: mute}}]}}]\n---\n"
        )
    };
    let more = format!(
        "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayBackend\nmetadata: {{name: mute, namespace: ns}}\nspec: {{static: {{host: 127.0.0.1, port: {}}}}}\n---\n{}{}",
        listener.local_addr().unwrap().port(),
        route("whole", "{request: 50ms}"),
        route("backend", "{backendRequest: 50ms}")
    );
    let (_gateway, address, _log) = start(upstream, &more).await;
    for (path, expected) in [
        ("/whole", "request timeout"),
        ("/backend", "upstream call timeout"),
    ] {
        let reply = call(address, "GET", path, &[LOCAL], "").await;
        assert_eq!((reply.status, reply.body.as_str()), (504, expected));
    }
}

#[tokio::test]
async fn routes_whose_access_control_is_missing_fail_closed() {
    let (upstream, seen) = recorded().await;
    let policy = "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayPolicy\nmetadata: {name: keys, namespace: ns}\nspec:\n  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main}]\n  traffic: {apiKeyAuthentication: {secretRef: {name: s}}}\n";
    let (_gateway, address, _log) = start(upstream, policy).await;
    let reply = call(address, "GET", "/plain/v1/models", &[LOCAL], "").await;
    assert_eq!(reply.status, 500);
    assert!(
        reply.body.contains("API Key secret s not found"),
        "{}",
        reply.body
    );
    assert!(seen.take().is_empty());
}
