//! The one look at everything: cluster, host, probes, side by side. Whatever can't be looked at is
//! noted, never a failure: a person asks exactly when things are broken.

mod cluster;
mod host;
mod probe;

use super::applied::Applied;
use super::snapshot::{Route, Snapshot};
use crate::apply::ledger::Ledger;
use crate::apply::record::{Record, now};
use crate::host::paths::EnvironmentPaths;
use crate::plan::{PlannedRoute, Served};
use crate::secret::vault::Vault;
use crate::target::embedded::Embedded;
use crate::verify::credential::Credential;
use crate::verify::drift::{Drift, told};
use serde_json::Value;
use std::collections::BTreeMap;

pub use cluster::shapes;

/// What a look is given.
pub struct Scene<'a> {
    pub paths: &'a EnvironmentPaths,
    pub record: &'a Record,
    /// What the last `up` applied, where it is known.
    pub applied: Option<&'a Applied>,
    /// Routes with what a caller has to show.
    pub routes: Vec<(PlannedRoute, Credential)>,
    /// The keys at hand, to be compared with those in the cluster and kept out of texts.
    pub vault: &'a Vault,
    /// The embedded gateway, where that is the target.
    pub embedded: Option<&'a Embedded>,
    /// Whether real requests are sent through the routes: they cost tokens.
    pub probes: bool,
    /// Lines of each log.
    pub lines: i64,
}

pub async fn gather(scene: &Scene<'_>) -> Snapshot {
    let record = scene.record;
    let mut snapshot = Snapshot {
        environment: record.environment.clone(),
        target: record.target.clone(),
        cluster: record.cluster.clone(),
        gateway: record.gateway.clone(),
        namespace: record.namespace.clone(),
        system: record.system().to_string(),
        context: record.cluster_context().unwrap_or_default(),
        base_url: record.base_url.clone(),
        port: record.port,
        routes: scene.routes.iter().map(|(route, _)| shown(route)).collect(),
        ledger: Ledger::peek(&scene.paths.ledger()),
        wires: record.wires.clone(),
        taken_back: record.taken_back,
        ended: ended(&record.expiries, now()),
        ..Snapshot::default()
    };
    let probes = async {
        match scene.probes {
            true => probe::all(scene).await,
            false => Vec::new(),
        }
    };
    let inside = async {
        match scene.embedded {
            Some(embedded) => embedded_place(embedded).await,
            None => cluster::look(scene).await,
        }
    };
    let (host, probes, inside) = tokio::join!(host::look(scene), probes, inside);
    snapshot.processes = host.processes;
    snapshot.services = host.services;
    snapshot.door = host.door;
    snapshot.logins = host.logins;
    snapshot.probes = probes;
    snapshot.place = inside.place;
    snapshot.place.container = host.container;
    snapshot.objects = inside.objects;
    snapshot.crds = inside.crds;
    snapshot.releases = inside.releases;
    snapshot.controller_log = inside.controller_log;
    snapshot.proxy_log = inside.proxy_log;
    snapshot.unread = inside.unread;
    if !snapshot.on_cluster() {
        snapshot.proxy_log = host.gateway_log;
    }
    snapshot.drift = drift(scene, &snapshot);
    host::ask_by_name(&mut snapshot).await;
    snapshot
}

/// Keys that have ended, and for how many seconds.
fn ended(expiries: &BTreeMap<String, u64>, now: u64) -> BTreeMap<String, u64> {
    let ended = expiries.iter().filter(|(_, at)| **at <= now);
    ended.map(|(owner, at)| (owner.clone(), now - at)).collect()
}

/// What the place itself shows.
#[derive(Default)]
pub struct Inside {
    pub place: super::snapshot::Place,
    pub objects: Vec<Value>,
    pub crds: std::collections::BTreeMap<String, String>,
    pub releases: Vec<super::snapshot::Release>,
    pub controller_log: Vec<super::log::Line>,
    pub proxy_log: Vec<super::log::Line>,
    pub unread: Vec<(String, String)>,
}

async fn embedded_place(embedded: &Embedded) -> Inside {
    let mut inside = Inside::default();
    match embedded.objects().await {
        Ok(objects) => {
            inside.place.alive = true;
            inside.objects = objects.into_iter().map(shapes).collect();
        }
        Err(error) => inside.place.silence = error.to_string(),
    }
    inside
}

fn shown(route: &PlannedRoute) -> Route {
    let (provider, variable) = match &route.serves {
        Served::Chat { provider, .. } => {
            let ways = provider.ways();
            let cloud = ways.home == crate::provider::Home::Cloud;
            let variable = ways.variables.first().filter(|_| cloud);
            (ways.name, variable.copied().unwrap_or_default())
        }
        Served::Tools => ("mcp", ""),
    };
    Route {
        name: route.name.clone(),
        path: route.path.clone(),
        provider: provider.to_string(),
        title: route.serves.title().to_string(),
        model: route.serves.model().to_string(),
        variable: variable.to_string(),
    }
}

/// Applied objects beside live ones. Where the live ones can't be read there is no difference to tell.
fn drift(scene: &Scene<'_>, snapshot: &Snapshot) -> Vec<Drift> {
    let Some(applied) = scene.applied.filter(|_| snapshot.place.alive) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for planned in applied.standing(&snapshot.wires) {
        let kind = planned["kind"].as_str().unwrap_or("");
        let name = planned["metadata"]["name"].as_str().unwrap_or("");
        if !super::place::is_unread(snapshot, kind) {
            found.extend(told(&planned, snapshot.object(kind, name)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_ended_from_its_last_second_on() {
        let expiries = [("a".to_string(), 100), ("b".to_string(), 101)].into();
        assert_eq!(ended(&expiries, 99), BTreeMap::new());
        assert_eq!(ended(&expiries, 100), [("a".to_string(), 0)].into());
        assert_eq!(ended(&expiries, 112).len(), 2);
    }
}
