use super::*;
use crate::diagnose::snapshot::tests::{codes, healthy, with};
use serde_json::json;

fn policy(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayPolicy",
        "metadata": {"name": name, "namespace": "kgateway-system"}, "spec": spec,
        "status": {"ancestors": [{"conditions": [
            {"type": "Accepted", "status": "True", "reason": "Valid", "message": "Policy accepted"},
            {"type": "Attached", "status": "True", "reason": "Attached", "message": "Attached to all targets"}]}]}})
}

fn with_policies(specs: &[Value]) -> Snapshot {
    let mut snapshot = healthy();
    for (index, spec) in specs.iter().enumerate() {
        snapshot
            .objects
            .push(policy(&format!("p{index}"), spec.clone()));
    }
    snapshot
}

fn route() -> Value {
    json!([{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "ollama"}])
}

#[test]
fn a_second_limit_is_found_and_one_is_fine() {
    let limits = |list: Value| {
        with_policies(&[json!({"targetRefs": route(), "traffic": {"rateLimit": {"local": list}}})])
    };
    let one = json!({"requests": 1, "unit": "Minutes"});
    assert_eq!(codes(&limits(json!([one]))), Vec::<&str>::new());
    assert_eq!(
        codes(&limits(json!([one, {"tokens": 9, "unit": "Minutes"}]))),
        ["GW014"]
    );
}

#[test]
fn fields_without_effect_are_named() {
    let idle = with_policies(&[
        json!({"targetSelectors": [{"kind": "HTTPRoute", "matchLabels": {}}], "traffic": {}}),
    ]);
    // Selectors leave no status; the policy of the test has one all the same.
    assert_eq!(codes(&idle), ["GW012"]);
    let tcp = with(
        "AgentgatewayBackend",
        "openai",
        json!({"spec": {"policies": {"tcp": {}}}}),
    );
    assert_eq!(codes(&tcp), ["GW012"]);
}

#[test]
fn cors_meets_keys_on_the_same_route_only() {
    let cors = json!({"targetRefs": route(), "traffic": {"cors": {"allowOrigins": ["https://app.example"]}}});
    let keys = |target: &str, mode: &str| {
        json!({"targetRefs": [{"kind": "HTTPRoute", "name": target}],
        "traffic": {"apiKeyAuthentication": {"mode": mode, "secretRef": {"name": "openai-key"}}}})
    };
    assert_eq!(
        codes(&with_policies(&[cors.clone(), keys("ollama", "Strict")])),
        ["GW013"]
    );
    assert_eq!(
        codes(&with_policies(&[cors.clone(), keys("openai", "Strict")])),
        Vec::<&str>::new()
    );
    assert_eq!(
        codes(&with_policies(&[cors, keys("ollama", "Optional")])),
        Vec::<&str>::new()
    );
}

#[test]
fn deny_alone_refuses_everybody_and_with_an_allow_does_not() {
    let rule = |action: &str| json!({"targetRefs": route(), "traffic": {"authorization": {"action": action, "policy": {"matchExpressions": ["true"]}}}});
    assert_eq!(codes(&with_policies(&[rule("Deny")])), ["GW015"]);
    assert_eq!(
        codes(&with_policies(&[rule("Deny"), rule("Allow")])),
        Vec::<&str>::new()
    );
}

#[test]
fn port_443_wants_tls() {
    let at = |policies: Value| {
        with(
            "AgentgatewayBackend",
            "openai",
            json!({"spec": {"ai": {"provider": {"host": "llm.example", "port": 443}}, "policies": policies}}),
        )
    };
    assert_eq!(codes(&at(json!({}))), ["GW018"]);
    assert_eq!(codes(&at(json!({"tls": {}}))), Vec::<&str>::new());
}

#[test]
fn a_line_end_in_a_callers_key_is_found() {
    let keys = json!({"targetRefs": route(), "traffic": {"apiKeyAuthentication": {"secretRef": {"name": "callers"}}}});
    for (word, expected) in [("line end", true), ("empty", true), ("set", false)] {
        let mut snapshot = with_policies(std::slice::from_ref(&keys));
        snapshot.objects.push(json!({"kind": "Secret", "metadata": {"name": "callers", "namespace": "kgateway-system"}, "data": {"a": word}}));
        assert_eq!(codes(&snapshot).contains(&"GW019"), expected, "{word}");
    }
}
