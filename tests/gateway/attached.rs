//! The `backend` section of policies: the nearest level wins, field by field (facts 7.1).

use serde_json::{Value, json};

use crate::support::client::call;
use crate::support::model::{self, Seen};
use crate::world::{LOCAL, PING, start};

fn policy(name: &str, target: Value, backend: Value) -> Value {
    json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayPolicy",
        "metadata": {"name": name, "namespace": "ns"}, "spec": {"targetRefs": [target], "backend": backend}})
}

#[tokio::test]
async fn each_level_fills_what_the_nearer_ones_leave_open() {
    let seen = Seen::default();
    let upstream = model::start(model::recorded, None, seen.clone()).await;
    let (gateway, address, _log) = start(upstream, "").await;
    let gw = "gateway.networking.k8s.io";
    let key = |key: &str| json!({"auth": {"key": key}});
    let inline = json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayBackend",
        "metadata": {"name": "ai", "namespace": "ns"}, "spec": {"ai": {"provider": {"openai": {}, "host": "127.0.0.1",
        "port": upstream.port()}}, "policies": key("inline")}});
    let steps = [
        (
            policy(
                "1",
                json!({"group": gw, "kind": "Gateway", "name": "gw"}),
                json!({"auth": {"key": "gateway"}, "ai": {"modelAliases": {"m": "alias"}}}),
            ),
            "gateway",
        ),
        (
            policy(
                "2",
                json!({"group": gw, "kind": "Gateway", "name": "gw", "sectionName": "http"}),
                key("listener"),
            ),
            "listener",
        ),
        (
            policy(
                "3",
                json!({"group": gw, "kind": "HTTPRoute", "name": "main"}),
                key("route"),
            ),
            "route",
        ),
        (
            policy(
                "4",
                json!({"group": gw, "kind": "HTTPRoute", "name": "main", "sectionName": "ai"}),
                key("rule"),
            ),
            "rule",
        ),
        (
            policy(
                "5",
                json!({"group": "agentgateway.dev", "kind": "AgentgatewayBackend", "name": "ai"}),
                key("backend"),
            ),
            "backend",
        ),
        (inline, "inline"),
    ];
    for (object, expected) in steps {
        gateway.apply(object).await.unwrap();
        let reply = call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
        assert_eq!(reply.status, 200, "{expected} {}", reply.body);
        let request = seen.take().remove(0);
        assert_eq!(
            request["headers"]["authorization"],
            format!("Bearer {expected}")
        );
        assert_eq!(request["body"]["model"], "alias", "{expected}");
    }
    // A static backend gets the route's key, not the rule's.
    call(address, "GET", "/plain/v1/models", &[LOCAL], "").await;
    assert_eq!(
        seen.take().remove(0)["headers"]["authorization"],
        "Bearer route"
    );
}

#[tokio::test]
async fn a_service_is_called_as_a_policy_says() {
    let seen = Seen::default();
    let upstream = model::start(model::recorded, None, seen.clone()).await;
    let more = format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: svc, namespace: ns}}
spec: {{ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: svc-1, namespace: ns, labels: {{kubernetes.io/service-name: svc}}}}
addressType: IPv4
ports: [{{port: {}}}]
endpoints: [{{addresses: ["127.0.0.1"]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: svc, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules: [{{matches: [{{path: {{value: /v1}}}}], backendRefs: [{{name: svc, port: 80}}]}}]
"#,
        upstream.port()
    );
    let (gateway, address, _log) = start(upstream, &more).await;
    let target = json!({"group": "", "kind": "Service", "name": "svc"});
    let object = policy(
        "p",
        target,
        json!({"auth": {"key": "k"}, "http": {"requestTimeout": "200ms"}}),
    );
    gateway.apply(object).await.unwrap();
    assert_eq!(
        call(address, "GET", "/v1/models", &[LOCAL], "")
            .await
            .status,
        200
    );
    assert_eq!(
        seen.take().remove(0)["headers"]["authorization"],
        "Bearer k"
    );
    let slow = r#"{"x": "SLOW"}"#;
    let reply = call(address, "POST", "/v1/models", &[LOCAL], slow).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (504, "upstream call timeout")
    );
}

#[tokio::test]
async fn a_guard_that_can_not_be_set_up_lets_nothing_through() {
    let upstream = model::start(model::recorded, None, Seen::default()).await;
    let (gateway, address, _log) = start(upstream, "").await;
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "main"});
    let guards = json!({"request": [{"webhook": {"backendRef": {"name": "gone", "port": 80}}}]});
    let object = policy("p", target, json!({"ai": {"promptGuard": guards}}));
    let (_, shown) = gateway.apply(object).await.unwrap();
    let conditions = &shown["status"]["ancestors"][0]["conditions"];
    assert_eq!(conditions[0]["reason"], "Invalid", "{shown}");
    assert_eq!(
        conditions[0]["message"],
        "failed to build webhook: unable to find the Service ns/gone"
    );
    let reply = call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
    assert_eq!(reply.status, 500);
    assert_eq!(
        call(address, "GET", "/plain/v1/models", &[LOCAL], "")
            .await
            .status,
        200
    );
}
