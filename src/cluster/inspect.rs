//! What of a plan is in a cluster already and belongs to others: read before anything changes.

use super::client::{is_absent, refused};
use super::crds;
use super::helm::is_marked;
use super::release::{self, Installed};
use crate::error::Result;
use crate::plan::chart::Chart;
use crate::plan::found::{Field, Found, values};
use crate::plan::outcome::Journal;
use crate::plan::thing::Thing;
use crate::plan::{Action, GATEWAY_API_VERSION, Plan, Step};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, ObjectMeta};
use kube::{Api, Client, ResourceExt};

/// Where something of a chart's name is, whoever put it there.
#[derive(Debug, Clone, PartialEq)]
enum Trace {
    Release {
        name: String,
        namespace: String,
    },
    /// Applied without Helm.
    Bare {
        title: String,
        namespace: Option<String>,
        version: String,
    },
}

/// Everything of others that does what a step of the plan would do.
pub async fn others(client: &Client, plan: &Plan, journal: &dyn Journal) -> Result<Vec<Found>> {
    let definitions = definitions(client).await?;
    let controllers = controllers(client).await?;
    let mut found = Vec::new();
    for step in &plan.steps {
        match &step.action {
            Action::GatewayApi => found.extend(gateway_api(client, step, journal).await?),
            Action::Chart(chart) => {
                let trace = match chart.is_crds() {
                    true => crds_trace(chart.name, &definitions),
                    false => controller_trace(chart.name, &controllers),
                };
                let thing = Thing::Chart {
                    name: chart.name.to_string(),
                    namespace: chart.namespace.clone(),
                };
                let planned = Trace::Release {
                    name: chart.name.to_string(),
                    namespace: chart.namespace.clone(),
                };
                // Also a release that failed before it made anything.
                let trace = trace.unwrap_or_else(|| planned.clone());
                if trace == planned && journal.knows(&thing) {
                    continue;
                }
                found.extend(judged(client, step, chart, trace).await?);
            }
            _ => {}
        }
    }
    Ok(found)
}

async fn gateway_api(client: &Client, step: &Step, journal: &dyn Journal) -> Result<Option<Found>> {
    let Some(there) = crds::bundle_there(client).await? else {
        return Ok(None);
    };
    crds::check_range(&there.version)?;
    if there.ours || journal.knows(&Thing::GatewayApi) {
        return Ok(None);
    }
    Ok(Some(Found {
        step: step.id.clone(),
        what: "Gateway API".to_string(),
        identity: format!("CRDs of bundle {}", there.version),
        fields: vec![
            Field::new("version", GATEWAY_API_VERSION, &there.version),
            Field::new("channel", "standard", &there.channel),
            Field::new("status", "installed", "installed"),
        ],
        version: there.version,
        namespace: None,
        obstacle: None,
    }))
}

async fn judged(
    client: &Client,
    step: &Step,
    chart: &Chart,
    trace: Trace,
) -> Result<Option<Found>> {
    let what = format!("chart {}", chart.name);
    let (identity, version, namespace, fields) = match trace {
        Trace::Release { name, namespace } => {
            let Some(there) = release::installed(client, &namespace, &name).await? else {
                return Ok(None);
            };
            if is_marked(&there) {
                return Ok(None);
            }
            let identity = format!("release {name} in {namespace}");
            let fields = fields(chart, &there, &namespace);
            (identity, there.version, Some(namespace), fields)
        }
        Trace::Bare {
            title,
            namespace,
            version,
        } => {
            let fields = vec![Field::new("version", &chart.version, &version)];
            (format!("{title}, not by Helm"), version, namespace, fields)
        }
    };
    Ok(Some(Found {
        step: step.id.clone(),
        obstacle: obstacle(chart, &version),
        what,
        identity,
        version,
        namespace,
        fields,
    }))
}

fn fields(chart: &Chart, there: &Installed, namespace: &str) -> Vec<Field> {
    let mut fields = vec![
        Field::new("version", &chart.version, &there.version),
        Field::new("namespace", &chart.namespace, namespace),
        Field::new("status", "deployed", &there.status),
    ];
    fields.extend(values(&chart.values, &there.values));
    fields
}

