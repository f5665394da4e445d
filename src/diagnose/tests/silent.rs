use super::*;
use crate::diagnose::diagnose;
use crate::diagnose::snapshot::tests::{answered, codes, healthy};
use crate::verify::drift::compare;

fn silent() -> Snapshot {
    let mut snapshot = healthy();
    snapshot.place.alive = false;
    snapshot.place.silence = "connection refused".into();
    snapshot.door.answers = Some(Err("connection refused".into()));
    snapshot.probes.clear();
    snapshot
}

fn only(snapshot: &Snapshot) -> Found {
    let mut findings = diagnose(snapshot).findings;
    assert_eq!(findings.len(), 1, "{:?}", codes(snapshot));
    findings.remove(0).found
}

#[test]
fn what_gw_took_away_itself_was_deleted_by_nobody() {
    let mut snapshot = answered(healthy(), "ollama", 404, "route not found");
    let route = snapshot.object("HTTPRoute", "ollama").unwrap().clone();
    snapshot.drift.extend(compare(&route, None));
    snapshot.objects.retain(|object| *object != route);
    snapshot.crds.clear();
    snapshot.ledger.truncate(2);
    for (far, next) in [(TakenBack::Begun, "gw down"), (TakenBack::Done, "gw up")] {
        snapshot.taken_back = Some(far);
        assert_eq!(codes(&snapshot), ["GW009"]);
        assert_eq!(only(&snapshot).fix, Fix::command(next));
    }
}

#[test]
fn an_object_is_missed_only_where_gw_has_made_it() {
    let mut snapshot = healthy();
    let route = snapshot.object("HTTPRoute", "ollama").unwrap().clone();
    snapshot.drift.extend(compare(&route, None));
    assert_eq!(codes(&snapshot), ["GW007"]);
    snapshot.ledger.retain(|thing| *thing != Thing::of(&route));
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
}

#[test]
fn a_cluster_that_never_came_to_be_was_deleted_by_nobody() {
    for container in [Container::Missing, Container::Running] {
        let mut snapshot = silent();
        snapshot.place.container = Some(container);
        assert!(!only(&snapshot).cause.contains("has not come to its end"));
        snapshot.base_url.clear();
        snapshot.door.answers = None;
        let found = only(&snapshot);
        assert_eq!(found.cause, NEVER_UP);
        assert_eq!(found.fix, Fix::command("gw up"));
    }
}

#[test]
fn a_port_that_was_never_the_gateways_was_not_taken_from_it() {
    let mut snapshot = silent();
    snapshot.place.container = Some(Container::Missing);
    snapshot.door.owner = Some("python3 (pid 7)".into());
    assert!(only(&snapshot).cause.contains("while the gateway was down"));
    snapshot.base_url.clear();
    snapshot.door.answers = None;
    assert_eq!(only(&snapshot).cause, "python3 (pid 7) has the port");
}

#[test]
fn a_mock_that_was_not_started_yet_comes_with_the_place() {
    let mut snapshot = silent();
    let mut mock = snapshot.services[0].clone();
    (mock.name, mock.role, mock.models) = ("mock".into(), Some("mock".into()), None);
    mock.silence = Some("connection refused".into());
    snapshot.services.push(mock);
    assert_eq!(codes(&snapshot), ["GW001"]);
    // Ollama's silence is its own.
    snapshot.services[0].silence = Some("connection refused".into());
    assert_eq!(codes(&snapshot), ["GW001", "GW020"]);
    // One that is missing while all else is there is started by the fix.
    let mut alive = healthy();
    alive.services.push(snapshot.services[1].clone());
    assert_eq!(codes(&alive), ["GW020"]);
    assert!(matches!(only(&alive).fix, Fix::Change(_)));
}

#[test]
fn what_nobody_could_ask_is_not_said_to_be_silent() {
    let mut snapshot = silent();
    snapshot.place.silence = "there is no context k3d-dev any more".into();
    snapshot.place.unasked = "gw down --forget".into();
    (snapshot.cluster, snapshot.context) = (String::new(), "k3d-dev".into());
    snapshot.place.container = None;
    let found = only(&snapshot);
    assert_eq!(found.fix, Fix::command("gw down --forget"));
    assert_eq!(found.cause, "no way leads to its API server");
    assert_eq!(found.evidence[0].source, "kubeconfig");
    // A server that was asked and is silent may come back.
    snapshot.place.unasked.clear();
    let found = only(&snapshot);
    let next = "kubectl --context k3d-dev get nodes";
    assert_eq!(found.fix, Fix::command(next));
    assert!(!found.cause.contains("Docker"), "{}", found.cause);
}

#[test]
fn a_process_is_not_led_back_to_a_place_that_is_gone() {
    let mut snapshot = healthy();
    snapshot.processes.push(crate::diagnose::snapshot::Process {
        role: "mock".into(),
        pid: Some(9),
        ..Default::default()
    });
    snapshot.services.push(crate::diagnose::snapshot::Service {
        name: "mock".into(),
        role: Some("mock".into()),
        ..Default::default()
    });
    assert!(matches!(only(&snapshot).fix, Fix::Change(_)));
    snapshot.place.alive = false;
    let found = diagnose(&snapshot).findings;
    let mock = found.iter().find(|f| f.code == "GW029").unwrap();
    assert_eq!(mock.found.fix, Fix::command("gw up"));
}

#[test]
fn a_forward_that_ended_is_why_the_address_is_silent_and_a_mock_is_not() {
    for (role, expected) in [("forward", vec!["GW029"]), ("mock", vec!["GW029", "GW049"])] {
        let mut snapshot = answered(healthy(), "ollama", 0, "connection refused");
        snapshot.door.answers = Some(Err("connection refused".into()));
        snapshot.processes.push(crate::diagnose::snapshot::Process {
            role: role.into(),
            pid: Some(9),
            ..Default::default()
        });
        assert_eq!(codes(&snapshot), expected, "{role}");
    }
}

#[test]
fn a_key_that_has_ended_is_told_and_explains_its_refusal() {
    let refused = r#"{"message":"The security token included in the request is expired"}"#;
    let mut snapshot = answered(healthy(), "openai", 401, refused);
    assert_eq!(codes(&snapshot), ["GW032"]);
    snapshot.ended = [("openai".to_string(), 12)].into();
    assert_eq!(codes(&snapshot), ["GW035"]);
    assert_eq!(only(&snapshot).cause, "the key of openai ended 12.0 s ago");
    // Another backend's key explains nothing of this one.
    snapshot.ended = [("bedrock".to_string(), 12)].into();
    assert_eq!(codes(&snapshot), ["GW032", "GW035"]);
}
