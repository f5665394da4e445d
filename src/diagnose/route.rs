//! Routes: attached, accepted, their prefix taken off, and what callers get.

use super::finding::{Fix, Found, Scope, Severity};
use super::limits::{edit, fix};
use super::rule::{Needs, Rule};
use super::snapshot::{Probe, Snapshot, condition, hosts, items, name, namespace, text};
use crate::plan::thing::Thing;
use serde_json::Value;

pub const RULES: [Rule; 4] = [
    Rule {
        code: "GW041",
        title: "every route is attached to a gateway",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 4.3, 15.2
        story: "Looks for routes whose parentRefs name a Gateway that does not exist: such a route gets no \
                status at all, and callers get 404 route not found. A name that is misspelt, or a Gateway in \
                another namespace, is the reason.",
        explains: &["GW008", "GW040", "GW042"],
        look: attached,
    },
    Rule {
        code: "GW042",
        title: "the gateway accepts every route",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 4.3
        story: "Reads the conditions of every route of our gateway. Accepted is False for a sectionName or port \
                that the gateway does not have, a namespace that its listener does not admit, a hostname that \
                does not meet; ResolvedRefs is False for filters that v2.2 does not know, and then the whole \
                route is dropped and callers get 404.",
        explains: &["GW008", "GW040"],
        look: accepted,
    },
    Rule {
        code: "GW043",
        title: "the backend of every route exists",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 4.3, 9.7, 15.4
        story: "Reads the condition ResolvedRefs of every route: BackendNotFound means that the backend it names \
                does not exist in its namespace, and callers get 500 no valid backends.",
        explains: &["GW007", "GW008", "GW040"],
        look: backend_there,
    },
    Rule {
        code: "GW045",
        title: "the prefix of every route is taken off where the backend wants it",
        severity: Severity::Fail,
        needs: Needs::Objects,
        // facts 9.4, 14.3, 15.2
        story: "Looks for routes with a prefix and no URLRewrite whose backend has a host of its own and no \
                path: the proxy sends the caller's path on as it is, so Ollama is asked for \
                /ollama/v1/chat/completions and answers 404 page not found. A filter URLRewrite with \
                ReplacePrefixMatch / takes it off.",
        explains: &["GW008", "GW040"],
        look: prefix,
    },
];

/// The policy of our namespace whose processor is of this name.
fn processing<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Value> {
    let reference = "/spec/traffic/extProc/backendRef/name";
    let mut policies = snapshot.kind("AgentgatewayPolicy");
    policies
        .find(|policy| text(policy, reference) == name && namespace(policy) == snapshot.namespace)
}

/// Our routes that an object concerns.
pub fn scope_of(snapshot: &Snapshot, kind: &str, name: &str) -> Scope {
    match kind {
        "HTTPRoute" => Scope::route(name),
        "AgentgatewayBackend" => snapshot.scope_of_backend(name),
        "AgentgatewayPolicy" => match snapshot.object(kind, name) {
            Some(policy) => super::limits::scope(snapshot, policy),
            None => Scope::Everything,
        },
        "Secret" => {
            let users = snapshot
                .kind("AgentgatewayBackend")
                .filter(|b| b.to_string().contains(&format!("\"{name}\"")));
            let mut routes = std::collections::BTreeSet::new();
            for user in users {
                if let Scope::Routes(more) = snapshot.scope_of_backend(self::name(user)) {
                    routes.extend(more);
                }
            }
            Scope::Routes(routes)
        }
        "Deployment" | "Service" | "EndpointSlice" => {
            let service = name.strip_prefix("host-").unwrap_or(name);
            let service = snapshot.services.iter().find(|s| s.name == service);
            match (service, processing(snapshot, name)) {
                (_, Some(policy)) => super::limits::scope(snapshot, policy),
                (Some(service), None) => snapshot.scope_of_service(service),
                (None, None) if kind == "Deployment" => Scope::Everything,
                (None, None) => Scope::Routes(Default::default()),
            }
        }
        _ => Scope::Everything,
    }
}

