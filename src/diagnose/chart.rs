//! Charts: the class that the right one makes, and releases installed to the end.

use super::finding::{Fix, Found, Severity};
use super::rule::{Needs, Rule};
use super::snapshot::{Snapshot, name, text};

pub const RULES: [Rule; 2] = [
    Rule {
        code: "GW050",
        title: "the class agentgateway exists",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 1.2, 13, 14.1
        story: "Looks for the GatewayClass agentgateway. In 2.2 the chart kgateway alone does not make it: \
                controller.enableAgentgateway is read by nothing, and a Gateway of that class waits for a \
                controller for ever. The charts agentgateway-crds and agentgateway are what is needed; `gw up` \
                installs both.",
        explains: &[
            "GW011", "GW040", "GW049", "GW051", "GW060", "GW066", "GW070",
        ],
        look: class,
    },
    Rule {
        code: "GW055",
        title: "every chart is installed to the end",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        story: "Reads Helm's own record of each release. A release that is pending was interrupted, and refuses \
                every further helm; one that failed has left a part of its objects. `gw up` clears the record \
                of an interrupted release and installs it again.",
        explains: &["GW006", "GW050", "GW051"],
        look: releases,
    },
];

fn class(snapshot: &Snapshot) -> Vec<Found> {
    let wanted = snapshot.object("Gateway", &snapshot.gateway);
    let class = wanted.map_or("agentgateway", |gateway| {
        text(gateway, "/spec/gatewayClassName")
    });
    let there = snapshot.kind("GatewayClass").any(|c| name(c) == class);
    if there || super::place::is_unread(snapshot, "GatewayClass") {
        return Vec::new();
    }
    let has = |chart: &str| {
        snapshot
            .releases
            .iter()
            .any(|release| release.name == chart)
    };
    let cause = match (has("agentgateway"), has("kgateway")) {
        (false, true) => {
            "only the chart kgateway is installed, and it does not make this class in 2.2"
        }
        (false, false) => "the chart agentgateway is not installed",
        (true, _) => {
            "the chart agentgateway is installed, and its controller has not made the class"
        }
    };
    let charts: Vec<&str> = snapshot.releases.iter().map(|r| r.name.as_str()).collect();
    let found = Found::new(
        format!("the class {class} exists"),
        "charts",
        Fix::command("gw up"),
    )
    .short(format!("there is no class {class}"))
    .cause(cause)
    .saw("GatewayClasses", format!("no {class}"));
    let installed = match charts.is_empty() {
        true => "none".to_string(),
        false => crate::text::list(&charts),
    };
    vec![found.saw("Helm releases", installed)]
}

fn releases(snapshot: &Snapshot) -> Vec<Found> {
    let bad = snapshot
        .releases
        .iter()
        .filter(|release| release.status != "deployed" && release.status != "superseded");
    let found = bad.map(|release| {
        let chart = &release.name;
        let cause = match release.status.starts_with("pending") {
            true => "its helm was interrupted".to_string(),
            false => format!("Helm calls it {}", release.status),
        };
        Found::new(
            format!("chart {chart} is installed to the end"),
            "charts",
            Fix::command("gw up"),
        )
        .short(format!("chart {chart} is {}", release.status))
        .cause(cause)
        .saw(
            format!("Helm release {chart}"),
            format!(
                "{} {} {}",
                release.version, release.status, release.description
            ),
        )
    });
    found.collect()
}