/// Only the 2.2 line is known to do what a plan says. kgateway's own controller does nothing for it.
fn obstacle(chart: &Chart, version: &str) -> Option<String> {
    let known = version.trim_start_matches('v').starts_with("2.2.");
    let matters = chart.name.starts_with("agentgateway");
    (matters && !known).then(|| format!("it is {version}, and gw knows 2.2 only"))
}

async fn definitions(client: &Client) -> Result<Vec<(String, ObjectMeta)>> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let list = crds.list_metadata(&ListParams::default()).await;
    let list = list.map_err(|e| refused("the CRDs can't be read", &e, "kubectl get crds"))?;
    let items = list.items.into_iter();
    Ok(items.map(|crd| (crd.name_any(), crd.metadata)).collect())
}

async fn controllers(client: &Client) -> Result<Vec<ObjectMeta>> {
    let deployments: Api<Deployment> = Api::all(client.clone());
    let named = ListParams::default().labels("app.kubernetes.io/name in (agentgateway,kgateway)");
    match deployments.list_metadata(&named).await {
        Ok(list) => Ok(list.items.into_iter().map(|item| item.metadata).collect()),
        Err(e) if is_absent(&e) => Ok(Vec::new()),
        Err(e) => Err(refused(
            "deployments can't be listed",
            &e,
            "kubectl get deployments -A",
        )),
    }
}

/// Helm's own marks on what it makes.
fn release_of(metadata: &ObjectMeta) -> Option<Trace> {
    let annotations = metadata.annotations.as_ref()?;
    Some(Trace::Release {
        name: annotations.get("meta.helm.sh/release-name")?.clone(),
        namespace: annotations.get("meta.helm.sh/release-namespace")?.clone(),
    })
}

/// By the group of its CRDs (facts 1.2).
fn crds_trace(chart: &str, definitions: &[(String, ObjectMeta)]) -> Option<Trace> {
    let group = match chart {
        "agentgateway-crds" => ".agentgateway.dev",
        _ => ".gateway.kgateway.dev",
    };
    let (name, metadata) = definitions.iter().find(|(name, _)| name.ends_with(group))?;
    Some(release_of(metadata).unwrap_or_else(|| Trace::Bare {
        title: format!("CRD {name}"),
        namespace: None,
        version: label(metadata, "app.kubernetes.io/version"),
    }))
}

/// By the labels of its Deployment (facts 1.4); a proxy of that name is the controller's own.
fn controller_trace(chart: &str, controllers: &[ObjectMeta]) -> Option<Trace> {
    let is_it = |metadata: &&ObjectMeta| {
        label(metadata, "app.kubernetes.io/name") == chart
            && label(metadata, "app.kubernetes.io/managed-by") != "kgateway"
    };
    let metadata = controllers.iter().find(is_it)?;
    Some(release_of(metadata).unwrap_or_else(|| Trace::Bare {
        title: format!("Deployment {}", metadata.name.as_deref().unwrap_or("")),
        namespace: metadata.namespace.clone(),
        version: label(metadata, "app.kubernetes.io/version"),
    }))
}

fn label(metadata: &ObjectMeta, name: &str) -> String {
    let labels = metadata.labels.as_ref();
    labels
        .and_then(|labels| labels.get(name))
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(value: serde_json::Value) -> ObjectMeta {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_controller_is_found_in_any_namespace_and_under_any_release() {
        let labels = json!({"app.kubernetes.io/name": "agentgateway", "app.kubernetes.io/managed-by": "Helm"});
        let annotations = json!({"meta.helm.sh/release-name": "gw1", "meta.helm.sh/release-namespace": "agentgateway-system"});
        let theirs = metadata(
            json!({"name": "gw1-agentgateway", "labels": labels, "annotations": annotations}),
        );
        let expected = Trace::Release {
            name: "gw1".into(),
            namespace: "agentgateway-system".into(),
        };
        assert_eq!(
            controller_trace("agentgateway", std::slice::from_ref(&theirs)),
            Some(expected)
        );
        assert_eq!(controller_trace("kgateway", &[theirs]), None);
    }

    #[test]
    fn crds_without_helm_are_somebodys_too() {
        let name = "agentgatewaybackends.agentgateway.dev".to_string();
        let bare = metadata(json!({"name": name}));
        let trace = crds_trace("agentgateway-crds", &[(name, bare)]);
        assert!(matches!(trace, Some(Trace::Bare { .. })), "{trace:?}");
    }
}
