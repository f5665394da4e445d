//! The proxy: its Deployment and pods, what it was told, and the ports that it takes.

use super::finding::{Change, Fix, Found, Severity};
use super::limits::{edit, fix};
use super::pod::{Pods, Trouble, of, trouble, why_no_image, why_pending};
use super::rule::{Needs, Rule};
use super::snapshot::{Snapshot, items, name, text};
use crate::plan::thing::Thing;

const EFFECTS: &[&str] = &["GW008", "GW040", "GW049", "GW067"];

pub const RULES: [Rule; 5] = [
    Rule {
        code: "GW060",
        title: "the proxy runs",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 3.2
        story: "Looks at the Deployment that the controller makes for our Gateway. Scaled to zero or missing, \
                nothing listens behind the address. The Gateway's own conditions do not tell: Programmed is true \
                from its configuration alone. The fix scales it to one.",
        explains: EFFECTS,
        look: runs,
    },
    Rule {
        code: "GW061",
        title: "the proxy's image can be pulled",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 3, 15.5
        story: "Reads why the proxy's pod waits. The image comes from the controller, or from \
                AgentgatewayParameters spec.image; the Gateway says Accepted and Programmed all the same. Where \
                somebody changed our parameters the fix puts them back.",
        explains: EFFECTS,
        look: image,
    },
    Rule {
        code: "GW062",
        title: "the proxy does not crash",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        story: "Reads how often the proxy's container was restarted and how it ended last. A rawConfig that \
                it can't read ends it at start; its previous log tells.",
        explains: EFFECTS,
        look: crash,
    },
    Rule {
        code: "GW063",
        title: "the proxy's pod is scheduled",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        story: "Reads whether the proxy's pod has found a node, or whether a quota or an admission rule keeps \
                it from being made at all: then only the Deployment says so. The scheduler's or the quota's own \
                words are the evidence.",
        explains: EFFECTS,
        look: pending,
    },
    Rule {
        code: "GW064",
        title: "the proxy has memory enough",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        story: "Looks for a proxy whose container the kernel ended for its memory (OOMKilled). A limit in \
                AgentgatewayParameters spec.resources that is too low for the traffic is the reason; bodies of \
                LLM requests are held in memory.",
        explains: &["GW008", "GW040", "GW049", "GW062"],
        look: memory,
    },
];

fn gateway_pods(snapshot: &Snapshot) -> Pods<'_> {
    Pods {
        deployment: &snapshot.gateway,
        label: "gateway.networking.k8s.io/gateway-name",
    }
}

fn runs(snapshot: &Snapshot) -> Vec<Found> {
    let gateway = &snapshot.gateway;
    let Some(deployment) = snapshot.object("Deployment", gateway) else {
        return Vec::new();
    };
    if deployment["spec"]["replicas"].as_i64() != Some(0) {
        return Vec::new();
    }
    let change = Change::Scale {
        namespace: snapshot.namespace.clone(),
        deployment: gateway.clone(),
        from: 0,
        to: 1,
    };
    vec![
        Found::new(
            "the proxy runs",
            format!("gateway {gateway}"),
            Fix::Change(change),
        )
        .short("the proxy is scaled to 0")
        .cause("somebody scaled its Deployment to 0")
        .saw(format!("Deployment {gateway}"), "spec.replicas 0"),
    ]
}

/// Our parameters go back to what was applied; with other parameters their owner has the word.
fn fix_parameters(snapshot: &Snapshot) -> (Fix, Option<Thing>) {
    let gateway = snapshot.object("Gateway", &snapshot.gateway);
    let named = gateway
        .map(|g| text(g, "/spec/infrastructure/parametersRef/name"))
        .unwrap_or("");
    match snapshot.object("AgentgatewayParameters", named) {
        Some(object) => (
            fix(snapshot, object, edit(snapshot, object)),
            Some(Thing::of(object)),
        ),
        None => (Fix::command("gw up --force"), None),
    }
}

fn image(snapshot: &Snapshot) -> Vec<Found> {
    let Some(Trouble::Image {
        pod,
        image,
        message,
    }) = trouble(snapshot, &gateway_pods(snapshot))
    else {
        return Vec::new();
    };
    let (fix, about) = fix_parameters(snapshot);
    let found = Found::new(
        "the proxy's image can be pulled",
        format!("gateway {}", snapshot.gateway),
        fix,
    )
    .short("the proxy's image can't be pulled")
    .cause(why_no_image(&image, &message))
    .saw(format!("Pod {pod}"), crate::text::excerpt(&message, 240));
    vec![Found { about, ..found }]
}

fn crash(snapshot: &Snapshot) -> Vec<Found> {
    let Some(Trouble::Crash(crash)) = trouble(snapshot, &gateway_pods(snapshot)) else {
        return Vec::new();
    };
    // One that is out of memory has a rule of its own.
    if crash.memory {
        return Vec::new();
    }
    let found = Found::new(
        "the proxy does not crash",
        format!("gateway {}", snapshot.gateway),
        crash.logs(snapshot, &snapshot.namespace),
    )
    .short("the proxy crashes");
    vec![crash.told(found, "proxy log", &snapshot.proxy_log)]
}

fn pending(snapshot: &Snapshot) -> Vec<Found> {
    let Some(Trouble::Pending { source, message }) = trouble(snapshot, &gateway_pods(snapshot))
    else {
        return Vec::new();
    };
    let gateway = &snapshot.gateway;
    let (fix, about) = match snapshot.drift("AgentgatewayParameters", gateway) {
        Some(_) => fix_parameters(snapshot),
        None => (
            Fix::command(snapshot.kubectl(&format!(
                "-n {} describe deployment {gateway}",
                snapshot.namespace
            ))),
            None,
        ),
    };
    let found = Found::new(
        "the proxy's pod is scheduled",
        format!("gateway {gateway}"),
        fix,
    )
    .short("the proxy's pod is not scheduled")
    .cause(why_pending(&message))
    .saw(source, crate::text::excerpt(&message, 240));
    vec![Found { about, ..found }]
}

fn memory(snapshot: &Snapshot) -> Vec<Found> {
    let killed = of(snapshot, &gateway_pods(snapshot))
        .into_iter()
        .find_map(|pod| {
            let container = items(pod, "/status/containerStatuses").find(|c| {
                c["lastState"]["terminated"]["reason"] == "OOMKilled"
                    || c["state"]["terminated"]["reason"] == "OOMKilled"
            })?;
            Some((pod, container))
        });
    let Some((pod, container)) = killed else {
        return Vec::new();
    };
    let limit = items(pod, "/spec/containers")
        .find_map(|c| c.pointer("/resources/limits/memory")?.as_str());
    let limit = limit.unwrap_or("none of its own");
    let (fix, about) = fix_parameters(snapshot);
    let restarts = container["restartCount"].as_u64().unwrap_or(0) as usize;
    let found = Found::new(
        "the proxy has memory enough",
        format!("gateway {}", snapshot.gateway),
        fix,
    )
    .short("the proxy runs out of memory")
    .cause(format!(
        "the kernel ended it for its memory; its limit is {limit}"
    ))
    .saw(
        format!("Pod {}", name(pod)),
        format!("OOMKilled, {}", crate::text::count(restarts, "restart")),
    );
    vec![Found { about, ..found }]
}

#[cfg(test)]
#[path = "tests/proxy.rs"]
mod tests;
