//! Backends: their keys, what the controller says of them, and whether their hosts can be reached.

use super::finding::{Fix, Found, Scope, Severity};
use super::limits::{edit, fix};
use super::rule::{Needs, Rule};
use super::snapshot::{Snapshot, backends_of, condition, hosts, items, name, text};
use crate::plan::thing::Thing;
use serde_json::Value;

pub const RULES: [Rule; 5] = [
    Rule {
        code: "GW033",
        title: "the controller accepts every backend",
        severity: Severity::Fail,
        needs: Needs::Objects,
        // facts 4.4
        story: "Reads the condition Accepted of every backend. With TranslationError nothing of it reaches the \
                proxy, and an update that breaks a backend takes it away: callers get 500 service not found \
                while the route's own conditions are all true.",
        explains: &["GW008", "GW040"],
        look: accepted,
    },
    Rule {
        code: "GW034",
        title: "the host of every backend resolves in the gateway",
        severity: Severity::Fail,
        needs: Needs::Probes,
        // facts 11
        story: "An answer 503 `backends required DNS resolution which failed` says that the proxy's pod can't \
                resolve the backend's host. host.docker.internal and host.internal do not resolve in a kind \
                cluster on Linux, and a misspelt name resolves nowhere. gw proves a name from inside the cluster \
                before it puts it into a backend.",
        explains: &["GW008", "GW040"],
        look: resolves,
    },
    Rule {
        code: "GW037",
        title: "every MCP route offers tools",
        severity: Severity::Fail,
        needs: Needs::Probes,
        // facts 6, 9.8, 14.8
        story: "Asks each MCP route for its tools. An initialize that is answered with 200 and then an empty \
                list means that no server stands behind it: a selector needs Services whose port has appProtocol \
                kgateway.dev/mcp.",
        explains: &["GW040"],
        look: tools,
    },
    Rule {
        code: "GW038",
        title: "something answers at the address of every backend",
        severity: Severity::Fail,
        needs: Needs::Probes,
        // facts 9.7
        story: "An answer 503 `upstream call failed: Connect` says that the name resolved and the connection did \
                not come about: refused, no route, or TLS that did not agree. Nothing is said here of why; rules \
                about services of this machine and relays know more.",
        explains: &["GW008", "GW040"],
        look: connects,
    },
    Rule {
        code: "GW039",
        title: "every backend that a limit of its provider does not stop answers",
        severity: Severity::Warn,
        needs: Needs::Probes,
        // facts 9.7, 17.1
        story: "An answer 429 is a limit: of the gateway where its text is `rate limit exceeded` and the headers \
                x-ratelimit-* are there, of the provider otherwise. Waiting is the cure; a policy of the \
                gateway's can be raised in the profile.",
        explains: &["GW040"],
        look: limited,
    },
];

/// The backend behind one of our routes.
pub fn of_route<'a>(snapshot: &'a Snapshot, route: &str) -> Option<&'a Value> {
    let route = snapshot.object("HTTPRoute", route)?;
    let first = backends_of(route).first().copied()?.to_string();
    snapshot.object("AgentgatewayBackend", &first)
}

fn accepted(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for backend in snapshot.kind("AgentgatewayBackend") {
        let Some(bad) =
            condition(&backend["status"], "Accepted").filter(|c| c["status"] == "False")
        else {
            continue;
        };
        let title = name(backend);
        let message = text(bad, "/message");
        found.push(
            Found::new(
                format!("the controller accepts backend {title}"),
                format!("backend {title}"),
                fix(snapshot, backend, edit(snapshot, backend)),
            )
            .short(format!("backend {title} is not accepted"))
            .scope(snapshot.scope_of_backend(title))
            .cause(crate::text::excerpt(
                message.trim_start_matches("failed to translate backend: "),
                160,
            ))
            .saw(
                format!("AgentgatewayBackend {title}, Accepted=False"),
                message,
            ),
        );
    }
    found
}

/// Hosts of a route's backend, as people read them.
fn host_of(snapshot: &Snapshot, route: &str) -> String {
    let hosts = of_route(snapshot, route).map(hosts).unwrap_or_default();
    match hosts.first() {
        Some((host, port)) => format!("{host}:{port}"),
        None => "its provider's own host".to_string(),
    }
}

