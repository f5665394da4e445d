//! Everything that has a say in how a request is answered, whoever made it; and what is not well.

use super::client::{is_absent, refused};
use super::object::{GATEWAY_KINDS, api};
use super::pod::{PodState, state};
use crate::error::Result;
use crate::plan::survey::Trouble;
use crate::plan::{MANAGED_BY_LABEL, MANAGER};
use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

/// What a gateway leads to.
const BEHIND: [(&str, &str); 4] = [
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("v1", "Secret"),
];

/// How many warnings a person can use.
const WARNINGS: usize = 20;

/// Whether objects of this kind are looked at.
pub fn is_read(kind: &str) -> bool {
    let mut kinds = GATEWAY_KINDS.into_iter().chain(BEHIND);
    kinds.any(|(_, read)| read == kind)
}

/// Objects of all namespaces with their status; Secrets by their names alone, Deployments if they are ours.
pub async fn objects(client: &Client) -> Result<Vec<Value>> {
    let kinds = GATEWAY_KINDS.into_iter().chain(BEHIND);
    let lists = kinds.map(|(version, kind)| list(client, version, kind));
    let lists: Result<Vec<Vec<Value>>> = join_all(lists).await.into_iter().collect();
    Ok(lists?.into_iter().flatten().collect())
}

async fn list(client: &Client, version: &str, kind: &str) -> Result<Vec<Value>> {
    let params = match kind {
        // A cluster's others are many and none of a gateway's.
        "Deployment" => ListParams::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}")),
        _ => ListParams::default(),
    };
    let fault =
        |e: &kube::Error| refused(format!("{kind} objects can't be listed"), e, "gw status");
    let named = |value: Value| {
        let mut value = value;
        value["kind"] = kind.into();
        value["apiVersion"] = version.into();
        value
    };
    // Nobody's values are read where names will do.
    if kind == "Secret" {
        return match api(client, version, kind, "").list_metadata(&params).await {
            Ok(list) => {
                let found = list
                    .items
                    .iter()
                    .map(|o| named(json!({"metadata": o.metadata})));
                Ok(found.collect())
            }
            Err(e) => Err(fault(&e)),
        };
    }
    match api(client, version, kind, "").list(&params).await {
        Ok(list) => {
            let values = list
                .items
                .iter()
                .filter_map(|o| serde_json::to_value(o).ok());
            Ok(values.map(named).collect())
        }
        Err(e) if is_absent(&e) => Ok(Vec::new()),
        Err(e) => Err(fault(&e)),
    }
}

/// Pods of a namespace that are not ready, and its warnings, the newest first.
pub async fn troubles(client: &Client, namespace: &str) -> Result<Vec<Trouble>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pods = pods.list(&ListParams::default()).await;
    let pods = pods.map_err(|e| refused("pods can't be listed", &e, "gw status"))?;
    let mut troubles: Vec<Trouble> = pods
        .iter()
        .filter_map(|pod| {
            let what = match state(pod) {
                PodState::Ready => return None,
                PodState::Coming(what) | PodState::Stuck(what) => what,
            };
            let object = format!("pod {}", pod.name_any());
            Some(Trouble {
                object,
                what,
                is_state: true,
                next: None,
            })
        })
        .collect();
    troubles.splice(0..0, scaled_to_none(client, namespace).await?);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let warnings = ListParams::default().fields("type=Warning");
    let events = events.list(&warnings).await;
    let mut events = events
        .map_err(|e| refused("events can't be listed", &e, "gw status"))?
        .items;
    events.sort_by_key(|event| std::cmp::Reverse(event.metadata.creation_timestamp.clone()));
    troubles.extend(events.iter().take(WARNINGS).map(warning));
    Ok(troubles)
}

/// Deployments that somebody has scaled to none: nothing brings a pod of theirs back.
async fn scaled_to_none(client: &Client, namespace: &str) -> Result<Vec<Trouble>> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let list = deployments.list(&ListParams::default()).await;
    let list = list.map_err(|e| refused("deployments can't be listed", &e, "gw status"))?;
    let none = list
        .iter()
        .filter(|d| d.spec.as_ref().is_some_and(|spec| spec.replicas == Some(0)));
    let trouble = |deployment: &Deployment| {
        let name = deployment.name_any();
        Trouble {
            object: format!("deployment {name}"),
            what: "it is scaled to no pod".to_string(),
            is_state: true,
            next: Some(format!(
                "kubectl -n {namespace} scale deployment {name} --replicas 1"
            )),
        }
    };
    Ok(none.map(trouble).collect())
}

fn warning(event: &Event) -> Trouble {
    let about = &event.involved_object;
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    Trouble {
        object: format!("{} {}", word(&about.kind), word(&about.name)),
        what: format!("{}: {}", word(&event.reason), word(&event.message)),
        is_state: false,
        next: None,
    }
}
