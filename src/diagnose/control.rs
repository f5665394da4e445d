//! The controller: its chart, its pods, and what it could not write.

use super::finding::{Change, Fix, Found, Severity};
use super::pod::{Pods, Trouble, trouble};
use super::rule::{Needs, Rule};
use super::snapshot::{Snapshot, items, name, text};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// The Deployment that the chart makes (facts 1.4).
pub const CONTROLLER: &str = "agentgateway";
const EFFECTS: &[&str] = &[
    "GW010", "GW033", "GW040", "GW041", "GW042", "GW049", "GW060", "GW063", "GW066", "GW070",
];

pub const RULES: [Rule; 6] = [
    Rule {
        code: "GW051",
        title: "the controller runs",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 3
        story: "Looks at the Deployment agentgateway in the namespace of the charts. Scaled to zero or deleted, \
                nobody takes up changes: proxies that run keep their last configuration, and a proxy that is \
                started new never becomes ready. The fix scales it to one; `gw undo` scales it back.",
        explains: EFFECTS,
        look: runs_at_all,
    },
    Rule {
        code: "GW052",
        title: "the controller's image can be pulled",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 0
        story: "Reads why the controller's pod waits. ImagePullBackOff with `not found` means that the registry \
                has no such image: a version was released without it, or image.tag was set by hand. \
                `unauthorized` or `denied` means a login that is not valid.",
        explains: EFFECTS,
        look: image,
    },
    Rule {
        code: "GW053",
        title: "the controller does not crash",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 1.4, 1.6, 5
        story: "Reads how often the controller's container was restarted and how it ended last. Its previous log \
                tells why: an unsupported Gateway API, CRDs that are missing, or a policy that it can't digest.",
        explains: EFFECTS,
        look: crash,
    },
    Rule {
        code: "GW054",
        title: "the controller's pod is scheduled",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        story: "Reads whether the controller's pod has found a node, or whether a quota or an admission rule \
                keeps it from being made at all: then only the Deployment says so. The scheduler's or the \
                quota's own words are the evidence.",
        explains: EFFECTS,
        look: pending,
    },
    Rule {
        code: "GW056",
        title: "the controller can write the gateway's Deployment",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 3.1, 15.2
        story: "Looks in the controller's log for `spec.selector: Invalid value … field is immutable`: a \
                Deployment of the Gateway's name was there before, of another hand or another chart, and its \
                selector can't be changed. The Gateway itself says Accepted and Programmed all the same. The old \
                Deployment must go, or the Gateway take another name.",
        explains: &["GW040", "GW049", "GW060", "GW070"],
        look: immutable,
    },
    Rule {
        code: "GW057",
        title: "no Gateway is named like the controller",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 3.1, 14.10, 16.6
        story: "Looks for a Gateway called agentgateway in the controller's own namespace. Its proxy would take \
                over the controller's ServiceAccount and Service and break every gateway of the cluster, and \
                deleting it deletes the controller's ServiceAccount.",
        explains: &["GW051", "GW053", "GW056"],
        look: same_name,
    },
];

/// Whether the controller has a pod that is ready.
pub fn runs(snapshot: &Snapshot) -> bool {
    snapshot
        .object("Deployment", CONTROLLER)
        .is_some_and(|d| d["status"]["availableReplicas"].as_i64().unwrap_or(0) > 0)
}

/// Seconds since an object was made, by the newest time that the snapshot knows.
pub fn age(snapshot: &Snapshot, object: &Value) -> Option<i64> {
    let made: Timestamp = text(object, "/metadata/creationTimestamp").parse().ok()?;
    let now = snapshot
        .controller_log
        .iter()
        .chain(&snapshot.proxy_log)
        .filter_map(|line| line.at)
        .max()?;
    Some(now.as_second() - made.as_second())
}

fn runs_at_all(snapshot: &Snapshot) -> Vec<Found> {
    let title = "the controller runs";
    let Some(deployment) = snapshot.object("Deployment", CONTROLLER) else {
        let has = snapshot
            .releases
            .iter()
            .any(|release| release.name == CONTROLLER);
        if !has || super::place::is_unread(snapshot, "Deployment") {
            return Vec::new();
        }
        return vec![
            Found::new(title, "controller", Fix::command("gw up"))
                .short("the controller is gone")
                .cause("its Deployment was deleted, while Helm still has the release")
                .saw(
                    "Deployments",
                    format!("no {CONTROLLER} in namespace {}", snapshot.system),
                ),
        ];
    };
    if deployment["spec"]["replicas"].as_i64() != Some(0) {
        return Vec::new();
    }
    let change = Change::Scale {
        namespace: snapshot.system.clone(),
        deployment: CONTROLLER.to_string(),
        from: 0,
        to: 1,
    };
    vec![
        Found::new(title, "controller", Fix::Change(change))
            .short("the controller is scaled to 0")
            .cause("somebody scaled its Deployment to 0")
            .saw(format!("Deployment {CONTROLLER}"), "spec.replicas 0"),
    ]
}

fn pods(snapshot: &Snapshot) -> Option<Trouble> {
    trouble(
        snapshot,
        &Pods {
            deployment: CONTROLLER,
            label: "app.kubernetes.io/name",
        },
    )
}

