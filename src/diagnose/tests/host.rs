use super::*;
use crate::diagnose::diagnose;
use crate::diagnose::snapshot::Login;
use crate::diagnose::snapshot::tests::{answered, codes, healthy};
use crate::verify::drift::compare;

const REFUSED: &str = "upstream call failed: Connect: Connection refused (os error 111)";

#[test]
fn a_relay_that_ended_explains_what_its_route_answers() {
    let mut snapshot = answered(healthy(), "ollama", 503, REFUSED);
    assert_eq!(codes(&snapshot), ["GW038"]);
    snapshot.processes[0].alive = false;
    assert_eq!(codes(&snapshot), ["GW021"]);
    let found = diagnose(&snapshot).findings.remove(0);
    let effects: Vec<&str> = found.explains.iter().map(|e| e.code).collect();
    assert_eq!(effects, ["GW040", "GW038"]);
    assert_eq!(
        found.found.fix,
        Fix::Change(Change::Rewire {
            service: "ollama".into()
        })
    );
}

#[test]
fn a_relay_that_left_no_trace_is_missed_where_a_way_leads_through_it() {
    let mut snapshot = answered(healthy(), "ollama", 503, REFUSED);
    snapshot.processes.clear();
    assert_eq!(codes(&snapshot), ["GW021"]);
}

#[test]
fn another_route_that_fails_is_no_effect_of_the_relay() {
    let mut snapshot = answered(healthy(), "ollama", 503, REFUSED);
    snapshot.processes[0].alive = false;
    let snapshot = answered(snapshot, "openai", 500, "no valid backends");
    assert_eq!(codes(&snapshot), ["GW021", "GW040"]);
}

#[test]
fn ollama_that_ended_is_the_cause_and_not_the_relay_that_says_so() {
    let mut snapshot = answered(
        healthy(),
        "ollama",
        502,
        "gatewright relay: 127.0.0.1:11434 does not answer",
    );
    snapshot.services[0].silence = Some("connection refused".into());
    snapshot.services[0].models = None;
    assert_eq!(codes(&snapshot), ["GW020"]);
}

#[test]
fn loopback_is_the_cause_only_where_no_relay_carries_and_pods_are_refused() {
    let mut snapshot = answered(healthy(), "ollama", 503, REFUSED);
    snapshot.wires.get_mut("ollama").unwrap().relay = false;
    snapshot.processes.clear();
    assert_eq!(codes(&snapshot), ["GW022"]);
    snapshot.services[0]
        .listens
        .push("0.0.0.0".parse().unwrap());
    assert_eq!(codes(&snapshot), ["GW038"]);
    snapshot.services[0].listens.clear();
    assert_eq!(codes(&snapshot), ["GW038"]);
}

#[test]
fn an_empty_403_is_the_host_header_only_where_ollama_itself_says_so() {
    let mut snapshot = answered(healthy(), "ollama", 403, "");
    assert_eq!(codes(&snapshot), ["GW040"]);
    snapshot.services[0].with_host = Some(("host-ollama".into(), 403));
    assert_eq!(codes(&snapshot), ["GW023"]);
    // Where somebody wrote the host into our backend, putting it back is the repair.
    let backend = snapshot.object("AgentgatewayBackend", "ollama").unwrap();
    let mut planned = backend.clone();
    planned["spec"]["ai"]["provider"]["host"] = "proved.local".into();
    let drift = compare(&planned, Some(backend));
    snapshot.drift.extend(drift);
    assert_eq!(codes(&snapshot), ["GW023"]);
    let found = diagnose(&snapshot).findings.remove(0).found;
    assert!(matches!(found.fix, Fix::Change(Change::Restore(_))));
}

#[test]
fn an_origin_that_ollama_refuses_is_found() {
    let mut snapshot = healthy();
    snapshot.services[0].with_origin = Some(("https://app.example".into(), 200));
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
    snapshot.services[0].with_origin = Some(("https://app.example".into(), 403));
    assert_eq!(codes(&snapshot), ["GW024"]);
}

#[test]
fn a_model_that_is_not_there_is_named_with_those_that_are() {
    let missing = r#"{"error":{"message":"model \"llama3.2\" not found, try pulling it first","type":"api_error"}}"#;
    let mut snapshot = answered(healthy(), "ollama", 404, missing);
    assert_eq!(codes(&snapshot), ["GW040"]);
    snapshot.services[0].models = Some(vec!["qwen3:8b".into()]);
    let found = diagnose(&snapshot).findings.remove(0);
    assert_eq!(
        (found.code, found.found.cause.as_str()),
        ("GW025", "Ollama has qwen3:8b, and not llama3.2")
    );
    assert_eq!(found.found.fix, Fix::Command("ollama pull llama3.2".into()));
}

#[test]
fn a_port_is_taken_only_while_the_gateway_is_down() {
    let mut snapshot = healthy();
    snapshot.door.owner = Some("docker-proxy (pid 7)".into());
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
    snapshot.target = "embedded".into();
    snapshot.place.alive = false;
    snapshot.door.owner = Some("nginx (pid 7)".into());
    assert_eq!(codes(&snapshot), ["GW026"]);
}

#[test]
fn a_cluster_without_the_mapping_is_found_and_one_that_nobody_could_ask_is_not() {
    let mut snapshot = healthy();
    snapshot.door.mapped = Some(false);
    assert_eq!(codes(&snapshot), ["GW027"]);
    snapshot.door.mapped = None;
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
}

#[test]
fn a_login_is_stale_only_where_the_registry_answers_without_it() {
    let mut snapshot = healthy();
    snapshot.logins = vec![Login {
        registry: "ghcr.io".into(),
        stale: false,
    }];
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
    snapshot.logins[0].stale = true;
    assert_eq!(codes(&snapshot), ["GW028"]);
}

#[test]
fn a_mock_that_ended_is_the_cause_of_its_silence() {
    let mut snapshot = healthy();
    let mut mock = snapshot.services[0].clone();
    (mock.name, mock.title, mock.role, mock.models) =
        ("mock".into(), "the mock".into(), Some("mock".into()), None);
    mock.silence = Some("connection refused".into());
    snapshot.services.push(mock);
    snapshot.routes.push(crate::diagnose::snapshot::Route {
        name: "mock".into(),
        ..Default::default()
    });
    snapshot.processes.push(crate::diagnose::snapshot::Process {
        role: "mock".into(),
        pid: Some(9),
        ..Default::default()
    });
    assert_eq!(codes(&snapshot), ["GW029"]);
}

#[test]
fn a_bridge_that_ended_is_started_again_by_the_fix_and_a_process_that_serves_no_route_is_not() {
    let mut snapshot = healthy();
    snapshot.services.push(crate::diagnose::snapshot::Service {
        name: "tools".into(),
        role: Some("bridge".into()),
        ..Default::default()
    });
    for (role, fix) in [
        (
            "bridge",
            Fix::Change(Change::Rewire {
                service: "tools".into(),
            }),
        ),
        ("forward", Fix::command("gw up")),
    ] {
        snapshot.processes = vec![crate::diagnose::snapshot::Process {
            role: role.into(),
            ..Default::default()
        }];
        let found = &super::processes(&snapshot)[0];
        assert_eq!(
            (&found.title, &found.fix),
            (&format!("the {role} runs"), &fix)
        );
    }
}
