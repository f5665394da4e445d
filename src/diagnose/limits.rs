//! Fields that are accepted and do nothing, or not what they seem to (facts 14.4, 17).

use super::finding::{Change, Fix, Found, Scope, Severity};
use super::rule::{Needs, Rule};
use super::snapshot::{Snapshot, items, name, text};
use crate::plan::thing::Thing;
use serde_json::Value;

pub const RULES: [Rule; 6] = [
    Rule {
        code: "GW012",
        title: "every field of a policy has an effect",
        severity: Severity::Warn,
        needs: Needs::Objects,
        // facts 4.4, 4.5, 7.1, 14.4
        story: "Looks for fields that the CRDs accept and v2.2 does not act on: targetSelectors, targets of kind \
                XListenerSet, and a backend's policies.tcp. Their policies get no status at all. Name the routes \
                or gateways in targetRefs instead.",
        explains: &[],
        look: no_effect,
    },
    Rule {
        code: "GW013",
        title: "a browser's preflight gets past the API keys",
        severity: Severity::Warn,
        needs: Needs::Objects,
        // facts 9.1, 14.6, 17.3
        story: "Looks for routes with CORS and with strict authentication. The proxy asks for the key before it \
                comes to CORS, and a browser sends no key with its preflight, so it gets 401 and the page never \
                asks. Mode Optional with an authorization rule, or a route of its own for browsers, is the way \
                out.",
        explains: &[],
        look: preflight,
    },
    Rule {
        code: "GW014",
        title: "local rate limits take effect",
        severity: Severity::Warn,
        needs: Needs::Objects,
        // facts 7.2, 14.4
        story: "Looks for a policy with more than one entry in traffic.rateLimit.local. v2.2 uses the first \
                alone and says nothing about the others. Limits of two policies do not add up either: the one \
                that is nearer to the route wins. Keep the limit that matters most, or put the other at the \
                provider.",
        explains: &["GW008"],
        look: second_limit,
    },
    Rule {
        code: "GW015",
        title: "authorization lets somebody through",
        severity: Severity::Fail,
        needs: Needs::Objects,
        // facts 17.9
        story: "Looks for policies on the same target whose authorization rules are all of action Deny. \
                agentgateway 0.12.0 refuses every request then, matching or not, with 403 authorization failed. \
                A Deny needs an Allow beside it.",
        explains: &["GW008", "GW040"],
        look: only_deny,
    },
    Rule {
        code: "GW018",
        title: "a backend at port 443 is asked over TLS",
        severity: Severity::Warn,
        needs: Needs::Objects,
        // facts 9.4, 14.3
        story: "Looks for backends with a host of their own at port 443 and no policies.tls. With a host given \
                the proxy's own TLS for the provider is off, so it sends plain HTTP to a port that wants TLS. \
                `policies: {tls: {}}` turns it on with the system's roots.",
        explains: &["GW008", "GW038", "GW040"],
        look: without_tls,
    },
    Rule {
        code: "GW019",
        title: "keys for callers are usable as they are kept",
        severity: Severity::Fail,
        needs: Needs::Objects,
        // facts 5
        story: "Looks at the Secrets of API-key policies: v2.2 does not trim their values, so one that ends in a \
                line end never matches, and an empty one can end the controller. Write them with \
                `--from-literal`, or let gw make the Secret.",
        explains: &["GW040", "GW053"],
        look: caller_keys,
    },
];

fn policies(snapshot: &Snapshot) -> impl Iterator<Item = &Value> {
    snapshot.kind("AgentgatewayPolicy")
}

/// Whose it is decides: ours goes back to what was applied, anybody else's is theirs to change.
pub fn fix(snapshot: &Snapshot, object: &Value, command: String) -> Fix {
    let kind = text(object, "/kind");
    match snapshot.is_ours(object) && snapshot.drift(kind, name(object)).is_some() {
        true => Fix::Change(Change::Restore(Thing::of(object))),
        false => Fix::Command(command),
    }
}