fn image(snapshot: &Snapshot) -> Vec<Found> {
    let Some(Trouble::Image {
        pod,
        image,
        message,
    }) = pods(snapshot)
    else {
        return Vec::new();
    };
    let found = Found::new(
        "the controller's image can be pulled",
        "controller",
        Fix::command("gw up"),
    )
    .short("the controller's image can't be pulled")
    .cause(super::pod::why_no_image(&image, &message))
    .saw(format!("Pod {pod}"), crate::text::excerpt(&message, 240));
    vec![by_hand(snapshot, found)]
}

fn crash(snapshot: &Snapshot) -> Vec<Found> {
    let Some(Trouble::Crash(crash)) = pods(snapshot) else {
        return Vec::new();
    };
    let found = Found::new(
        "the controller does not crash",
        "controller",
        crash.logs(snapshot, &snapshot.system),
    )
    .short("the controller crashes");
    let found = crash.told(found, "controller log", &snapshot.controller_log);
    vec![by_hand(snapshot, found)]
}

fn pending(snapshot: &Snapshot) -> Vec<Found> {
    let Some(Trouble::Pending { source, message }) = pods(snapshot) else {
        return Vec::new();
    };
    let next = snapshot.kubectl(&format!(
        "-n {} describe deployment {CONTROLLER}",
        snapshot.system
    ));
    let found = Found::new(
        "the controller's pod is scheduled",
        "controller",
        Fix::Command(next),
    )
    .short("the controller's pod is not scheduled")
    .cause(super::pod::why_pending(&message))
    .saw(source, crate::text::excerpt(&message, 240));
    vec![by_hand(snapshot, found)]
}

/// Where somebody changed the controller's pods last, the Deployment's own history is the way back: helm
/// knows its release as it was, and does not look.
fn by_hand(snapshot: &Snapshot, found: Found) -> Found {
    let Some(deployment) = snapshot.object("Deployment", CONTROLLER) else {
        return found;
    };
    let written = items(deployment, "/metadata/managedFields").filter(|entry| {
        let pods = entry.pointer("/fieldsV1/f:spec/f:template").is_some();
        pods && entry["subresource"].is_null()
    });
    let last = written.max_by_key(|entry| text(entry, "/time").to_string());
    let by = last.map_or("", |entry| text(entry, "/manager"));
    let first = text(
        deployment,
        "/metadata/annotations/deployment.kubernetes.io~1revision",
    ) == "1";
    if by.is_empty() || by == "helm" || first {
        return found;
    }
    let next = format!(
        "-n {} rollout undo deployment/{CONTROLLER}",
        snapshot.system
    );
    Found {
        fix: Fix::Command(snapshot.kubectl(&next)),
        ..found.saw(
            format!("Deployment {CONTROLLER}"),
            format!("{by} has changed its pods"),
        )
    }
}

fn immutable(snapshot: &Snapshot) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for line in snapshot.controller_log.iter().rev() {
        let said = line.text();
        if !(said.contains("failed to apply object apps/v1, Kind=Deployment")
            && said.contains("field is immutable"))
        {
            continue;
        }
        let Some(deployment) = said
            .split("Kind=Deployment ")
            .nth(1)
            .and_then(|rest| rest.split(':').next())
        else {
            continue;
        };
        let (space, title) = deployment.split_once('/').unwrap_or(("", deployment));
        // What the log says may have been repaired since: the foreign Deployment must still be there.
        let foreign = snapshot
            .in_namespace("Deployment", space, title)
            .is_some_and(|d| {
                let selected =
                    d.pointer("/spec/selector/matchLabels/gateway.networking.k8s.io~1gateway-name");
                selected.and_then(Value::as_str) != Some(title)
            });
        let known = found
            .iter()
            .any(|f| f.subject == format!("gateway {title}"));
        if !foreign || known || snapshot.in_namespace("Gateway", space, title).is_none() {
            continue;
        }
        let next = snapshot.kubectl(&format!("-n {space} delete deployment {title}"));
        let scope = match title == snapshot.gateway {
            true => super::finding::Scope::Everything,
            false => super::finding::Scope::Routes(Default::default()),
        };
        found.push(
            Found::new(format!("the controller can write Deployment {title}"), format!("gateway {title}"), Fix::Command(next))
                .short(format!("Deployment {title} is not the gateway's"))
                .scope(scope)
                .cause(format!("a Deployment {title} was there before the Gateway, and its selector can't be changed"))
                .saw("controller log", crate::text::excerpt(&said, 240))
                .saw(format!("Gateway {title}"), "says Accepted and Programmed all the same"),
        );
    }
    found
}

fn same_name(snapshot: &Snapshot) -> Vec<Found> {
    let Some(gateway) = snapshot.object("Gateway", CONTROLLER) else {
        return Vec::new();
    };
    let there = snapshot
        .releases
        .iter()
        .any(|release| release.name == CONTROLLER);
    if !there || snapshot.object("Deployment", CONTROLLER).is_none() {
        return Vec::new();
    }
    let next = "helm upgrade --install agentgateway oci://ghcr.io/kgateway-dev/charts/agentgateway --set fullnameOverride=agentgateway-controller";
    let next = format!("{next} --namespace {}", snapshot.system);
    vec![
        Found::new(
            "no Gateway is named like the controller",
            format!("gateway {}", name(gateway)),
            Fix::Command(next),
        )
        .short("a Gateway is named like the controller")
        .cause("its proxy takes over the controller's ServiceAccount and Service")
        .saw(
            "Gateways",
            format!(
                "{CONTROLLER} in namespace {}, where the controller is",
                snapshot.system
            ),
        ),
    ]
}

#[cfg(test)]
#[path = "tests/control.rs"]
mod tests;
