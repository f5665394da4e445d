use super::*;
use crate::diagnose::diagnose;
use crate::diagnose::snapshot::Release;
use crate::diagnose::snapshot::tests::{answered, codes, healthy, with};
use serde_json::json;

/// Deployment and pod of the controller in trouble.
fn waiting(reason: &str, message: &str) -> Snapshot {
    let mut snapshot = with(
        "Deployment",
        CONTROLLER,
        json!({"status": {"availableReplicas": 0, "readyReplicas": 0}}),
    );
    let pod = snapshot
        .objects
        .iter_mut()
        .find(|o| name(o) == "agentgateway-1")
        .unwrap();
    pod["status"] = json!({"containerStatuses": [{"name": "controller", "image": "cr.agentgateway.dev/controller:v2.2.2", "restartCount": 4,
        "state": {"waiting": {"reason": reason, "message": message}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]});
    snapshot
}

#[test]
fn a_class_is_missing_because_only_kgateway_is_installed() {
    let mut snapshot = healthy();
    snapshot.objects.retain(|o| o["kind"] != "GatewayClass");
    snapshot.releases = ["kgateway-crds", "kgateway"]
        .map(|name| Release {
            name: name.into(),
            status: "deployed".into(),
            ..Release::default()
        })
        .into();
    let found = diagnose(&snapshot).findings;
    assert_eq!(found[0].code, "GW050");
    assert!(
        found[0]
            .found
            .cause
            .starts_with("only the chart kgateway is installed")
    );
}

#[test]
fn a_controller_scaled_to_nothing_is_found_and_can_be_scaled_back() {
    let snapshot = with(
        "Deployment",
        CONTROLLER,
        json!({"spec": {"replicas": 0}, "status": {"availableReplicas": null}}),
    );
    assert_eq!(codes(&snapshot), ["GW051"]);
    assert!(matches!(
        &diagnose(&snapshot).findings[0].found.fix,
        Fix::Change(Change::Scale { from: 0, to: 1, .. })
    ));
}

#[test]
fn why_a_controller_does_not_run_is_read_from_its_pod() {
    let missing = "rpc error: code = NotFound desc = failed to pull and unpack image: not found";
    let table = [
        (
            waiting("ImagePullBackOff", missing),
            "GW052",
            "has no image",
        ),
        (
            waiting("ErrImagePull", "401 Unauthorized"),
            "GW052",
            "refuses to give",
        ),
        (
            waiting("CrashLoopBackOff", "back-off"),
            "GW053",
            "exit code 1",
        ),
    ];
    for (snapshot, code, words) in table {
        assert_eq!(codes(&snapshot), [code]);
        assert!(
            diagnose(&snapshot).findings[0].found.cause.contains(words),
            "{}",
            diagnose(&snapshot).findings[0].found.cause
        );
    }
    // A pod that is on its way is no trouble yet.
    assert_eq!(codes(&waiting("ContainerCreating", "")), Vec::<&str>::new());
}

#[test]
fn a_quota_shows_on_the_deployment_alone() {
    let status = json!({"status": {"availableReplicas": 0, "conditions": [{"type": "ReplicaFailure", "status": "True",
        "message": "pods \"agentgateway-1\" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0"}]}});
    let snapshot = with("Deployment", CONTROLLER, status);
    assert_eq!(codes(&snapshot), ["GW054"]);
    assert!(
        diagnose(&snapshot).findings[0]
            .found
            .cause
            .contains("a quota")
    );
}

#[test]
fn a_release_that_was_interrupted_is_found() {
    let mut snapshot = healthy();
    snapshot.releases[1].status = "pending-upgrade".into();
    assert_eq!(codes(&snapshot), ["GW055"]);
}

#[test]
fn a_gateway_named_like_the_controller_is_found() {
    let mut snapshot = healthy();
    let mut gateway = snapshot.object("Gateway", "ai-gateway").cloned().unwrap();
    gateway["metadata"]["name"] = CONTROLLER.into();
    snapshot.objects.push(gateway);
    assert_eq!(codes(&snapshot), ["GW057"]);
}

#[test]
fn what_the_log_said_once_is_over_when_the_deployment_is_the_gateways() {
    let line = "{\"level\":\"error\",\"time\":\"2026-11-23T18:37:31Z\",\"msg\":\"error handling kgateway-system/ai-gateway: failed to apply object apps/v1, Kind=Deployment kgateway-system/ai-gateway: Deployment.apps \\\"ai-gateway\\\" is invalid: spec.selector: Invalid value: field is immutable\"}";
    let mut snapshot = healthy();
    snapshot.controller_log = vec![crate::diagnose::log::parse("controller", line)];
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
    let mut foreign = with(
        "Deployment",
        "ai-gateway",
        json!({"spec": {"selector": {"matchLabels": {"app": "old", "gateway.networking.k8s.io/gateway-name": null}}}}),
    );
    foreign.controller_log = snapshot.controller_log.clone();
    assert_eq!(codes(&answered(foreign, "ollama", 503, "x")), ["GW056"]);
}