/// Routes that name our gateway, or that are ours.
fn concerned(snapshot: &Snapshot) -> impl Iterator<Item = &Value> {
    snapshot.kind("HTTPRoute").filter(|route| {
        let names = items(route, "/spec/parentRefs").any(|parent| {
            let there = parent["namespace"].as_str().unwrap_or(namespace(route));
            parent["name"] == *snapshot.gateway && there == snapshot.namespace
        });
        names || snapshot.is_ours(route) || namespace(route) == snapshot.namespace
    })
}

fn attached(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for route in concerned(snapshot) {
        let gone = items(route, "/spec/parentRefs").find(|parent| {
            let kind = parent["kind"].as_str().unwrap_or("Gateway");
            let there = parent["namespace"].as_str().unwrap_or(namespace(route));
            kind == "Gateway"
                && snapshot
                    .in_namespace("Gateway", there, text(parent, "/name"))
                    .is_none()
        });
        let Some(gone) = gone.filter(|_| snapshot.object("Gateway", &snapshot.gateway).is_some())
        else {
            continue;
        };
        let (title, parent) = (name(route), text(gone, "/name"));
        found.push(
            Found::new(
                format!("route {title} is attached to a gateway"),
                format!("route {title}"),
                fix(snapshot, route, edit(snapshot, route)),
            )
            .about(Thing::of(route))
            .short(format!("route {title} is attached to no gateway"))
            .scope(Scope::route(title))
            .cause(format!(
                "its parentRefs name Gateway {parent}, which does not exist"
            ))
            .saw(format!("HTTPRoute {title}, spec.parentRefs"), parent)
            .saw("Gateways", format!("no {parent}")),
        );
    }
    found
}

fn accepted(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for route in concerned(snapshot) {
        let parents: Vec<&Value> = items(route, "/status/parents").collect();
        let refused = parents
            .iter()
            .filter_map(|p| condition(p, "Accepted"))
            .find(|c| c["status"] == "False");
        let hard = ["InvalidKind", "UnsupportedValue", "IncompatibleFilters"];
        let dropped = parents
            .iter()
            .filter_map(|p| condition(p, "ResolvedRefs"))
            .find(|c| c["status"] == "False" && hard.contains(&text(c, "/reason")));
        let Some(bad) = refused.or(dropped) else {
            continue;
        };
        let (title, reason, message) = (name(route), text(bad, "/reason"), text(bad, "/message"));
        found.push(
            Found::new(
                format!("the gateway accepts route {title}"),
                format!("route {title}"),
                fix(snapshot, route, edit(snapshot, route)),
            )
            .about(Thing::of(route))
            .short(format!("route {title} is not accepted"))
            .scope(Scope::route(title))
            .cause(in_words(reason, message))
            .saw(
                format!("HTTPRoute {title}, {}=False {reason}", text(bad, "/type")),
                message,
            ),
        );
    }
    found
}

fn in_words(reason: &str, message: &str) -> String {
    match reason {
        "NoMatchingParent" => {
            "it names a listener or a port that the gateway does not have".to_string()
        }
        "NotAllowedByListeners" => {
            "the gateway's listeners admit no route of its namespace or kind".to_string()
        }
        "NoMatchingListenerHostname" => {
            "its hostnames meet no hostname of the gateway's listeners".to_string()
        }
        "IncompatibleFilters" => format!("it has a filter that v2.2 does not know: {message}"),
        _ => message.to_string(),
    }
}

