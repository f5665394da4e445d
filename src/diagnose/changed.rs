//! What we made, as it is now: gone, or changed by somebody.

use super::caller::from_gateway;
use super::finding::{Change, Fix, Found, Scope};
use super::snapshot::{Probe, Snapshot};
use crate::plan::thing::Thing;
use crate::text;
use crate::verify::drift::Drift;
use std::collections::BTreeSet;

/// What is not there any more.
pub fn missing(snapshot: &Snapshot) -> Vec<Found> {
    // What gw has not made yet, or has taken back itself, nobody else has deleted.
    let gone = snapshot.drift.iter().filter(|drift| drift.missing);
    let gone = gone.filter(|drift| snapshot.is_made(&drift.thing));
    let found = gone.filter_map(|drift| {
        let Thing::Object { kind, name, .. } = &drift.thing else {
            return None;
        };
        let title = drift.thing.title();
        let found = Found::new(
            format!("{title} is there"),
            title.clone(),
            Fix::Change(Change::Restore(drift.thing.clone())),
        );
        let found = found
            .short(format!("{title} is gone"))
            .cause("gw made it, and somebody else has deleted it")
            .saw(
                "objects",
                format!("no {title} in namespace {}", snapshot.namespace),
            );
        let scope = super::route::scope_of(snapshot, kind, name);
        Some(found.scope(scope).about(drift.thing.clone()))
    });
    found.collect()
}

/// What is there, and not as it was applied.
pub fn changed(snapshot: &Snapshot) -> Vec<Found> {
    let changed = snapshot.drift.iter().filter(|drift| !drift.missing);
    let found = changed.map(|drift| {
        let title = drift.thing.title();
        let fix = Fix::Change(Change::Restore(drift.thing.clone()));
        let mut found = Found::new(format!("{title} is as gw applied it"), title.clone(), fix)
            .short(format!("{title} was changed"));
        let by: Vec<&str> = drift
            .fields
            .iter()
            .filter_map(|field| field.by.as_deref())
            .collect();
        found.cause = match by.first() {
            Some(by) => format!(
                "{by} has changed {}",
                text::count(drift.fields.len(), "field")
            ),
            None => format!(
                "{} not as applied",
                text::count(drift.fields.len(), "field is")
            ),
        };
        for field in &drift.fields {
            let said = |value: &Option<serde_json::Value>| {
                value
                    .as_ref()
                    .map_or("nothing".to_string(), |v| text::excerpt(&v.to_string(), 60))
            };
            found = found.saw(
                field.path.clone(),
                format!(
                    "{} where gw applied {}",
                    said(&field.live),
                    said(&field.planned)
                ),
            );
        }
        match &drift.thing {
            Thing::Object { kind, name, .. } => {
                let scope = super::route::scope_of(snapshot, kind, name);
                let blamed = blamed(snapshot, kind, drift, &scope);
                found.scope(scope).about(drift.thing.clone()).blamed(blamed)
            }
            _ => found,
        }
    });
    found.collect()
}

/// Routes whose failing answer may come of the change: it lies in what the object asks for, and the answer
/// is one that such an object can bring about.
fn blamed(snapshot: &Snapshot, kind: &str, drift: &Drift, scope: &Scope) -> BTreeSet<String> {
    let fields = || drift.fields.iter().map(|field| field.path.as_str());
    let asks = fields().any(|path| path.starts_with("/spec"));
    let elsewhere = fields().any(|path| path.contains("/backendRefs") || path.contains("/filters"));
    let may = |probe: &&Probe| {
        let own = from_gateway(probe);
        // What the provider answers to a request that it does not like.
        let disliked = (400..500).contains(&probe.status) && probe.status != 429;
        !probe.good
            && match kind {
                "HTTPRoute" => own || elsewhere && probe.status != 0,
                "AgentgatewayBackend" => own || disliked,
                "AgentgatewayPolicy" => own,
                _ => false,
            }
    };
    let concerned = |probe: &&Probe| asks && scope.covers(&Scope::route(&probe.route));
    let failed = snapshot.probes.iter().filter(concerned).filter(may);
    failed.map(|probe| probe.route.clone()).collect()
}

#[cfg(test)]
#[path = "tests/changed.rs"]
mod tests;
