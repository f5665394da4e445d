//! What a cluster shows: objects of every kind that matters, CRDs, releases, logs, its clock.

use super::{Inside, Scene};
use crate::cluster::object::{GATEWAY_KINDS, api};
use crate::cluster::release::installed;
use crate::cluster::{client, log as pods};
use crate::diagnose::log::{Line, stamped};
use crate::diagnose::snapshot::Release;
use crate::secret::vault::Vault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use std::time::Duration;

/// A cluster that hangs must not hang the one who asks why.
const DEADLINE: Duration = Duration::from_secs(8);
const CHARTS: [&str; 4] = [
    "agentgateway-crds",
    "agentgateway",
    "kgateway-crds",
    "kgateway",
];

/// Kinds of the whole cluster beside those of a gateway, and of our namespace.
const WIDE: [(&str, &str); 1] = [("v1", "Node")];
const NEAR: [(&str, &str); 7] = [
    ("apps/v1", "Deployment"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "Secret"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("events.k8s.io/v1", "Event"),
    ("v1", "ResourceQuota"),
];

pub async fn look(scene: &Scene<'_>) -> Inside {
    let mut inside = Inside::default();
    let client = match scene.record.way(scene.paths).client().await {
        Ok(client) => client,
        Err(error) => {
            inside.place.silence = std::iter::once(error.what)
                .chain(error.facts)
                .collect::<Vec<_>>()
                .join(": ");
            inside.place.unasked = error.next;
            return inside;
        }
    };
    match tokio::time::timeout(DEADLINE, client.apiserver_version()).await {
        Ok(Ok(version)) => inside.place.version = Some(version.git_version),
        Ok(Err(error)) => {
            inside.place.silence = crate::error::chain(&error);
            return inside;
        }
        Err(_) => {
            inside.place.silence = "no answer in 8 s".to_string();
            return inside;
        }
    }
    inside.place.alive = true;
    let space = scene.record.namespace.as_str();
    let system = scene.record.system();
    let in_all = |(version, kind)| (version, kind, "");
    let wide = GATEWAY_KINDS.into_iter().chain(WIDE).map(in_all);
    // Charts of an environment that shares its cluster are in another namespace than its objects.
    let near = [space, system]
        .into_iter()
        .take(if system == space { 1 } else { 2 });
    let near = near.flat_map(|space| NEAR.map(|(version, kind)| (version, kind, space)));
    let wanted: Vec<(&str, &str, &str)> = wide.chain(near).collect();
    let lists = wanted
        .iter()
        .map(|(version, kind, space)| list(&client, version, kind, space, scene.vault));
    let releases = join_all(CHARTS.map(|chart| installed(&client, system, chart)));
    let (objects, crds, releases, ahead, controller, proxy) = tokio::join!(
        join_all(lists),
        crds(&client),
        releases,
        clock(&client),
        log(&client, system, "controller", "agentgateway", scene.lines),
        log(&client, space, "proxy", &scene.record.gateway, scene.lines),
    );
    for ((_, kind, _), result) in wanted.iter().zip(objects) {
        match result {
            Ok(found) => inside.objects.extend(found),
            Err(why) => inside.unread.push((kind.to_string(), why)),
        }
    }
    match crds {
        Ok(crds) => inside.crds = crds,
        Err(why) => inside.unread.push(("CRDs".to_string(), why)),
    }
    for release in releases {
        match release {
            Ok(release) => inside.releases.extend(release.map(|release| Release {
                name: release.name,
                status: release.status,
                version: release.version,
                description: release.description,
            })),
            Err(error) => inside
                .unread
                .push(("Helm releases".to_string(), error.to_string())),
        }
    }
    inside.place.clock_ahead = ahead;
    (inside.controller_log, inside.proxy_log) = (controller, proxy);
    inside
}

/// Every object of a kind, with the fields that a list leaves out; Secrets without their values.
async fn list(
    client: &Client,
    version: &str,
    kind: &str,
    namespace: &str,
    vault: &Vault,
) -> Result<Vec<Value>, String> {
    let mut params = ListParams::default();
    if kind == "Secret" {
        // Helm's own records are a megabyte each, and read elsewhere.
        params = params.fields("type!=helm.sh/release.v1");
    }
    let api = api(client, version, kind, namespace);
    let found = match tokio::time::timeout(DEADLINE, api.list(&params)).await {
        Err(_) => return Err("no answer in 8 s".to_string()),
        Ok(Err(error)) if client::is_absent(&error) => return Ok(Vec::new()),
        Ok(Err(error)) => return Err(crate::error::chain(&error)),
        Ok(Ok(found)) => found,
    };
    let value = |object| {
        let mut value = serde_json::to_value(object).unwrap_or_default();
        value["apiVersion"] = json!(version);
        value["kind"] = json!(kind);
        worded(value, vault)
    };
    Ok(found.items.into_iter().map(value).collect())
}

/// A Secret with a word in the place of each value: `set`, `another` where it is not the key at hand,
/// `empty`, `line end`, `hidden` where the embedded gateway told no value.
fn worded(mut object: Value, vault: &Vault) -> Value {
    if object["kind"] != "Secret" {
        return object;
    }
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_string();
    let owner = name.strip_suffix("-key").unwrap_or(&name);
    if let Some(data) = object["data"].as_object_mut() {
        for (entry, value) in data.iter_mut() {
            let Ok(bytes) = STANDARD.decode(value.as_str().unwrap_or("")) else {
                *value = json!("hidden");
                continue;
            };
            let text = String::from_utf8_lossy(&bytes);
            let word = match vault.get(owner, entry) {
                Some(key) if key.expose() != text.trim().trim_start_matches("Bearer ") => "another",
                _ if text.trim().is_empty() => "empty",
                _ if text.ends_with('\n') => "line end",
                _ => "set",
            };
            *value = json!(word);
        }
    }
    for part in ["stringData", "immutable"] {
        if let Some(object) = object.as_object_mut() {
            object.shift_remove(part);
        }
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations") {
        *annotations = Value::Null;
    }
    object
}

/// As `worded`, without keys to compare with.
pub fn shapes(object: Value) -> Value {
    worded(object, &Vault::default())
}

async fn crds(client: &Client) -> Result<std::collections::BTreeMap<String, String>, String> {
    const BUNDLE: &str = "gateway.networking.k8s.io/bundle-version";
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = ListParams::default();
    let listed = tokio::time::timeout(DEADLINE, crds.list_metadata(&params)).await;
    let listed = listed.map_err(|_| "no answer in 8 s".to_string())?;
    let listed = listed.map_err(|error| crate::error::chain(&error))?;
    let one = |crd: &kube::api::PartialObjectMeta<CustomResourceDefinition>| {
        let version = crd.annotations().get(BUNDLE).cloned().unwrap_or_default();
        (crd.name_any(), version)
    };
    Ok(listed.items.iter().map(one).collect())
}

/// The node's last heartbeat beside our clock: certain where it lies in the future, or where the node
/// is ready and its heartbeats, which come every 10 s, seem to be minutes old.
async fn clock(client: &Client) -> Option<i64> {
    const OLD: i64 = 120;
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let params = ListParams::default();
    let leases = tokio::time::timeout(DEADLINE, leases.list(&params))
        .await
        .ok()?
        .ok()?;
    let beat = leases
        .items
        .iter()
        .filter_map(|lease| lease.spec.as_ref()?.renew_time.as_ref());
    let beat = beat.map(|time| time.0.as_second()).max()?;
    let ahead = beat - Timestamp::now().as_second();
    match ahead {
        0.. => Some(ahead),
        behind if behind > -OLD => Some(0),
        behind => is_ready(client).await.then_some(behind),
    }
}

async fn is_ready(client: &Client) -> bool {
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(client.clone());
    let Ok(list) = nodes.list(&ListParams::default()).await else {
        return false;
    };
    let conditions = list
        .items
        .iter()
        .filter_map(|node| node.status.as_ref()?.conditions.as_ref());
    conditions
        .flatten()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

async fn log(client: &Client, namespace: &str, source: &str, name: &str, lines: i64) -> Vec<Line> {
    let read = pods::all(client, namespace, name, pods::Back::Lines(lines));
    let read = tokio::time::timeout(DEADLINE, read).await;
    let lines = read.ok().and_then(Result::ok).unwrap_or_default();
    lines.iter().map(|text| stamped(source, text)).collect()
}
