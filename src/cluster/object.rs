//! Objects on a cluster: server-side apply, reading, deleting; only ever our own.

use super::client::{is_absent, refused};
use crate::error::{Error, Result};
use crate::plan::outcome::{Change, Context, Undone};
use crate::plan::thing::Thing;
use crate::plan::{ENVIRONMENT_LABEL, MANAGED_BY_LABEL, MANAGER};
use futures::TryStreamExt;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PartialObjectMeta,
    Patch, PatchParams,
};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Plurals can't be derived (EndpointSlice, HTTPRoute are regular; Gateway API's are not ours to
/// guess), so the kinds that we touch are listed.
/// What a gateway is made of: kinds of Gateway API and of agentgateway.
pub const GATEWAY_KINDS: [(&str, &str); 6] = [
    ("gateway.networking.k8s.io/v1", "GatewayClass"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayBackend"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayPolicy"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayParameters"),
];

fn plural(kind: &str) -> String {
    match kind {
        "AgentgatewayPolicy" => "agentgatewaypolicies".to_string(),
        "AgentgatewayParameters" => "agentgatewayparameters".to_string(),
        "NetworkPolicy" => "networkpolicies".to_string(),
        "Endpoints" => "endpoints".to_string(),
        other if other.ends_with("ss") => format!("{}es", other.to_lowercase()),
        other => format!("{}s", other.to_lowercase()),
    }
}

/// Access to one kind of object, in a namespace or, where that is empty, cluster-wide.
pub fn api(client: &Client, api_version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, &plural(&kind.kind));
    match namespace {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}

/// An object's API and name; nothing for things that are no objects.
pub fn of<'a>(client: &Client, thing: &'a Thing) -> Option<(Api<DynamicObject>, &'a str)> {
    match thing {
        Thing::Object {
            api_version,
            kind,
            namespace,
            name,
        } => Some((api(client, api_version, kind, namespace), name)),
        _ => None,
    }
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq)]
enum Owner {
    Us,
    Environment(String),
    Foreign,
}

fn owner(object: &DynamicObject, environment: &str) -> Owner {
    let label = |name| object.metadata.labels.as_ref()?.get(name).cloned();
    match (label(MANAGED_BY_LABEL).as_deref(), label(ENVIRONMENT_LABEL)) {
        (Some(MANAGER), Some(other)) if other == environment => Owner::Us,
        (Some(MANAGER), Some(other)) => Owner::Environment(other),
        _ => Owner::Foreign,
    }
}

/// Makes an object exist as given. Never takes over what somebody else made, never forces a field.
pub async fn apply(client: &Client, object: &Value, context: &Context<'_>) -> Result<Change> {
    let thing = Thing::of(object);
    let Thing::Object {
        api_version,
        kind,
        namespace,
        name,
    } = &thing
    else {
        return Err(Error::new("a step without an object", "gw plan"));
    };
    let api = api(client, api_version, kind, namespace);
    let title = thing.title();
    let before = served(&api, name, &title, context).await?;
    let environment = object
        .pointer("/metadata/labels")
        .and_then(|labels| labels.get(ENVIRONMENT_LABEL));
    let environment = environment.and_then(Value::as_str).unwrap_or("");
    if let Some(before) = &before {
        match owner(before, environment) {
            Owner::Us => {}
            // A namespace may be anyone's: we only put things in it.
            Owner::Foreign | Owner::Environment(_) if kind == "Namespace" => {
                return Ok(Change::Unchanged);
            }
            Owner::Environment(other) => {
                let what =
                    format!("{title} in namespace {namespace} belongs to environment `{other}`");
                return Err(Error::new(what, format!("gw status --env {other}")));
            }
            Owner::Foreign => {
                let what = format!("{title} in namespace {namespace} is there and is not ours");
                let next = format!("kubectl -n {namespace} get {} {name} -o yaml", plural(kind));
                return Err(Error::new(what, next).fact("an object without the label app.kubernetes.io/managed-by: gatewright is left alone"));
            }
        }
    }
    context.journal.begin(&thing)?;
    let params = PatchParams {
        force: context.force,
        ..PatchParams::apply(MANAGER)
    };
    let after = api.patch(name, &params, &Patch::Apply(object)).await;
    let after = after.map_err(|e| conflict(&title, &e, &thing))?;
    let version = |object: &DynamicObject| object.metadata.resource_version.clone();
    Ok(match before {
        None => Change::Created,
        Some(before) if version(&before) == version(&after) => Change::Unchanged,
        Some(_) => Change::Updated,
    })
}

