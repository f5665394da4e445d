//! Keys of backends: the Secret there, with the entry that is read, and taken by the provider.

use super::backend::of_route;
use super::finding::{Change, Fix, Found, Scope, Severity};
use super::limits::edit;
use super::rule::{Needs, Rule};
use super::snapshot::{Probe, Snapshot, condition, items, name, namespace, text};
use crate::plan::thing::Thing;
use crate::verify::drift::Drift;
use serde_json::Value;

pub const RULES: [Rule; 4] = [
    Rule {
        code: "GW030",
        title: "every Secret that a backend names is there",
        severity: Severity::Fail,
        needs: Needs::Objects,
        // facts 4.4, 15.3
        story: "Follows secretRef of every backend, those inside provider groups and MCP targets too, to the \
                Secret in the backend's namespace. Without it the backend is not accepted and callers get 500 \
                service not found, while the route says that all is well; inside a group the provider is asked \
                without a key and nobody says so. The fix makes our Secret again from the key at hand.",
        explains: &["GW007", "GW008", "GW031", "GW033", "GW040"],
        look: secret_there,
    },
    Rule {
        code: "GW031",
        title: "every Secret of a backend has the entry that is read",
        severity: Severity::Fail,
        needs: Needs::Objects,
        // facts 5, 13, 15.3
        story: "Looks into each Secret that a backend names for the one entry that v2.2 reads: Authorization for \
                providers, in that exact case; accessKey and secretKey for AWS. An entry called api-key, as many \
                guides have it, is not read, and the backend is not accepted. The fix puts our entry back from \
                the key at hand.",
        explains: &["GW008", "GW033", "GW040"],
        look: secret_entry,
    },
    Rule {
        code: "GW032",
        title: "every provider takes its key",
        severity: Severity::Fail,
        needs: Needs::Probes,
        story: "Sends one small request through each route. An answer 401 or 403 that is the provider's own, \
                not the gateway's, means that the key came through and was refused: mistyped, revoked, or of \
                another account. Where the key at hand is another than the one in the cluster the fix puts \
                it there; otherwise a new key is what is needed.",
        explains: &["GW008", "GW040"],
        look: key_taken,
    },
    Rule {
        code: "GW035",
        title: "no key has ended",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        story: "Keeps the time at which a key ends, where whoever gave it tells: a session of AWS, for one. After it \
                the provider refuses every request of its backend. Log in again where the key came from; `gw up` \
                takes the new one.",
        explains: &["GW032", "GW040"],
        look: ended,
    },
];

/// Every Secret that a backend names: its name and the entries that are read of it.
fn secrets(backend: &Value) -> Vec<(String, &'static [&'static str])> {
    let own = backend.pointer("/spec/policies/auth").into_iter();
    let groups = items(backend, "/spec/ai/groups").flat_map(|group| items(group, "/providers"));
    let targets = items(backend, "/spec/mcp/targets").filter_map(|target| target.get("static"));
    let inner = groups
        .chain(targets)
        .filter_map(|place| place.pointer("/policies/auth"));
    own.chain(inner)
        .filter_map(|auth| {
            let plain = auth
                .pointer("/secretRef/name")
                .map(|name| (name, &["Authorization"] as &[_]));
            let aws = auth
                .pointer("/aws/secretRef/name")
                .map(|name| (name, &["accessKey", "secretKey"] as &[_]));
            let (name, entries) = plain.or(aws)?;
            Some((name.as_str()?.to_string(), entries))
        })
        .collect()
}

/// Whether a backend's field says with which key it asks.
fn leads(path: &str) -> bool {
    path.contains("/auth") || path.ends_with("/policies")
}

fn secret_there(snapshot: &Snapshot) -> Vec<Found> {
    if super::place::is_unread(snapshot, "Secret") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for backend in snapshot.kind("AgentgatewayBackend") {
        for (secret, _) in secrets(backend) {
            let space = namespace(backend);
            if snapshot.in_namespace("Secret", space, &secret).is_some() {
                continue;
            }
            let backend_name = name(backend);
            let thing = secret_thing(space, &secret);
            let ours = snapshot.drift("Secret", &secret).is_some();
            let create = snapshot.kubectl(&format!(
                "-n {space} create secret generic {secret} --from-file=Authorization=/dev/stdin"
            ));
            // A backend of ours that names another Secret than it was given.
            let led = |drift: &Drift| drift.fields.iter().any(|field| leads(&field.path));
            let turned = !ours
                && snapshot.is_ours(backend)
                && snapshot
                    .drift("AgentgatewayBackend", backend_name)
                    .is_some_and(led);
            let (thing, fix) = match (ours, turned) {
                (true, _) => (thing.clone(), Fix::Change(Change::Restore(thing))),
                (_, true) => {
                    let backend = Thing::of(backend);
                    (backend.clone(), Fix::Change(Change::Restore(backend)))
                }
                (false, false) => (thing, Fix::command(create)),
            };
            let cause = match ours {
                true => "gw made it, and somebody else has deleted it",
                false if turned => {
                    "somebody else has changed the backend, and it names a Secret that does not exist"
                }
                false => "the backend names a Secret that does not exist",
            };
            let said = condition(&backend["status"], "Accepted")
                .map(|c| text(c, "/message"))
                .unwrap_or("");
            let mut one = Found::new(
                format!("Secret {secret} is there"),
                format!("backend {backend_name}"),
                fix,
            )
            .about(thing)
            .short(format!("Secret {secret} is gone"))
            .scope(snapshot.scope_of_backend(backend_name))
            .cause(cause)
            .saw("Secrets", format!("no {secret} in namespace {space}"));
            if said.contains(&secret) {
                one = one.saw(
                    format!("AgentgatewayBackend {backend_name}, Accepted=False"),
                    said,
                );
            }
            found.push(one);
        }
    }
    found
}

