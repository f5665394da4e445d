use super::*;
use crate::diagnose::diagnose;
use crate::diagnose::finding::Change;
use crate::diagnose::snapshot::tests::{answered, codes, healthy, with};
use crate::verify::drift::compare;
use serde_json::json;

fn rejected(snapshot: Snapshot, message: &str) -> Snapshot {
    let mut snapshot = answered(snapshot, "openai", 500, "service not found");
    let backend = snapshot
        .objects
        .iter_mut()
        .find(|o| o["kind"] == "AgentgatewayBackend" && name(o) == "openai")
        .unwrap();
    backend["status"] = json!({"conditions": [{"type": "Accepted", "status": "False", "reason": "TranslationError", "message": message}]});
    snapshot
}

fn planned() -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "openai-key", "namespace": "kgateway-system"},
        "stringData": {"Authorization": "{secret.openai.Authorization}"}})
}

#[test]
fn a_secret_that_is_gone_explains_backend_and_route() {
    // Texts as recorded: recordings/cluster/secret-missing.json.
    let message = "failed to translate backend: secret kgateway-system/openai-key not found";
    let mut snapshot = rejected(healthy(), message);
    snapshot.objects.retain(|o| o["kind"] != "Secret");
    let foreign = diagnose(&snapshot);
    assert_eq!(foreign.findings[0].code, "GW030");
    assert!(
        matches!(&foreign.findings[0].found.fix, Fix::Command(command) if command.contains("create secret generic openai-key"))
    );
    snapshot.drift.extend(compare(&planned(), None));
    let ours = diagnose(&snapshot);
    assert_eq!(ours.findings.len(), 1, "{:?}", codes(&snapshot));
    assert_eq!(ours.findings[0].code, "GW030");
    assert!(matches!(
        ours.findings[0].found.fix,
        Fix::Change(Change::Restore(_))
    ));
    let effects: Vec<&str> = ours.findings[0].explains.iter().map(|e| e.code).collect();
    assert_eq!(effects, ["GW040", "GW007", "GW033"]);
}

#[test]
fn a_backend_of_ours_that_somebody_led_to_another_secret_is_led_back() {
    let message = "failed to translate backend: secret kgateway-system/nope not found";
    let mut snapshot = rejected(healthy(), message);
    let backend =
        |object: &&mut Value| object["kind"] == "AgentgatewayBackend" && name(object) == "openai";
    let backend = snapshot.objects.iter_mut().find(backend).unwrap();
    let applied = backend.clone();
    backend["spec"]["policies"]["auth"]["secretRef"]["name"] = json!("nope");
    let live = backend.clone();
    snapshot.drift.extend(compare(&applied, Some(&live)));
    let diagnosis = diagnose(&snapshot);
    assert_eq!(codes(&snapshot), ["GW030"]);
    let first = &diagnosis.findings[0];
    assert!(
        matches!(&first.found.fix, Fix::Change(Change::Restore(thing)) if *thing == Thing::of(&live)),
        "{first:?}"
    );
    let mut effects: Vec<&str> = first.explains.iter().map(|e| e.code).collect();
    effects.sort_unstable();
    assert_eq!(effects, ["GW008", "GW033", "GW040"]);
}

#[test]
fn an_entry_of_another_name_is_found_with_the_names_that_are_there() {
    // Texts as recorded: recordings/cluster/secret-wrong-key.json.
    let message = "failed to translate backend: secret kgateway-system/openai-key missing Authorization value";
    let mut snapshot = rejected(
        with(
            "Secret",
            "openai-key",
            json!({"data": {"Authorization": null, "api-key": "set"}}),
        ),
        message,
    );
    let live = snapshot.object("Secret", "openai-key").cloned();
    snapshot.drift.extend(compare(&planned(), live.as_ref()));
    let found = diagnose(&snapshot).findings;
    assert_eq!(codes(&snapshot), ["GW031"]);
    assert!(
        found[0].found.cause.contains("and it has api-key"),
        "{}",
        found[0].found.cause
    );
}

#[test]
fn a_key_is_refused_by_its_provider_and_not_by_the_gateway() {
    let refused = r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#;
    let snapshot = answered(healthy(), "openai", 401, refused);
    assert_eq!(codes(&snapshot), ["GW032"]);
    let found = diagnose(&snapshot).findings.remove(0);
    assert!(
        matches!(found.found.fix, Fix::Command(command) if command.starts_with("read -rs OPENAI_API_KEY"))
    );
    let own = answered(
        healthy(),
        "openai",
        401,
        "api key authentication failure: no API Key found",
    );
    assert_eq!(codes(&own), ["GW040"]);
}

#[test]
fn a_key_that_is_another_than_the_one_at_hand_can_be_put_back() {
    let snapshot = with(
        "Secret",
        "openai-key",
        json!({"data": {"Authorization": "another"}}),
    );
    // Another key that the provider takes is nobody's fault.
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
    let snapshot = answered(snapshot, "openai", 401, r#"{"error":{}}"#);
    let found = diagnose(&snapshot).findings.remove(0);
    assert_eq!(found.code, "GW032");
    assert!(matches!(found.found.fix, Fix::Change(Change::Restore(_))));
}

#[test]
fn other_faults_of_a_backend_are_told_in_the_controllers_words() {
    let snapshot = rejected(
        healthy(),
        "failed to translate backend: accessKey is missing or not a valid string",
    );
    assert_eq!(codes(&snapshot), ["GW033"]);
}

#[test]
fn a_name_that_does_not_resolve_is_the_backends_host() {
    let snapshot = answered(
        healthy(),
        "ollama",
        503,
        "backends required DNS resolution which failed",
    );
    assert_eq!(codes(&snapshot), ["GW034"]);
}

#[test]
fn an_empty_list_of_tools_is_a_failure_and_one_tool_is_not() {
    let with_tools = |tools: usize, good: bool| {
        let mut snapshot = healthy();
        snapshot.probes[0].tools = Some(tools);
        snapshot.probes[0].good = good;
        snapshot.probes[0].body = "200, but no tool in it".into();
        snapshot
    };
    assert_eq!(codes(&with_tools(0, false)), ["GW037"]);
    let found = diagnose(&with_tools(0, false)).findings.remove(0).found;
    assert_eq!(found.evidence[0].text, "200, but no tool in it");
    assert_eq!(codes(&with_tools(1, true)), Vec::<&str>::new());
}

#[test]
fn a_server_that_never_came_to_a_list_offers_no_empty_one() {
    let mut snapshot = healthy();
    let probe = &mut snapshot.probes[0];
    (probe.status, probe.good, probe.tools) = (0, false, None);
    probe.body = "connection refused".into();
    assert_eq!(codes(&snapshot), ["GW040"]);
}

#[test]
fn a_mock_that_does_not_answer_is_the_cause_of_its_empty_list() {
    let mut snapshot = healthy();
    snapshot.probes[0].tools = Some(0);
    snapshot.probes[0].good = false;
    snapshot.services[0].silence = Some("connection refused".into());
    snapshot.services[0].models = None;
    assert_eq!(codes(&snapshot), ["GW020"]);
}

#[test]
fn limits_of_gateway_and_provider_are_told_apart() {
    for (body, words) in [
        ("rate limit exceeded", "of the gateway"),
        (r#"{"error":{"type":"requests"}}"#, "of OpenAI"),
    ] {
        let snapshot = answered(healthy(), "openai", 429, body);
        assert_eq!(codes(&snapshot), ["GW039"]);
        assert!(diagnose(&snapshot).findings[0].found.cause.contains(words));
    }
}