/// The live object. A kind whose CRD has just been made is not served at once, and nothing that
/// could be watched tells when it is.
async fn served(
    api: &Api<DynamicObject>,
    name: &str,
    title: &str,
    context: &Context<'_>,
) -> Result<Option<DynamicObject>> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let start = Instant::now();
    loop {
        match api.get_opt(name).await {
            Ok(found) => return Ok(found),
            Err(e) if is_absent(&e) && start.elapsed() < PATIENCE => {
                (context.waiting)(format!(
                    "{title}: the API server does not serve its kind yet"
                ));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(e) => return Err(refused(format!("{title} can't be read"), &e, "gw status")),
        }
    }
}

/// A conflict names the field and its owner; everything else is said as the API server said it.
fn conflict(title: &str, error: &kube::Error, thing: &Thing) -> Error {
    let (kind, name, namespace) = match thing {
        Thing::Object {
            kind,
            name,
            namespace,
            ..
        } => (plural(kind), name.as_str(), namespace.as_str()),
        _ => return refused(format!("{title} can't be applied"), error, "gw status"),
    };
    match error {
        kube::Error::Api(status) if status.code == 409 => {
            let what = format!("{title} has fields that somebody else has changed");
            refused(what, error, "gw up --force")
        }
        kube::Error::Api(status) if status.code == 422 => {
            let next = format!("kubectl -n {namespace} delete {kind} {name}");
            let error = refused(format!("{title} can't be applied"), error, next);
            error.fact("what is there now does not go together with what is planned; `gw up` makes it anew")
        }
        _ => refused(format!("{title} can't be applied"), error, "gw plan"),
    }
}

/// Deletes an object that is ours and waits until it is gone; others stay.
pub async fn delete(
    client: &Client,
    thing: &Thing,
    environment: &str,
    patience: Duration,
) -> Result<Undone> {
    let Thing::Object {
        api_version,
        kind,
        namespace,
        name,
    } = thing
    else {
        return Ok(Undone::Absent);
    };
    let api = api(client, api_version, kind, namespace);
    let title = thing.title();
    let live = match api.get_opt(name).await {
        Ok(Some(live)) => live,
        Ok(None) => return Ok(Undone::Absent),
        Err(e) if is_absent(&e) => return Ok(Undone::Absent),
        Err(e) => return Err(refused(format!("{title} can't be read"), &e, "gw down")),
    };
    let ours = match owner(&live, environment) {
        Owner::Us => true,
        // One environment may take over a namespace from another.
        Owner::Environment(_) => kind == "Namespace",
        Owner::Foreign => false,
    };
    if !ours {
        return Ok(Undone::Kept(
            "it does not carry this environment's label".to_string(),
        ));
    }
    if kind == "Namespace"
        && let Some(user) = occupant(client, name).await?
    {
        return Ok(Undone::Kept(format!("{user} is in it")));
    }
    match api.delete(name, &DeleteParams::background()).await {
        Ok(_) => {}
        Err(e) if is_absent(&e) => return Ok(Undone::Absent),
        Err(e) => return Err(refused(format!("{title} can't be deleted"), &e, "gw down")),
    }
    gone(api, thing, patience).await?;
    if kind == "Gateway" {
        // The proxy goes by garbage collection, and must before its controller does (facts 12).
        for (version, kind) in [("apps/v1", "Deployment"), ("v1", "Service")] {
            let owned = Thing::Object {
                api_version: version.into(),
                kind: kind.into(),
                namespace: namespace.clone(),
                name: name.clone(),
            };
            gone(
                self::api(client, version, kind, namespace),
                &owned,
                patience,
            )
            .await?;
        }
    }
    Ok(Undone::Removed)
}

