//! The place itself: a cluster that answers, versions in range, what we made still there.

use super::finding::{Fix, Found, Severity};
use super::rule::{Needs, Rule};
use super::snapshot::Snapshot;
use crate::plan::GATEWAY_API_MINORS;
use crate::text;

/// Minors of Kubernetes that 2.2 supports (facts 1.1).
const KUBERNETES_MINORS: std::ops::RangeInclusive<u32> = 31..=35;
/// More than a network can explain, in seconds.
const SKEW: i64 = 30;

/// The rule that speaks alone where it speaks.
pub const TAKEN_BACK: &str = "GW009";

/// Everything that can be wrong because the place is gone.
const ALL_EFFECTS: &[&str] = &[
    "GW003", "GW006", "GW007", "GW021", "GW022", "GW027", "GW032", "GW034", "GW038", "GW040",
    "GW049", "GW060",
];

pub const RULES: [Rule; 9] = [
    Rule {
        code: "GW001",
        title: "the place of the gateway is there and answers",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        story: "Looks whether the API server of the cluster answers, or the embedded gateway on its \
                socket, and asks Docker whether the kind cluster's node runs. After a reboot a node may \
                be stopped; somebody may have deleted the cluster. Nothing else can be judged then. \
                `gw up` starts a stopped node, wakes a paused one, makes a missing cluster anew, and starts the embedded \
                gateway again.",
        explains: ALL_EFFECTS,
        look: super::silent::answers,
    },
    Rule {
        code: "GW002",
        title: "Kubernetes is of a version that 2.2 supports",
        severity: Severity::Warn,
        needs: Needs::Cluster,
        // facts 1.1
        story: "Compares the API server's version with the range that kgateway 2.2 is tested with, 1.31 to 1.35. \
                Outside it things may work, and nobody has tried. A new kind cluster with a node image in range \
                is the way out.",
        explains: &[],
        look: kubernetes_version,
    },
    Rule {
        code: "GW003",
        title: "the Gateway API is installed",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 1.6
        story: "Looks for the CRDs of GatewayClass, Gateway and HTTPRoute. Without them no gateway and no route \
                can exist, and deleting them deletes everybody's gateways and routes. `gw up` installs them and \
                makes our objects anew.",
        explains: &["GW007", "GW040", "GW049", "GW050", "GW060", "GW070"],
        look: gateway_api,
    },
    Rule {
        code: "GW004",
        title: "the Gateway API is of a version that 2.2 accepts",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 0, 1.6
        story: "Reads the bundle version that stands on the CRD of Gateways, as kgateway itself does: it accepts \
                minors 1.2 to 1.4, and later releases of 2.2 end at start with any other. Somebody has installed \
                another bundle; the accepted one goes in its place.",
        explains: &["GW053"],
        look: gateway_api_version,
    },
    Rule {
        code: "GW005",
        title: "the clocks of the cluster and of this machine agree",
        severity: Severity::Warn,
        needs: Needs::Cluster,
        story: "Compares the time of the node's last heartbeat with this machine's clock. A virtual machine \
                that slept may lag behind; then tokens look expired or not yet valid and TLS certificates \
                too. Restarting the engine's virtual machine sets its clock.",
        explains: &[],
        look: clocks,
    },
    Rule {
        code: "GW006",
        title: "the kinds of agentgateway are installed",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 1.4, 1.6
        story: "Looks for the CRDs of the chart agentgateway-crds. Without them the controller never becomes \
                ready and is restarted every two minutes; uninstalling that chart deletes every backend and \
                policy of the cluster. `gw up` puts the chart back and makes our objects anew.",
        explains: &["GW007", "GW011", "GW040", "GW043", "GW053"],
        look: agentgateway_kinds,
    },
    Rule {
        code: "GW007",
        title: "what gw made is still there",
        severity: Severity::Fail,
        needs: Needs::Objects,
        story: "Compares what gw applied with what is there, by name. An object that is missing was deleted \
                by somebody else, or went with its CRD. The fix applies the same object again; `gw undo` \
                takes it away again.",
        explains: &["GW010", "GW040", "GW049", "GW070"],
        look: super::changed::missing,
    },
    Rule {
        code: "GW008",
        title: "our objects are as gw applied them",
        severity: Severity::Warn,
        needs: Needs::Objects,
        story: "Compares every field that gw applied with the live object, and names who changed it and \
                when from the API server's own record of field managers. The change may be wanted: then it \
                belongs into the profile. Otherwise the fix puts the applied fields back and takes added \
                ones away; `gw undo` gives the changed form back. Where the changed object is one that a \
                route goes through, and nothing else tells why that route fails, it is the cause.",
        explains: &["GW040"],
        look: super::changed::changed,
    },
    Rule {
        code: TAKEN_BACK,
        title: "no `gw down` has begun",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        story: "Reads in gw's own record whether a `gw down` has begun since the last `gw up`. What is gone was then \
                taken away by gw itself, and no other rule is asked. One that was cut off is taken up where it \
                stood by another `gw down`; after one that left the cluster, `gw up` makes everything anew.",
        explains: &[],
        look: super::silent::taken_back,
    },
];