/// A command that opens an object for its owner.
pub fn edit(snapshot: &Snapshot, object: &Value) -> String {
    let kind = text(object, "/kind").to_lowercase();
    let namespace = super::snapshot::namespace(object);
    snapshot.kubectl(&format!("-n {namespace} edit {kind} {}", name(object)))
}

/// Our routes that a policy is for; every one where it is for the gateway.
pub fn scope(snapshot: &Snapshot, policy: &Value) -> Scope {
    let mut routes = std::collections::BTreeSet::new();
    for target in items(policy, "/spec/targetRefs") {
        match text(target, "/kind") {
            "HTTPRoute" => {
                routes.insert(text(target, "/name").to_string());
            }
            "Gateway" => return Scope::Everything,
            "AgentgatewayBackend" => match snapshot.scope_of_backend(text(target, "/name")) {
                Scope::Routes(more) => routes.extend(more),
                Scope::Everything => return Scope::Everything,
            },
            _ => {}
        }
    }
    Scope::Routes(routes)
}

fn no_effect(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for policy in policies(snapshot) {
        let mut idle = Vec::new();
        if items(policy, "/spec/targetSelectors").next().is_some() {
            idle.push("spec.targetSelectors");
        }
        if items(policy, "/spec/targetRefs").any(|target| target["kind"] == "XListenerSet") {
            idle.push("targetRefs of kind XListenerSet");
        }
        if policy.pointer("/spec/backend/tcp").is_some() {
            idle.push("spec.backend.tcp");
        }
        for field in idle {
            found.push(without_effect(snapshot, policy, field));
        }
    }
    for backend in snapshot.kind("AgentgatewayBackend") {
        if backend.pointer("/spec/policies/tcp").is_some() {
            found.push(without_effect(snapshot, backend, "spec.policies.tcp"));
        }
    }
    found
}

fn without_effect(snapshot: &Snapshot, object: &Value, field: &str) -> Found {
    let title = Thing::of(object).title();
    let fix = fix(snapshot, object, edit(snapshot, object));
    Found::new(
        format!("every field of {title} has an effect"),
        title.clone(),
        fix,
    )
    .short(format!("{field} of {title} does nothing"))
    .scope(scope(snapshot, object))
    .cause(format!("{field} is accepted and not acted on by v2.2"))
    .saw(title, field)
}

fn preflight(snapshot: &Snapshot) -> Vec<Found> {
    let strict = |policy: &&Value| {
        [
            "apiKeyAuthentication",
            "basicAuthentication",
            "jwtAuthentication",
        ]
        .iter()
        .any(|way| {
            let rule = policy.pointer(&format!("/spec/traffic/{way}"));
            rule.is_some_and(|rule| rule["mode"].as_str().unwrap_or("Strict") == "Strict")
        })
    };
    let with_cors: Vec<&Value> = policies(snapshot)
        .filter(|p| p.pointer("/spec/traffic/cors").is_some())
        .collect();
    let strict: Vec<&Value> = policies(snapshot).filter(strict).collect();
    let mut found = Vec::new();
    for cors in with_cors {
        let meets = |keys: &&&Value| {
            let (a, b) = (scope(snapshot, cors), scope(snapshot, keys));
            a.covers(&b) || b.covers(&a)
        };
        let Some(keys) = strict.iter().find(meets) else {
            continue;
        };
        let (cors_name, keys_name) = (name(cors), name(keys));
        found.push(
            Found::new(
                "a browser's preflight gets past the API keys",
                format!("policy {cors_name}"),
                Fix::command(edit(snapshot, keys)),
            )
            .scope(scope(snapshot, cors))
            .cause("the proxy asks for credentials before CORS, and a preflight brings none")
            .saw(format!("policy {cors_name}"), "traffic.cors")
            .saw(
                format!("policy {keys_name}"),
                "authentication in mode Strict",
            ),
        );
    }
    found
}