/// Our backend goes back to the host that was proved; anybody else's is theirs.
fn fix_backend(snapshot: &Snapshot, route: &str) -> (Fix, Option<Thing>) {
    let Some(backend) = of_route(snapshot, route) else {
        return (Fix::command("gw up"), None);
    };
    let command = match snapshot.is_ours(backend) {
        true => "gw up".to_string(),
        false => edit(snapshot, backend),
    };
    let fix = fix(snapshot, backend, command);
    (fix, Some(Thing::of(backend)))
}

fn resolves(snapshot: &Snapshot) -> Vec<Found> {
    let failed = snapshot
        .probes
        .iter()
        .filter(|p| p.body == "backends required DNS resolution which failed");
    let found = failed.map(|probe| {
        let host = host_of(snapshot, &probe.route);
        let (fix, about) = fix_backend(snapshot, &probe.route);
        let found = Found::new(
            format!("{host} resolves in the gateway"),
            snapshot.path_of(&probe.route),
            fix,
        )
        .short(format!("{host} does not resolve"))
        .scope(Scope::route(&probe.route))
        .cause(format!("the gateway's pod can't resolve {host}"))
        .saw(
            probe.sent.clone(),
            format!("{} {}", probe.status, probe.body),
        );
        Found { about, ..found }
    });
    found.collect()
}

fn tools(snapshot: &Snapshot) -> Vec<Found> {
    let empty = snapshot
        .probes
        .iter()
        .filter(|probe| probe.tools == Some(0));
    let found = empty.map(|probe| {
        let path = snapshot.path_of(&probe.route);
        let backend = of_route(snapshot, &probe.route);
        let selector = backend
            .is_some_and(|b| items(b, "/spec/mcp/targets").any(|t| t.get("selector").is_some()));
        let (cause, command) = match selector {
            true => (
                "its selector matches no Service whose port has appProtocol kgateway.dev/mcp",
                snapshot.kubectl(&format!(
                    "-n {} get services --show-labels",
                    snapshot.namespace
                )),
            ),
            false => ("the server behind it offers no tool", "gw logs".to_string()),
        };
        Found::new(
            format!("{path} offers tools"),
            path.clone(),
            Fix::Command(command),
        )
        .short(format!("{path} offers no tool"))
        .scope(Scope::route(&probe.route))
        .cause(cause)
        .saw(format!("{}, tools/list", probe.sent), probe.body.clone())
    });
    found.collect()
}

fn connects(snapshot: &Snapshot) -> Vec<Found> {
    let failed = snapshot
        .probes
        .iter()
        .filter(|probe| super::service::is_refused(probe));
    let found = failed.map(|probe| {
        let host = host_of(snapshot, &probe.route);
        let (fix, about) = fix_backend(snapshot, &probe.route);
        let found = Found::new(
            format!("something answers at {host}"),
            snapshot.path_of(&probe.route),
            fix,
        )
        .short(format!("nothing answers at {host}"))
        .scope(Scope::route(&probe.route))
        .cause(format!("the gateway gets no connection to {host}"))
        .saw(
            probe.sent.clone(),
            format!("{} {}", probe.status, probe.body),
        );
        Found { about, ..found }
    });
    found.collect()
}

fn limited(snapshot: &Snapshot) -> Vec<Found> {
    let limited = snapshot.probes.iter().filter(|probe| probe.status == 429);
    let found = limited.map(|probe| {
        let path = snapshot.path_of(&probe.route);
        let own = probe.body == "rate limit exceeded";
        let title = snapshot
            .routes
            .iter()
            .find(|r| r.name == probe.route)
            .map_or("the provider", |r| r.title.as_str());
        let (who, next) = match own {
            true => (
                "a rate limit of the gateway is used up".to_string(),
                "gw plan",
            ),
            false => (format!("a limit of {title} is used up"), "gw test"),
        };
        Found::new(
            format!("no limit stops {path}"),
            path.clone(),
            Fix::command(next),
        )
        .short(format!("{path} is limited"))
        .scope(Scope::route(&probe.route))
        .cause(who)
        .saw(probe.sent.clone(), format!("429 {}", probe.body))
    });
    found.collect()
}

#[cfg(test)]
#[path = "tests/backend.rs"]
mod tests;