fn kubernetes_version(snapshot: &Snapshot) -> Vec<Found> {
    let Some(version) = &snapshot.place.version else {
        return Vec::new();
    };
    match minor(version) {
        Some((1, minor)) if !KUBERNETES_MINORS.contains(&minor) => {
            let next = "gw up --target kind --cluster gatewright-2 --env other";
            vec![
                Found::new(
                    "Kubernetes is of a version that 2.2 supports",
                    "cluster",
                    Fix::command(next),
                )
                .cause(format!(
                    "kgateway 2.2 is tested with Kubernetes 1.31 to 1.35, and this is {version}"
                ))
                .saw("API server", version.clone()),
            ]
        }
        _ => Vec::new(),
    }
}

/// Major and minor of `v1.34.4+orb1`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn gateway_api(snapshot: &Snapshot) -> Vec<Found> {
    let missing: Vec<&str> = ["gatewayclasses", "gateways", "httproutes"]
        .into_iter()
        .filter(|kind| {
            !snapshot
                .crds
                .contains_key(&format!("{kind}.gateway.networking.k8s.io"))
        })
        .collect();
    if missing.is_empty() || is_unread(snapshot, "CRDs") {
        return Vec::new();
    }
    vec![
        Found::new(
            "the Gateway API is installed",
            "cluster",
            Fix::command("gw up"),
        )
        .cause(format!("the CRDs {} are not there", text::list(&missing)))
        .saw("CRDs", format!("no {}", text::list(&missing))),
    ]
}

fn gateway_api_version(snapshot: &Snapshot) -> Vec<Found> {
    let Some(version) = snapshot.crds.get("gateways.gateway.networking.k8s.io") else {
        return Vec::new();
    };
    match minor(version) {
        Some((1, minor)) if GATEWAY_API_MINORS.contains(&minor) => Vec::new(),
        // Without the mark kgateway can't tell either, and no rule of ours guesses.
        None => Vec::new(),
        Some(_) => {
            let url = format!(
                "https://github.com/kubernetes-sigs/gateway-api/releases/download/{}/standard-install.yaml",
                crate::plan::GATEWAY_API_VERSION
            );
            let next = snapshot.kubectl(&format!("apply --server-side --force-conflicts -f {url}"));
            vec![
                Found::new(
                    "the Gateway API is of a version that 2.2 accepts",
                    "cluster",
                    Fix::command(next),
                )
                .cause(format!(
                    "bundle {version} is installed, and 2.2 accepts 1.2 to 1.4"
                ))
                .saw(
                    "CRD gateways.gateway.networking.k8s.io",
                    format!("bundle-version {version}"),
                ),
            ]
        }
    }
}

fn clocks(snapshot: &Snapshot) -> Vec<Found> {
    let Some(ahead) = snapshot
        .place
        .clock_ahead
        .filter(|ahead| ahead.abs() > SKEW)
    else {
        return Vec::new();
    };
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let time = text::duration(std::time::Duration::from_secs(ahead.unsigned_abs()));
    let next = match snapshot.cluster.as_str() {
        "" => "date -u".to_string(),
        cluster => format!("docker restart {cluster}-control-plane"),
    };
    vec![
        Found::new(
            "the clocks of the cluster and of this machine agree",
            "cluster",
            Fix::command(next),
        )
        .cause(format!("the node's clock is {time} {side} this machine's"))
        .saw(
            "the node's heartbeat",
            format!("{time} {side} the time here"),
        ),
    ]
}

fn agentgateway_kinds(snapshot: &Snapshot) -> Vec<Found> {
    let missing: Vec<&str> = [
        "agentgatewaybackends",
        "agentgatewaypolicies",
        "agentgatewayparameters",
    ]
    .into_iter()
    .filter(|kind| {
        !snapshot
            .crds
            .contains_key(&format!("{kind}.agentgateway.dev"))
    })
    .collect();
    if missing.is_empty() || is_unread(snapshot, "CRDs") {
        return Vec::new();
    }
    vec![
        Found::new(
            "the kinds of agentgateway are installed",
            "charts",
            Fix::command("gw up"),
        )
        .cause("the chart agentgateway-crds is not installed, or somebody deleted its CRDs")
        .saw("CRDs", format!("no {}", text::list(&missing))),
    ]
}

/// Whether a part of the snapshot could not be looked at: then nothing is known to be missing.
pub fn is_unread(snapshot: &Snapshot, part: &str) -> bool {
    snapshot.unread.iter().any(|(what, _)| what == part)
}

#[cfg(test)]
#[path = "tests/place.rs"]
mod tests;