fn second_limit(snapshot: &Snapshot) -> Vec<Found> {
    let many = policies(snapshot)
        .filter(|policy| items(policy, "/spec/traffic/rateLimit/local").count() > 1);
    let found = many.map(|policy| {
        let title = name(policy);
        let count = items(policy, "/spec/traffic/rateLimit/local").count();
        Found::new(
            "local rate limits take effect",
            format!("policy {title}"),
            fix(snapshot, policy, edit(snapshot, policy)),
        )
        .about(Thing::of(policy))
        .short(format!("a limit of policy {title} does nothing"))
        .scope(scope(snapshot, policy))
        .cause("only the first entry of rateLimit.local is used by v2.2, the others are ignored")
        .saw(
            format!("AgentgatewayPolicy {title}"),
            format!("{count} entries in traffic.rateLimit.local"),
        )
    });
    found.collect()
}

fn only_deny(snapshot: &Snapshot) -> Vec<Found> {
    let rules: Vec<&Value> = policies(snapshot)
        .filter(|policy| policy.pointer("/spec/traffic/authorization").is_some())
        .collect();
    let denies = |policy: &Value| {
        policy
            .pointer("/spec/traffic/authorization/action")
            .is_some_and(|a| a == "Deny")
    };
    let mut found = Vec::new();
    for policy in rules.iter().filter(|policy| denies(policy)) {
        let target = policy.pointer("/spec/targetRefs");
        let allowed = rules
            .iter()
            .any(|other| !denies(other) && scope(snapshot, other).covers(&scope(snapshot, policy)));
        if allowed || target.is_none() {
            continue;
        }
        let title = name(policy);
        found.push(
            Found::new(
                "authorization lets somebody through",
                format!("policy {title}"),
                fix(snapshot, policy, edit(snapshot, policy)),
            )
            .about(Thing::of(policy))
            .short(format!("policy {title} refuses everybody"))
            .scope(scope(snapshot, policy))
            .cause("with only Deny rules agentgateway refuses every request, matching or not")
            .saw(
                format!("AgentgatewayPolicy {title}"),
                "traffic.authorization.action: Deny, and no Allow beside it",
            ),
        );
    }
    found
}

fn without_tls(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for backend in snapshot.kind("AgentgatewayBackend") {
        let plain = super::snapshot::hosts(backend)
            .into_iter()
            .any(|(_, port)| port == 443);
        let whole = backend.to_string();
        if !plain || whole.contains("\"tls\":") {
            continue;
        }
        let title = name(backend);
        found.push(
            Found::new(
                "a backend at port 443 is asked over TLS",
                format!("backend {title}"),
                fix(snapshot, backend, edit(snapshot, backend)),
            )
            .about(Thing::of(backend))
            .short(format!("backend {title} is asked without TLS"))
            .scope(snapshot.scope_of_backend(title))
            .cause("with a host of its own a backend is asked in plain HTTP unless policies.tls is set")
            .saw(format!("AgentgatewayBackend {title}"), "port 443, no policies.tls"),
        );
    }
    found
}

fn caller_keys(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for policy in policies(snapshot) {
        let secret = text(policy, "/spec/traffic/apiKeyAuthentication/secretRef/name");
        let namespace = super::snapshot::namespace(policy);
        let Some(object) = snapshot.in_namespace("Secret", namespace, secret) else {
            continue;
        };
        let entries = object["data"].as_object().into_iter().flatten();
        let bad: Vec<(&String, &str)> = entries
            .filter_map(|(entry, word)| {
                Some((
                    entry,
                    word.as_str()
                        .filter(|w| ["empty", "line end"].contains(w))?,
                ))
            })
            .collect();
        let Some((entry, word)) = bad.first() else {
            continue;
        };
        let cause = match *word {
            "empty" => "an empty value is no key, and can end the controller",
            _ => "values are not trimmed: with its line end the key never matches",
        };
        found.push(
            Found::new(
                "keys for callers are usable as they are kept",
                format!("Secret {secret}"),
                Fix::command(edit(snapshot, object)),
            )
            .short(format!("entry {entry} of Secret {secret} matches nobody"))
            .scope(scope(snapshot, policy))
            .cause(cause)
            .saw(format!("Secret {secret}"), format!("entry {entry}: {word}")),
        );
    }
    found
}

#[cfg(test)]
#[path = "tests/limits.rs"]
mod tests;
