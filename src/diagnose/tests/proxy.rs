use super::*;
use crate::diagnose::diagnose;
use crate::diagnose::log::parse;
use crate::diagnose::snapshot::tests::{codes, healthy, with};
use crate::verify::drift::compare;
use serde_json::{Value, json};

fn down(pod: Value) -> Snapshot {
    let mut snapshot = with(
        "Deployment",
        "ai-gateway",
        json!({"status": {"availableReplicas": 0, "updatedReplicas": 1}}),
    );
    let live = snapshot
        .objects
        .iter_mut()
        .find(|o| name(o) == "ai-gateway-1")
        .unwrap();
    live["status"] = pod;
    snapshot.door.answers = Some(Err("connection reset".into()));
    snapshot.probes[0].good = false;
    snapshot.probes[0].status = 0;
    snapshot
}

fn waiting(reason: &str, message: &str, last: &str) -> Value {
    json!({"containerStatuses": [{"name": "agentgateway", "image": "cr.agentgateway.dev/agentgateway:no-such-tag", "restartCount": 3,
        "state": {"waiting": {"reason": reason, "message": message}}, "lastState": {"terminated": {"exitCode": 137, "reason": last}}}]})
}

#[test]
fn an_image_that_is_not_there_explains_the_silence_and_the_change() {
    let mut snapshot = down(waiting(
        "ErrImagePull",
        "agentgateway:no-such-tag: not found",
        "",
    ));
    let planned = healthy()
        .object("AgentgatewayParameters", "ai-gateway")
        .cloned()
        .unwrap();
    let live = snapshot
        .objects
        .iter_mut()
        .find(|o| o["kind"] == "AgentgatewayParameters")
        .unwrap();
    live["spec"]["image"] = json!({"tag": "no-such-tag"});
    live["metadata"]["managedFields"] = json!([{"manager": "kubectl-patch", "operation": "Update", "fieldsV1": {"f:spec": {"f:image": {"f:tag": {}}}}}]);
    let live = live.clone();
    snapshot.drift.extend(compare(&planned, Some(&live)));
    assert_eq!(codes(&snapshot), ["GW061"]);
    let found = diagnose(&snapshot).findings.remove(0);
    let effects: Vec<&str> = found.explains.iter().map(|e| e.code).collect();
    assert_eq!(effects, ["GW040", "GW008", "GW049"]);
    assert!(matches!(found.found.fix, Fix::Change(Change::Restore(_))));
}

#[test]
fn memory_is_told_from_other_crashes() {
    assert_eq!(
        codes(&down(waiting("CrashLoopBackOff", "back-off", "OOMKilled"))),
        ["GW064"]
    );
    assert_eq!(
        codes(&down(waiting("CrashLoopBackOff", "back-off", "Error"))),
        ["GW062"]
    );
}

#[test]
fn a_pod_that_fits_nowhere_is_told_in_the_schedulers_words() {
    let pending = json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient memory."}]});
    let snapshot = down(pending);
    assert_eq!(codes(&snapshot), ["GW063"]);
    assert!(
        diagnose(&snapshot).findings[0]
            .found
            .cause
            .contains("cpu or memory")
    );
}

#[test]
fn a_proxy_scaled_to_nothing_is_found() {
    let snapshot = with("Deployment", "ai-gateway", json!({"spec": {"replicas": 0}}));
    assert_eq!(codes(&snapshot), ["GW060"]);
}

#[test]
fn a_port_that_another_service_has_is_found_until_the_service_is_there() {
    let line = "{\"level\":\"error\",\"time\":\"2026-11-25T18:37:31Z\",\"msg\":\"error handling kgateway-system/two: failed to apply object /v1, Kind=Service kgateway-system/two: Service \\\"two\\\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated\"}";
    let mut snapshot = healthy();
    let mut two = snapshot.object("Gateway", "ai-gateway").cloned().unwrap();
    two["metadata"]["name"] = "two".into();
    snapshot.objects.push(two);
    snapshot.controller_log = vec![parse("controller", line)];
    assert_eq!(codes(&snapshot), ["GW065"]);
    snapshot.objects.push(
        json!({"kind": "Service", "metadata": {"name": "two", "namespace": "kgateway-system"}}),
    );
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
}

#[test]
fn parameters_that_are_gone_are_told_from_the_spec() {
    let mut snapshot = healthy();
    snapshot
        .objects
        .retain(|o| o["kind"] != "AgentgatewayParameters");
    assert_eq!(codes(&snapshot), ["GW066"]);
    let reserved = with(
        "Gateway",
        "ai-gateway",
        json!({"spec": {"listeners": [{"name": "x", "port": 15020}]}}),
    );
    assert_eq!(codes(&reserved), ["GW066"]);
}

#[test]
fn a_configuration_that_the_proxy_refuses_is_an_event() {
    let mut snapshot = healthy();
    snapshot.objects.push(json!({"kind": "Event", "reason": "AgentGatewayNackError", "note": "bad listener", "regarding": {"kind": "Gateway", "name": "ai-gateway"}}));
    assert_eq!(codes(&snapshot), ["GW067"]);
}

#[test]
fn a_gateway_without_a_deployment_is_found_when_the_controller_had_a_minute() {
    let missing = |time: &str| {
        let mut snapshot = healthy();
        snapshot
            .objects
            .retain(|o| !(o["kind"] == "Deployment" && name(o) == "ai-gateway"));
        snapshot.controller_log = vec![parse(
            "controller",
            &format!("{{\"time\":\"{time}\",\"msg\":\"reconciling Gateway\"}}"),
        )];
        snapshot
    };
    assert_eq!(codes(&missing("2026-11-25T14:02:00Z")), ["GW070"]);
    assert_eq!(codes(&missing("2026-11-25T14:00:10Z")), Vec::<&str>::new());
}
