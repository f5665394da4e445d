use super::*;
use crate::diagnose::diagnose;
use crate::diagnose::log::{Line, parse};
use crate::diagnose::snapshot::tests::{answered, codes, healthy, with};
use crate::verify::drift::compare;
use serde_json::json;

fn recorded(case: &str) -> Value {
    let file = format!(
        "{}/tests/recordings/cluster/{case}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The healthy cluster with a recorded case beside it.
fn beside(case: &str) -> Snapshot {
    let value = recorded(case);
    let mut snapshot = healthy();
    snapshot
        .objects
        .extend(value["objects"].as_array().unwrap().iter().cloned());
    let lines = |key: &str, source: &str| -> Vec<Line> {
        let lines = value[key].as_array().into_iter().flatten();
        lines
            .filter_map(Value::as_str)
            .map(|line| parse(source, line))
            .collect()
    };
    snapshot.controller_log = lines("controller_log", "controller");
    snapshot.proxy_log = lines("proxy_log", "proxy");
    snapshot
}

#[test]
fn every_recorded_case_is_found_by_its_own_rule() {
    let table = [
        ("parent-missing", "GW041"),
        ("backend-missing", "GW043"),
        ("cross-namespace", "GW017"),
        ("prefix-not-stripped", "GW045"),
        ("get-instead-of-post", "GW046"),
        ("policy-target-missing", "GW010"),
        ("secret-missing", "GW030"),
        ("immutable-selector", "GW056"),
    ];
    for (case, code) in table {
        assert_eq!(
            codes(&beside(case)).first(),
            Some(&code),
            "{case}: {:?}",
            codes(&beside(case))
        );
    }
}

#[test]
fn recorded_cases_in_which_all_is_well_find_nothing() {
    assert_eq!(codes(&beside("healthy")), Vec::<&str>::new());
    assert_eq!(codes(&beside("limited")), Vec::<&str>::new());
}

#[test]
fn a_wrong_parent_explains_the_404_and_the_change() {
    let mut snapshot = with(
        "HTTPRoute",
        "ollama",
        json!({"spec": {"parentRefs": [{"name": "no-such-gateway"}]}, "status": null}),
    );
    let mut planned = healthy().object("HTTPRoute", "ollama").cloned().unwrap();
    planned.as_object_mut().unwrap().shift_remove("status");
    snapshot
        .drift
        .extend(compare(&planned, snapshot.object("HTTPRoute", "ollama")));
    let snapshot = answered(snapshot, "ollama", 404, "route not found");
    let found = diagnose(&snapshot).findings;
    assert_eq!(codes(&snapshot), ["GW041"]);
    let effects: Vec<&str> = found[0].explains.iter().map(|e| e.code).collect();
    assert_eq!(effects, ["GW040", "GW008"]);
    assert!(matches!(found[0].found.fix, Fix::Change(_)));
}

#[test]
fn conditions_are_told_in_plain_words() {
    let refused = |reason: &str| {
        let status = json!({"status": {"parents": [{"conditions": [{"type": "Accepted", "status": "False", "reason": reason, "message": "m"}]}]}});
        with("HTTPRoute", "ollama", status)
    };
    for (reason, words) in [
        ("NoMatchingParent", "names a listener or a port"),
        ("NotAllowedByListeners", "admit no route"),
        ("NoMatchingListenerHostname", "meet no hostname"),
    ] {
        let snapshot = refused(reason);
        assert_eq!(codes(&snapshot), ["GW042"]);
        assert!(diagnose(&snapshot).findings[0].found.cause.contains(words));
    }
}

#[test]
fn a_prefix_that_stays_is_the_cause_of_a_404_only() {
    let kept = with(
        "HTTPRoute",
        "ollama",
        json!({"spec": {"rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/ollama"}}],
        "backendRefs": [{"kind": "AgentgatewayBackend", "name": "ollama"}]}]}}),
    );
    // An answer that came says that the server is meant to see the prefix.
    assert_eq!(codes(&kept), Vec::<&str>::new());
    assert_eq!(
        codes(&answered(kept.clone(), "ollama", 404, "404 page not found")),
        ["GW045"]
    );
    let relay = "gatewright relay: POST /ollama/v1/chat/completions is not passed on";
    assert_eq!(
        codes(&answered(kept.clone(), "ollama", 403, relay)),
        ["GW045"]
    );
    assert_eq!(codes(&answered(kept, "ollama", 500, "x")), ["GW040"]);
}

#[test]
fn paths_without_a_route_are_the_callers_affair_only_where_all_routes_answer() {
    let line = "2026-11-23T18:37:57.7Z\tinfo\trequest http.method=POST http.path=/v1/chat/completions http.status=404 error=\"route not found\" reason=NotFound";
    let mut snapshot = healthy();
    snapshot.proxy_log = vec![parse("proxy", line)];
    assert_eq!(codes(&snapshot), ["GW047"]);
    let broken = answered(snapshot, "ollama", 500, "x");
    assert_eq!(codes(&broken), ["GW040"]);
    for path in [
        "/gatewright-no-such-route",
        "/proof-c8e1d75c-time-guarded-0-0/v1",
    ] {
        let mut ours = healthy();
        let line = line.replace("/v1/chat/completions", path);
        ours.proxy_log = vec![parse("proxy", &line)];
        assert_eq!(codes(&ours), Vec::<&str>::new());
    }
}

#[test]
fn a_body_that_is_no_completion_is_the_callers() {
    let line = "2026-11-23T18:37:57.7Z\tinfo\trequest http.method=POST http.path=/ollama/v1/messages http.status=503 error=\"processing failed: failed to parse request: missing field `messages` at line 1 column 2\" reason=Internal";
    let mut snapshot = healthy();
    snapshot.proxy_log = vec![parse("proxy", line)];
    assert_eq!(codes(&snapshot), ["GW048"]);
}

#[test]
fn an_address_that_does_not_answer_explains_its_routes() {
    let mut snapshot = answered(healthy(), "ollama", 0, "connection refused");
    snapshot.door.answers = Some(Err("connection refused".into()));
    assert_eq!(codes(&snapshot), ["GW049"]);
}

#[test]
fn a_refusal_for_a_policy_of_somebody_elses_names_it() {
    let policy = |target: &str| {
        json!({"kind": "AgentgatewayPolicy", "metadata": {"name": "theirs", "namespace": "kgateway-system"},
        "spec": {"targetRefs": [{"kind": "HTTPRoute", "name": target}], "traffic": {"apiKeyAuthentication": {"mode": "Strict"}}},
        "status": {"ancestors": [{"conditions": []}]}})
    };
    for (target, named) in [("openai", true), ("ollama", false)] {
        let mut snapshot = answered(healthy(), "openai", 401, "api key authentication failure");
        snapshot.objects.push(policy(target));
        let first = diagnose(&snapshot).findings.remove(0);
        assert_eq!(first.code, "GW040");
        assert_eq!(
            first.found.cause.contains("policy theirs"),
            named,
            "{first:?}"
        );
    }
}