fn backend_there(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for route in concerned(snapshot) {
        let refs = items(route, "/status/parents").filter_map(|p| condition(p, "ResolvedRefs"));
        let missing = refs.into_iter().find(|c| {
            c["status"] == "False"
                && ["BackendNotFound", "RefNotPermitted"].contains(&text(c, "/reason"))
        });
        let Some(bad) = missing else {
            continue;
        };
        let (title, message) = (name(route), text(bad, "/message"));
        let wanted = super::snapshot::backends_of(route);
        let gone = wanted.iter().find(|b| {
            snapshot
                .in_namespace("AgentgatewayBackend", namespace(route), b)
                .is_none()
        });
        let deleted = gone.filter(|b| {
            snapshot
                .drift("AgentgatewayBackend", b)
                .is_some_and(|d| d.missing)
        });
        let (fix, about, cause) = match (deleted, gone) {
            (Some(backend), _) => {
                let thing = backend_thing(namespace(route), backend);
                let change = Fix::Change(super::finding::Change::Restore(thing.clone()));
                (
                    change,
                    thing,
                    format!("gw made backend {backend}, and somebody else has deleted it"),
                )
            }
            (None, Some(backend)) => (
                fix(snapshot, route, edit(snapshot, route)),
                Thing::of(route),
                format!("it names backend {backend}, which does not exist"),
            ),
            (None, None) => (
                fix(snapshot, route, edit(snapshot, route)),
                Thing::of(route),
                message.to_string(),
            ),
        };
        found.push(
            Found::new(
                format!("the backend of route {title} exists"),
                format!("route {title}"),
                fix,
            )
            .about(about)
            .short(format!("route {title} has no backend"))
            .scope(Scope::route(title))
            .cause(cause)
            .saw(
                format!(
                    "HTTPRoute {title}, ResolvedRefs=False {}",
                    text(bad, "/reason")
                ),
                message,
            ),
        );
    }
    found
}

fn backend_thing(namespace: &str, name: &str) -> Thing {
    Thing::Object {
        api_version: "agentgateway.dev/v1alpha1".into(),
        kind: "AgentgatewayBackend".into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// Whether the backend of a rule is asked at the caller's own path: a host of its own, no path, and an
/// LLM of OpenAI's form.
fn keeps_path(snapshot: &Snapshot, namespace: &str, rule: &Value) -> Option<String> {
    let reference = items(rule, "/backendRefs").find(|r| r["kind"] == "AgentgatewayBackend")?;
    let backend =
        snapshot.in_namespace("AgentgatewayBackend", namespace, text(reference, "/name"))?;
    let provider = backend.pointer("/spec/ai/provider")?;
    let kept = provider.get("host").is_some() && provider.get("path").is_none();
    (kept && !hosts(backend).is_empty()).then(|| name(backend).to_string())
}

/// Whether an answer may come of the prefix: Ollama knows no such path, and our relay passes none.
fn is_prefix_seen(probe: &Probe, path: &str) -> bool {
    let by_relay = probe.status == 403
        && probe.body.starts_with("gatewright relay")
        && probe.body.contains(path);
    probe.status == 404 || by_relay
}

fn prefix(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for route in concerned(snapshot) {
        let title = name(route);
        let unstripped = items(route, "/spec/rules").find_map(|rule| {
            let rewrites = items(rule, "/filters").any(|filter| filter["type"] == "URLRewrite");
            let path = items(rule, "/matches").find_map(|m| {
                let path = m.get("path")?;
                (path["type"] == "PathPrefix")
                    .then(|| text(path, "/value"))
                    .filter(|p| *p != "/")
            })?;
            let backend = keeps_path(snapshot, namespace(route), rule)?;
            (!rewrites).then(|| (path.to_string(), backend))
        });
        let Some((path, backend)) = unstripped else {
            continue;
        };
        // A server may be meant to see the prefix; and a connection that was refused has another cause.
        let probe = snapshot.probe(title);
        if probe.is_some_and(|probe| !is_prefix_seen(probe, &path)) || path.starts_with("/v1") {
            continue;
        }
        let mut one = Found::new(
            format!("the prefix {path} is taken off"),
            format!("route {title}"),
            fix(snapshot, route, edit(snapshot, route)),
        )
        .about(Thing::of(route))
        .short(format!("route {title} keeps its prefix"))
        .scope(Scope::route(title))
        .cause(format!(
            "backend {backend} has a host of its own and no path, so it is asked for {path}/v1/…"
        ))
        .saw(
            format!("HTTPRoute {title}"),
            format!("PathPrefix {path}, no URLRewrite"),
        );
        if let Some(probe) = probe {
            one = one.saw(
                probe.sent.clone(),
                format!("{} {}", probe.status, probe.body),
            );
        }
        found.push(one);
    }
    found
}

#[cfg(test)]
#[path = "tests/route.rs"]
mod tests;