fn secret_thing(namespace: &str, name: &str) -> Thing {
    Thing::Object {
        api_version: "v1".into(),
        kind: "Secret".into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn secret_entry(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for backend in snapshot.kind("AgentgatewayBackend") {
        for (secret, wanted) in secrets(backend) {
            let space = namespace(backend);
            let Some(object) = snapshot.in_namespace("Secret", space, &secret) else {
                continue;
            };
            let entries = &object["data"];
            let good = |entry: &&&str| {
                entries[**entry]
                    .as_str()
                    .is_some_and(|word| word != "empty")
            };
            let Some(lacking) = wanted.iter().find(|entry| !good(entry)) else {
                continue;
            };
            let has: Vec<&str> = entries
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str())
                .collect();
            let there = match has.is_empty() {
                true => "no entry".to_string(),
                false => crate::text::list(&has),
            };
            let thing = secret_thing(space, &secret);
            let fix = match snapshot.drift("Secret", &secret) {
                Some(_) => Fix::Change(Change::Restore(thing.clone())),
                None => Fix::command(edit(snapshot, object)),
            };
            let backend_name = name(backend);
            let cause = match entries[*lacking].as_str() {
                Some(_) => format!("its entry {lacking} is empty"),
                None => format!("v2.2 reads the entry {lacking} alone, and it has {there}"),
            };
            found.push(
                Found::new(
                    format!("Secret {secret} has the entry {lacking}"),
                    format!("backend {backend_name}"),
                    fix,
                )
                .about(thing)
                .short(format!("Secret {secret} has no entry {lacking}"))
                .scope(snapshot.scope_of_backend(backend_name))
                .cause(cause)
                .saw(format!("Secret {secret}, entries"), there),
            );
        }
    }
    found
}

/// Texts of the gateway's own refusals: what is left at 401 and 403 is the provider's (facts 9.7).
fn is_own_refusal(probe: &Probe) -> bool {
    let own = [
        "api key authentication failure",
        "basic authentication failure",
        "authentication failure",
        "authorization failed",
        "external authorization failed",
        "CSRF validation failed",
        "The request was rejected",
    ];
    own.iter().any(|text| probe.body.starts_with(text))
}

fn key_taken(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for route in snapshot
        .routes
        .iter()
        .filter(|route| !route.variable.is_empty())
    {
        let Some(probe) = snapshot.probe(&route.name) else {
            continue;
        };
        let json = probe.content_type.contains("json");
        if !matches!(probe.status, 401 | 403) || !json || is_own_refusal(probe) {
            continue;
        }
        let secret =
            of_route(snapshot, &route.name).and_then(|backend| secrets(backend).into_iter().next());
        let secret = secret.map(|(secret, _)| secret);
        // The word is given by whoever could compare the live value with the key at hand.
        let other = secret.as_ref().and_then(|secret| {
            let object = snapshot.object("Secret", secret)?;
            object["data"]["Authorization"]
                .as_str()
                .filter(|word| *word == "another")
        });
        let variable = &route.variable;
        let (fix, cause) = match (&secret, other) {
            (Some(secret), Some(_)) => (
                Fix::Change(Change::Restore(secret_thing(&snapshot.namespace, secret))),
                format!(
                    "{} refuses the key in Secret {secret}, which is another than the one at hand",
                    route.title
                ),
            ),
            _ => (
                Fix::command(format!("read -rs {variable} && export {variable} && gw up")),
                format!("{} refuses the key", route.title),
            ),
        };
        let mut one = Found::new(
            format!("{} takes the key", route.title),
            route.path.clone(),
            fix,
        )
        .short(format!("{} refuses the key", route.title))
        .scope(Scope::route(&route.name))
        .cause(cause)
        .saw(
            probe.sent.clone(),
            format!("{} {}", probe.status, probe.body),
        );
        if let Some(secret) = secret {
            one = one.about(secret_thing(&snapshot.namespace, &secret));
        }
        found.push(one);
    }
    found
}

fn ended(snapshot: &Snapshot) -> Vec<Found> {
    let ended = snapshot.ended.iter().map(|(owner, seconds)| {
        let ago = crate::text::duration(std::time::Duration::from_secs(*seconds));
        Found::new(
            format!("the key of {owner} has not ended"),
            format!("backend {owner}"),
            Fix::command("gw up"),
        )
        .short(format!("the key of {owner} has ended"))
        .scope(snapshot.scope_of_backend(owner))
        .cause(format!("the key of {owner} ended {ago} ago"))
        .saw("what `gw up` was given", format!("ended {ago} ago"))
    });
    ended.collect()
}
