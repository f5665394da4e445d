//! What a cluster shows: its version, charts, running images, and our objects with their conditions.

use super::client::{is_absent, refused};
use super::crds;
use super::object::api;
use super::ready::is_available;
use super::release::installed;
use crate::error::Result;
use crate::plan::survey::{ObjectState, Part, Survey, object_state};
use crate::plan::{ENVIRONMENT_LABEL, MANAGED_BY_LABEL, MANAGER};
use futures::future::{join_all, try_join_all};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

const CHARTS: [&str; 4] = [
    "agentgateway-crds",
    "agentgateway",
    "kgateway-crds",
    "kgateway",
];

/// The kinds that we apply, in the order in which they depend on each other.
const KINDS: [(&str, &str); 9] = [
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayParameters"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayPolicy"),
    ("v1", "Secret"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("agentgateway.dev/v1alpha1", "AgentgatewayBackend"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
];

/// What is in `namespace`, and of the charts in `system`.
pub async fn survey(
    client: &Client,
    namespace: &str,
    system: &str,
    environment: &str,
) -> Result<Survey> {
    let version = client.apiserver_version().await;
    let version = version.map_err(|e| refused("the cluster does not answer", &e, "gw up"))?;
    let gateway_api = crds::installed(client).await?;
    let charts = try_join_all(CHARTS.map(|name| installed(client, system, name))).await?;
    let mut parts: Vec<Part> = Vec::new();
    parts.push(Part {
        sort: "crds",
        name: "Gateway API".to_string(),
        state: if gateway_api.is_some() {
            "installed"
        } else {
            "missing"
        }
        .to_string(),
        version: gateway_api.unwrap_or_default(),
    });
    parts.extend(charts.into_iter().flatten().map(|release| Part {
        sort: "chart",
        name: release.name,
        version: release.version,
        state: release.status,
    }));
    parts.extend(images(client, system).await?);
    if system != namespace {
        parts.extend(images(client, namespace).await?);
    }
    let lists = join_all(
        KINDS.map(|(version, kind)| objects(client, version, kind, namespace, environment)),
    )
    .await;
    let lists: Vec<Vec<ObjectState>> = lists.into_iter().collect::<Result<_>>()?;
    Ok(Survey {
        alive: true,
        detail: format!("Kubernetes {}", version.git_version),
        parts,
        objects: lists.into_iter().flatten().collect(),
    })
}

/// The images that run, read and not assumed (facts 0).
async fn images(client: &Client, namespace: &str) -> Result<Vec<Part>> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let list = deployments.list(&ListParams::default()).await;
    let list = list.map_err(|e| refused("deployments can't be listed", &e, "gw status"))?;
    let part = |deployment: &Deployment| {
        let containers = &deployment.spec.as_ref()?.template.spec.as_ref()?.containers;
        let image = containers.first()?.image.clone()?;
        Some(Part {
            sort: "image",
            name: deployment.name_any(),
            version: image,
            state: if is_available(deployment) {
                "running"
            } else {
                "not ready"
            }
            .to_string(),
        })
    };
    Ok(list.iter().filter_map(part).collect())
}

async fn objects(
    client: &Client,
    version: &str,
    kind: &str,
    namespace: &str,
    environment: &str,
) -> Result<Vec<ObjectState>> {
    let ours = format!("{MANAGED_BY_LABEL}={MANAGER},{ENVIRONMENT_LABEL}={environment}");
    match api(client, version, kind, namespace)
        .list(&ListParams::default().labels(&ours))
        .await
    {
        Ok(list) => Ok(list
            .items
            .iter()
            .filter_map(|object| serde_json::to_value(object).ok())
            .map(|mut value| {
                value["kind"] = kind.into();
                object_state(&value)
            })
            .collect()),
        Err(e) if is_absent(&e) => Ok(Vec::new()),
        Err(e) => Err(refused(
            format!("{kind} objects can't be listed"),
            &e,
            "gw status",
        )),
    }
}
