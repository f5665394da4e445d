//! Processors of ours that run in the cluster: without a pod, v2.2 refuses every request of their routes.

use super::finding::{Fix, Found, Severity};
use super::pod::{Pods, Trouble, trouble, why_no_image, why_pending};
use super::route::scope_of;
use super::rule::{Needs, Rule};
use super::snapshot::{Snapshot, name, text};
use crate::text::excerpt;
use serde_json::Value;

const LABEL: &str = "app.kubernetes.io/name";

pub const RULES: [Rule; 1] = [Rule {
    code: "GW068",
    title: "every processor that runs in the cluster has a pod that is ready",
    severity: Severity::Fail,
    needs: Needs::Cluster,
    // facts 7.2, 9.7
    story: "Reads why the pod of a processor of gw's own waits: an image that can't be pulled, a crash, no node. \
            Until it is ready every request of its policy's routes is refused with 500 ext_proc failed. An \
            image that the cluster can reach stands in the profile as image, beside in: cluster.",
    explains: &["GW007", "GW040"],
    look: pods,
}];

fn pods(snapshot: &Snapshot) -> Vec<Found> {
    let ours = snapshot.kind("Deployment").filter(|deployment| {
        let label = &deployment["spec"]["template"]["metadata"]["labels"][LABEL];
        snapshot.is_ours(deployment) && *label == *name(deployment)
    });
    ours.filter_map(|deployment| pod(snapshot, deployment))
        .collect()
}

fn pod(snapshot: &Snapshot, deployment: &Value) -> Option<Found> {
    let name = name(deployment);
    let pods = Pods {
        deployment: name,
        label: LABEL,
    };
    let trouble = trouble(snapshot, &pods)?;
    let space = text(deployment, "/metadata/namespace");
    let describe = snapshot.kubectl(&format!("-n {space} describe pods -l {LABEL}={name}"));
    let found = |fix: Fix| {
        Found::new(
            format!("{name} has a pod that is ready"),
            format!("Deployment {name}"),
            fix,
        )
        .short(format!("{name} has no pod that is ready"))
        .scope(scope_of(snapshot, "Deployment", name))
    };
    Some(match trouble {
        Trouble::Image {
            pod,
            image,
            message,
        } => found(Fix::Command(describe))
            .cause(why_no_image(&image, &message))
            .saw(format!("Pod {pod}"), excerpt(&message, 240)),
        Trouble::Crash(crash) => {
            let logs = crash.logs(snapshot, space);
            crash.told(found(logs), "", &[])
        }
        Trouble::Pending { source, message } => found(Fix::Command(describe))
            .cause(why_pending(&message))
            .saw(source, excerpt(&message, 240)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::finding::Scope;
    use crate::diagnose::snapshot::tests::{codes, healthy};
    use crate::plan::{ENVIRONMENT_LABEL, MANAGED_BY_LABEL};
    use serde_json::json;

    #[test]
    fn a_processor_whose_image_is_not_there_is_named_and_another_ones_deployment_is_not() {
        let mut snapshot = healthy();
        let waiting = json!({"reason": "ErrImagePull", "message": "ghcr.io/a/b:v1: not found"});
        let pod = json!({"kind": "Pod",
            "metadata": {"name": "p-1", "namespace": "kgateway-system", "labels": {LABEL: "p"}},
            "status": {"containerStatuses": [{"image": "ghcr.io/a/b:v1", "state": {"waiting": waiting}}]}});
        let mut deployment = json!({"kind": "Deployment",
            "metadata": {"name": "p", "namespace": "kgateway-system", "labels": {}},
            "spec": {"replicas": 1, "template": {"metadata": {"labels": {LABEL: "p"}}}},
            "status": {"updatedReplicas": 1, "replicas": 1}});
        snapshot.objects.push(pod);
        snapshot.objects.push(deployment.clone());
        assert_eq!(codes(&snapshot), Vec::<&str>::new());
        deployment["metadata"]["labels"] =
            json!({MANAGED_BY_LABEL: "gatewright", ENVIRONMENT_LABEL: "default"});
        snapshot.objects.pop();
        snapshot.objects.push(deployment);
        assert_eq!(codes(&snapshot), ["GW068"]);
        let policy = |namespace: &str| {
            json!({"kind": "AgentgatewayPolicy", "metadata": {"name": "x", "namespace": namespace},
                "spec": {"targetRefs": [{"kind": "HTTPRoute", "name": "ollama"}],
                    "traffic": {"extProc": {"backendRef": {"name": "p"}}}}})
        };
        snapshot.objects.push(policy("somebody-elses"));
        assert_eq!(pods(&snapshot)[0].scope, Scope::Everything);
        snapshot.objects.push(policy("kgateway-system"));
        let found = pods(&snapshot).remove(0);
        assert_eq!(found.scope, Scope::route("ollama"));
        assert_eq!(found.cause, "ghcr.io has no image ghcr.io/a/b:v1");
        let next = "kubectl --context kind-gatewright -n kgateway-system describe pods -l app.kubernetes.io/name=p";
        assert_eq!(found.fix, Fix::command(next));
    }
}
