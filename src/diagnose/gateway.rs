//! The Gateway itself: accepted, with its port and its Deployment, its configuration taken.

use super::finding::{Change, Fix, Found, Scope, Severity};
use super::limits::{edit, fix};
use super::rule::{Needs, Rule};
use super::snapshot::{Snapshot, items, name, text};
use crate::plan::thing::Thing;

pub const RULES: [Rule; 4] = [
    Rule {
        code: "GW065",
        title: "one gateway has each port",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 11
        story: "Looks for a Gateway's Service that can't have its port because another has it: the API server \
                refuses a second fixed nodePort, and only the controller's log says so; on a single node with a \
                load balancer of klipper's kind two Services clash the same way. One of them needs another port.",
        explains: &["GW040", "GW049"],
        look: ports,
    },
    Rule {
        code: "GW066",
        title: "the controller accepts the gateway",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 4.1, 3
        story: "Reads the conditions of our Gateway and of its listeners, and looks for the \
                AgentgatewayParameters that it names. Parameters that are missing make it flap between refused \
                and accepted, so they are told from the spec; ports 15000, 15020 and 15021 are skipped in \
                silence.",
        explains: &["GW007", "GW008", "GW040", "GW049", "GW070"],
        look: accepted,
    },
    Rule {
        code: "GW067",
        title: "the proxy takes its configuration",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 4.1
        story: "Looks for events AgentGatewayNackError on our Gateway: the proxy was sent a configuration and \
                refused it, and goes on with its last one. The event's message names the resource.",
        explains: &["GW040"],
        look: nack,
    },
    Rule {
        code: "GW070",
        title: "the Gateway has its Deployment",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 3.1, 4.1
        story: "Looks whether the controller, which runs, has made the Deployment of our Gateway within a \
                minute. Errors while it writes are in its log alone and never on the Gateway.",
        explains: &["GW040", "GW049"],
        look: undeployed,
    },
];

fn ports(snapshot: &Snapshot) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for line in snapshot.controller_log.iter().rev() {
        let said = line.text();
        let Some(at) = said.find("provided port is already allocated") else {
            continue;
        };
        let Some((space, title)) = said[..at]
            .split("Kind=Service ")
            .nth(1)
            .and_then(|rest| rest.split(':').next()?.split_once('/'))
        else {
            continue;
        };
        // What the log says may be over: a Service that is there has its ports.
        let there = snapshot.in_namespace("Service", space, title).is_some();
        let subject = format!("gateway {title}");
        if there
            || found.iter().any(|f| f.subject == subject)
            || snapshot.in_namespace("Gateway", space, title).is_none()
        {
            continue;
        }
        let scope = match title == snapshot.gateway {
            true => Scope::Everything,
            false => Scope::Routes(Default::default()),
        };
        let next = snapshot.kubectl(&format!("-n {space} edit agentgatewayparameters {title}"));
        found.push(
            Found::new(
                format!("Gateway {title} has its port"),
                subject,
                Fix::Command(next),
            )
            .short(format!("Gateway {title} has no port"))
            .scope(scope)
            .cause("another Service has the node's port that it asks for")
            .saw("controller log", crate::text::excerpt(&said, 240)),
        );
    }
    found
}