/// Anything in a namespace that is neither ours nor put there by Kubernetes itself.
async fn occupant(client: &Client, namespace: &str) -> Result<Option<String>> {
    const KINDS: [(&str, &str); 15] = [
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
        ("networking.k8s.io/v1", "Ingress"),
        ("v1", "PersistentVolumeClaim"),
        ("v1", "Pod"),
        ("v1", "Service"),
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("agentgateway.dev/v1alpha1", "AgentgatewayBackend"),
        ("agentgateway.dev/v1alpha1", "AgentgatewayPolicy"),
    ];
    for (version, kind) in KINDS {
        let api = api(client, version, kind, namespace);
        let list = match api.list_metadata(&ListParams::default()).await {
            Ok(list) => list,
            Err(e) if is_absent(&e) => continue,
            Err(e) => {
                let what = format!("{kind} objects of namespace {namespace} can't be listed");
                return Err(refused(what, &e, "gw down"));
            }
        };
        if let Some(found) = list.iter().find(|object| is_foreign(object)) {
            return Ok(Some(format!("{kind} {}", found.name_any())));
        }
    }
    Ok(None)
}

/// Not ours, not on its way out, not owned by something that is, not what Kubernetes puts into
/// every namespace.
fn is_foreign(object: &PartialObjectMeta<DynamicObject>) -> bool {
    let manager = object
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(MANAGED_BY_LABEL));
    let owned = object
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true));
    let going = object.metadata.deletion_timestamp.is_some();
    let own = manager.map(String::as_str) == Some(MANAGER);
    !own && !owned && !going && object.name_any() != "kube-root-ca.crt"
}

/// Watches until an object is gone.
async fn gone(api: Api<DynamicObject>, thing: &Thing, patience: Duration) -> Result<()> {
    let Thing::Object {
        kind,
        namespace,
        name,
        ..
    } = thing
    else {
        return Ok(());
    };
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let events = watcher::watcher(api, config);
    let watch = async move {
        futures::pin_mut!(events);
        let mut present = false;
        loop {
            match events.try_next().await {
                Ok(Some(Event::Init)) => present = false,
                Ok(Some(Event::InitApply(_) | Event::Apply(_))) => present = true,
                Ok(Some(Event::InitDone)) if !present => return,
                Ok(Some(Event::Delete(_))) | Ok(None) => return,
                Ok(Some(Event::InitDone)) => {}
                // The kind itself is gone, or the connection was cut: the watcher begins again.
                Err(watcher::Error::InitialListFailed(e)) if is_absent(&e) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(patience, watch).await.map_err(|_| {
        let time = crate::text::duration(patience);
        let next = format!("kubectl -n {namespace} get {} {name} -o yaml", plural(kind));
        let error = Error::new(
            format!("{} is still there after {time}", thing.title()),
            next,
        );
        error.fact("it waits for its finalizers or for what it owns")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labelled(labels: Value) -> DynamicObject {
        serde_json::from_value(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "labels": labels}})).unwrap()
    }

    #[test]
    fn an_object_is_ours_only_by_both_labels() {
        let ours = labelled(json!({MANAGED_BY_LABEL: MANAGER, ENVIRONMENT_LABEL: "default"}));
        assert_eq!(owner(&ours, "default"), Owner::Us);
        assert_eq!(owner(&ours, "demo"), Owner::Environment("default".into()));
        assert_eq!(owner(&labelled(json!({})), "default"), Owner::Foreign);
        assert_eq!(
            owner(&labelled(json!({ENVIRONMENT_LABEL: "default"})), "default"),
            Owner::Foreign
        );
    }

    #[test]
    fn plurals_are_those_of_the_crds() {
        assert_eq!(plural("HTTPRoute"), "httproutes");
        assert_eq!(plural("AgentgatewayPolicy"), "agentgatewaypolicies");
        assert_eq!(plural("AgentgatewayParameters"), "agentgatewayparameters");
        assert_eq!(plural("EndpointSlice"), "endpointslices");
    }
}
