use super::*;
use crate::diagnose::diagnose;
use crate::diagnose::finding::Severity;
use crate::diagnose::snapshot::tests::{answered, codes, healthy, with};
use crate::verify::drift::compare;
use serde_json::json;

const NO_ROUTE: &str = "route not found";

/// The healthy cluster with a patch that somebody made, and the difference that it leaves.
fn patched(kind: &str, name: &str, patch: serde_json::Value) -> Snapshot {
    let planned = healthy().object(kind, name).unwrap().clone();
    let mut snapshot = with(kind, name, patch);
    let drift = compare(&planned, snapshot.object(kind, name));
    snapshot.drift.extend(drift);
    snapshot
}

fn moved() -> Snapshot {
    let snapshot = healthy();
    let mut route = snapshot.object("HTTPRoute", "ollama").unwrap().clone();
    route["spec"]["rules"][0]["matches"][0]["path"]["value"] = "/talk".into();
    patched("HTTPRoute", "ollama", json!({"spec": route["spec"]}))
}

#[test]
fn a_route_that_somebody_moved_is_the_cause_of_what_the_gateway_answers() {
    let snapshot = answered(moved(), "ollama", 404, NO_ROUTE);
    assert_eq!(codes(&snapshot), ["GW008"]);
    let diagnosis = diagnose(&snapshot);
    assert_eq!(diagnosis.findings[0].explains[0].code, "GW040");
    assert_eq!(diagnosis.findings[0].severity, Severity::Fail);
    assert!(diagnosis.has_failed());
}

#[test]
fn a_change_that_breaks_nothing_is_a_warning_alone() {
    let diagnosis = diagnose(&moved());
    assert_eq!(diagnosis.findings[0].code, "GW008");
    assert_eq!(diagnosis.findings[0].severity, Severity::Warn);
    assert!(!diagnosis.has_failed());
}

#[test]
fn a_change_is_no_cause_of_what_it_cannot_bring_about_or_another_rule_knows() {
    // Another route's failure.
    assert_eq!(
        codes(&answered(moved(), "openai", 404, NO_ROUTE)),
        ["GW040", "GW008"]
    );
    // A label decides nothing.
    let labelled = patched(
        "HTTPRoute",
        "ollama",
        json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}),
    );
    assert_eq!(
        codes(&answered(labelled, "ollama", 404, NO_ROUTE)),
        ["GW040", "GW008"]
    );
    // A provider's own trouble is not the backend's.
    let model = json!({"spec": {"ai": {"provider": {"openai": {"model": "gpt-5"}}}}});
    let backend = || patched("AgentgatewayBackend", "openai", model.clone());
    let down = r#"{"error":{"message":"overloaded"}}"#;
    let apart = codes(&answered(backend(), "openai", 503, down));
    assert_eq!(apart, ["GW040", "GW008"]);
    let unknown = r#"{"error":{"message":"no such thing"}}"#;
    assert_eq!(
        codes(&answered(backend(), "openai", 404, unknown)),
        ["GW008"]
    );
    // A key that is refused, a limit: their rules know better than a change that is there too.
    let refused = r#"{"error":{"message":"Incorrect API key provided"}}"#;
    for (status, body, code) in [
        (401, refused, "GW032"),
        (429, "rate limit exceeded", "GW039"),
    ] {
        let diagnosis = diagnose(&answered(backend(), "openai", status, body));
        let cause = diagnosis.findings.iter().find(|f| f.code == code).unwrap();
        assert_eq!(cause.explains[0].code, "GW040", "{code}");
    }
}

#[test]
fn a_limit_that_holds_is_no_failure_whoever_asks() {
    let limited = answered(healthy(), "openai", 429, "rate limit exceeded");
    assert!(!diagnose(&limited).has_failed());
}
