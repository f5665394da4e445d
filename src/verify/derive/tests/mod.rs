use super::super::installed::tests::{gateway, installed, policy, route};
use super::*;
use serde_json::json;

fn llm(spec: Value) -> Value {
    json!({"kind": "AgentgatewayBackend", "metadata": {"name": "b", "namespace": "n"}, "spec": spec})
}

fn derived(objects: Vec<Value>) -> Derived {
    let there = installed(objects);
    let sources = Sources {
        installed: &there,
        planned: &[],
        nonce: "0",
    };
    derive(&sources, false)
}

fn to_b(path: &str) -> Value {
    json!([{"matches": [{"path": {"value": path}}], "backendRefs": [{"kind": "AgentgatewayBackend", "name": "b"}]}])
}

fn ids(derived: &Derived) -> Vec<&str> {
    derived.cases.iter().map(|case| case.id.as_str()).collect()
}

#[test]
fn every_api_of_a_backend_is_asked_whole_and_as_a_stream() {
    let routes = json!({"/v1/chat/completions": "Completions", "/v1/messages": "Messages", "/v1/messages/count_tokens": "AnthropicTokenCount", "/v1/models": "Passthrough"});
    let spec = json!({"ai": {"provider": {"anthropic": {"model": "claude-haiku-4-5"}}}, "policies": {"ai": {"routes": routes}}});
    let derived = derived(vec![gateway(), llm(spec), route("r", to_b("/r"))]);
    assert_eq!(
        ids(&derived),
        [
            "route.r",
            "route.r.stream",
            "route.r.messages",
            "route.r.messages.stream",
            "route.r.token-count",
            "route.r.get"
        ]
    );
    assert_eq!(derived.cases[2].ask.path, "/r/v1/messages");
}

#[test]
fn a_limited_route_is_asked_through_a_copy_with_a_bucket_of_its_own() {
    let limit = json!({"rateLimit": {"local": [{"requests": 5, "unit": "Minutes"}, {"tokens": 9, "unit": "Hours"}]}});
    let spec = json!({"ai": {"provider": {"openai": {"model": "m"}}}});
    let target = json!({"kind": "HTTPRoute", "name": "r"});
    let derived = derived(vec![
        gateway(),
        llm(spec),
        route("r", to_b("/r")),
        policy("five", target, limit),
    ]);
    assert!(
        derived.cases.iter().all(|case| case.copy.is_some()),
        "{:?}",
        ids(&derived)
    );
    assert!(
        ids(&derived).contains(&"policy.five.limit.0")
            && ids(&derived).contains(&"policy.five.limit.1")
    );
    let small = |place: usize| {
        let copy = derived
            .copies
            .iter()
            .find(|copy| copy.name.contains(&format!("limit{place}")))
            .unwrap();
        copy.objects[0]["spec"]["traffic"]["rateLimit"]["local"].clone()
    };
    assert_eq!(small(0)[0], json!({"requests": 1, "unit": "Hours"}));
    assert_eq!(small(1)[0], json!({"requests": 1_000_000, "unit": "Hours"}));
    assert_eq!(small(1)[1], json!({"tokens": 1, "unit": "Hours"}));
    let wide = derived
        .copies
        .iter()
        .find(|copy| copy.name.contains("wide"))
        .unwrap();
    let last = wide.objects.last().unwrap();
    assert_eq!(last["kind"], "HTTPRoute");
    assert_eq!(last["spec"]["rules"][0]["backendRefs"][0]["name"], "b");
    assert_eq!(
        last["metadata"]["labels"]["gatewright.dev/environment"],
        "e"
    );
}

#[test]
fn a_limit_of_the_gateway_is_put_out_of_the_way_of_its_copies() {
    let limit = json!({"rateLimit": {"local": [{"requests": 5, "unit": "Minutes"}]}, "csrf": {}});
    let spec = json!({"ai": {"provider": {"openai": {"model": "m"}}}});
    let target = json!({"kind": "Gateway", "name": "gw"});
    let derived = derived(vec![
        gateway(),
        llm(spec),
        route("r", to_b("/r")),
        policy("all", target, limit),
    ]);
    let wide = derived
        .copies
        .iter()
        .find(|copy| copy.name.contains("wide"))
        .unwrap();
    let traffic = &wide.objects[0]["spec"]["traffic"];
    assert_eq!(traffic["rateLimit"]["local"][0]["requests"], 1_000_000);
    assert!(traffic["csrf"].is_null());
}

#[test]
fn who_asks_for_keys_gets_cases_without_and_with_a_wrong_one() {
    let spec = json!({"ai": {"provider": {"openai": {"model": "m"}}}});
    let keys =
        |mode: &str| json!({"apiKeyAuthentication": {"mode": mode, "secretRef": {"name": "s"}}});
    let target = json!({"kind": "HTTPRoute", "name": "r"});
    for (mode, refusals) in [
        ("Strict", vec!["route.r.no-key", "route.r.wrong-key"]),
        ("Optional", vec!["route.r.wrong-key"]),
    ] {
        let derived = derived(vec![
            gateway(),
            llm(spec.clone()),
            route("r", to_b("/r")),
            policy("p", target.clone(), keys(mode)),
        ]);
        let found: Vec<&str> = ids(&derived)
            .into_iter()
            .filter(|id| id.ends_with("key"))
            .collect();
        assert_eq!(found, refusals);
    }
}

#[test]
fn guards_are_tried_with_what_they_reject_and_told_by_their_own_words() {
    let guard = json!({"request": [{"regex": {"action": "Reject", "matches": ["hunter[0-9]"]}, "response": {"message": "no", "statusCode": 422}}]});
    let spec = json!({"ai": {"provider": {"openai": {"model": "m"}}}, "policies": {"ai": {"promptGuard": guard}}});
    let derived = derived(vec![gateway(), llm(spec), route("r", to_b("/r"))]);
    let case = derived
        .cases
        .iter()
        .find(|case| case.id == "route.r.guard.0.0")
        .unwrap();
    assert_eq!(
        case.ask.body.as_ref().unwrap()["messages"][0]["content"],
        "hunter0"
    );
    assert_eq!(
        (
            case.expect.status.as_slice(),
            case.expect.contains.as_deref()
        ),
        (&[422][..], Some("no"))
    );
}

#[test]
fn routes_of_others_are_named_and_asked_only_when_that_is_said() {
    let mut foreign = route("theirs", to_b("/theirs"));
    foreign["metadata"]["labels"] = json!({});
    let spec = json!({"ai": {"provider": {"openai": {"model": "m"}}}});
    let there = installed(vec![gateway(), llm(spec), foreign]);
    let sources = Sources {
        installed: &there,
        planned: &[],
        nonce: "0",
    };
    let mine = derive(&sources, false);
    assert_eq!(
        (mine.cases.len(), mine.others.as_slice()),
        (0, &["n/theirs".to_string()][..])
    );
    let all = derive(&sources, true);
    assert_eq!(ids(&all)[0], "route.n/theirs");
}

#[test]
fn a_match_by_expression_is_skipped_with_its_reason() {
    let rules = json!([{"matches": [{"path": {"value": "/r"}, "headers": [{"name": "x", "type": "RegularExpression", "value": ".*"}]}],
        "backendRefs": [{"kind": "AgentgatewayBackend", "name": "b"}]}]);
    let spec = json!({"ai": {"provider": {"openai": {"model": "m"}}}});
    let derived = derived(vec![gateway(), llm(spec), route("r", rules)]);
    assert!(derived.cases.iter().all(|case| case.unasked.is_some()));
}