fn accepted(snapshot: &Snapshot) -> Vec<Found> {
    let Some(gateway) = snapshot.object("Gateway", &snapshot.gateway) else {
        return Vec::new();
    };
    let title = name(gateway);
    let subject = format!("gateway {title}");
    let base = |fix: Fix| {
        Found::new(
            format!("the controller accepts Gateway {title}"),
            subject.clone(),
            fix,
        )
        .about(Thing::of(gateway))
    };
    let wanted = text(gateway, "/spec/infrastructure/parametersRef/name");
    if !wanted.is_empty()
        && snapshot.object("AgentgatewayParameters", wanted).is_none()
        && !super::place::is_unread(snapshot, "AgentgatewayParameters")
    {
        let thing = Thing::Object {
            api_version: "agentgateway.dev/v1alpha1".into(),
            kind: "AgentgatewayParameters".into(),
            namespace: snapshot.namespace.clone(),
            name: wanted.to_string(),
        };
        let deleted = snapshot
            .drift("AgentgatewayParameters", wanted)
            .is_some_and(|drift| drift.missing);
        let fix = match deleted {
            true => Fix::Change(Change::Restore(thing.clone())),
            false => fix(snapshot, gateway, edit(snapshot, gateway)),
        };
        let about = if deleted { thing } else { Thing::of(gateway) };
        return vec![
            base(fix)
                .about(about)
                .short("the gateway's parameters are gone")
                .cause(format!(
                    "AgentgatewayParameters {wanted}, which it names, does not exist"
                ))
                .saw(format!("Gateway {title}, parametersRef"), wanted),
        ];
    }
    let reserved = items(gateway, "/spec/listeners")
        .find(|l| [15000, 15020, 15021].contains(&l["port"].as_i64().unwrap_or(0)));
    if let Some(listener) = reserved {
        return vec![
            base(fix(snapshot, gateway, edit(snapshot, gateway)))
                .short("a listener's port is reserved")
                .cause(format!(
                    "port {} is the proxy's own and the listener is skipped in silence",
                    listener["port"]
                ))
                .saw(
                    format!("Gateway {title}"),
                    format!("listener {}", text(listener, "/name")),
                ),
        ];
    }
    let conditions = items(gateway, "/status/conditions")
        .chain(items(gateway, "/status/listeners").flat_map(|l| items(l, "/conditions")));
    let mut bad = conditions.filter(|c| c["status"] == "False" && c["type"] != "Conflicted");
    let Some(bad) = bad.next() else {
        return Vec::new();
    };
    let message = text(bad, "/message");
    vec![
        base(fix(snapshot, gateway, edit(snapshot, gateway)))
            .short("the gateway is not accepted")
            .cause(crate::text::excerpt(message, 160))
            .saw(
                format!(
                    "Gateway {title}, {}=False {}",
                    text(bad, "/type"),
                    text(bad, "/reason")
                ),
                message,
            ),
    ]
}

fn nack(snapshot: &Snapshot) -> Vec<Found> {
    let gateway = &snapshot.gateway;
    let refused = snapshot.kind("Event").filter(|event| {
        text(event, "/reason") == "AgentGatewayNackError"
            && text(event, "/regarding/name") == *gateway
    });
    let Some(last) = refused.last() else {
        return Vec::new();
    };
    let message = text(last, "/note");
    vec![
        Found::new(
            "the proxy takes its configuration",
            format!("gateway {gateway}"),
            Fix::command("gw logs controller --errors"),
        )
        .short("the proxy refuses its configuration")
        .cause(crate::text::excerpt(message, 160))
        .saw(
            format!("event on Gateway {gateway}, AgentGatewayNackError"),
            message,
        ),
    ]
}

fn undeployed(snapshot: &Snapshot) -> Vec<Found> {
    let gateway = &snapshot.gateway;
    let Some(object) = snapshot.object("Gateway", gateway) else {
        return Vec::new();
    };
    let unread = super::place::is_unread(snapshot, "Deployment");
    let old = super::control::age(snapshot, object).is_some_and(|age| age > 60);
    if snapshot.object("Deployment", gateway).is_some()
        || unread
        || !old
        || !super::control::runs(snapshot)
    {
        return Vec::new();
    }
    let said = snapshot
        .controller_log
        .iter()
        .rev()
        .find(|line| line.is_error() && line.text().contains(gateway.as_str()));
    let found = Found::new(
        "the Gateway has its Deployment",
        format!("gateway {gateway}"),
        Fix::command("gw logs controller --errors"),
    )
    .short("the gateway's Deployment is not there")
    .cause("the controller runs and has not made it, or somebody deleted it")
    .saw(
        "Deployments",
        format!("no {gateway} in namespace {}", snapshot.namespace),
    );
    vec![match said {
        Some(said) => found.saw("controller log", crate::text::excerpt(&said.text(), 240)),
        None => found,
    }]
}
