//! The Gateway API CRDs: kept where a version in range is there, refused where it is not, else installed.

use super::client::{is_absent, refused};
use crate::error::{Error, Result};
use crate::plan::outcome::{Change, Context, Outcome, Undone};
use crate::plan::thing::Thing;
use crate::plan::{ENVIRONMENT_LABEL, GATEWAY_API_MINORS, MANAGED_BY_LABEL, MANAGER};
use crate::supply::Supply;
use crate::supply::definitions::url;
use crate::yaml;
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

const VERSION_ANNOTATION: &str = "gateway.networking.k8s.io/bundle-version";
const CHANNEL_ANNOTATION: &str = "gateway.networking.k8s.io/channel";
const GATEWAYS: &str = "gateways.gateway.networking.k8s.io";
/// Without these no Gateway and no HTTPRoute can be.
const REQUIRED: [&str; 3] = ["gatewayclasses", "gateways", "httproutes"];
/// What the standard channel has besides.
const FURTHER: [&str; 3] = ["grpcroutes", "referencegrants", "backendtlspolicies"];

/// What the cluster has, by the annotation that kgateway itself goes by (facts 1.6).
pub async fn installed(client: &Client) -> Result<Option<String>> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let found = crds.get_metadata_opt(GATEWAYS).await;
    let found =
        found.map_err(|e| refused("the Gateway API CRDs can't be read", &e, "gw status"))?;
    Ok(found.map(|crd| {
        crd.annotations()
            .get(VERSION_ANNOTATION)
            .cloned()
            .unwrap_or_default()
    }))
}

/// The bundle that a cluster has.
pub struct Bundle {
    pub version: String,
    pub channel: String,
    /// Whether an environment of ours installed it.
    pub ours: bool,
}

/// The bundle with whose it is.
pub async fn bundle_there(client: &Client) -> Result<Option<Bundle>> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let found = crds.get_metadata_opt(GATEWAYS).await;
    let found =
        found.map_err(|e| refused("the Gateway API CRDs can't be read", &e, "gw status"))?;
    Ok(found.map(|crd| {
        let annotation = |name| crd.annotations().get(name).cloned().unwrap_or_default();
        let manager = crd.labels().get(MANAGED_BY_LABEL);
        Bundle {
            version: annotation(VERSION_ANNOTATION),
            channel: annotation(CHANNEL_ANNOTATION),
            ours: manager.is_some_and(|manager| manager == MANAGER),
        }
    }))
}

/// Refuses a version that v2.2 does not accept.
pub fn check_range(version: &str) -> Result<()> {
    match is_in_range(version) {
        true => Ok(()),
        false => Err(out_of_range(version)),
    }
}

/// Whether a bundle version is one that v2.2 accepts.
pub fn is_in_range(version: &str) -> bool {
    let mut parts = version
        .trim_start_matches('v')
        .split('.')
        .map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(1)), Some(Ok(minor))) => GATEWAY_API_MINORS.contains(&minor),
        _ => false,
    }
}

pub async fn install(
    client: &Client,
    environment: &str,
    supply: &Supply,
    context: &Context<'_>,
) -> Result<Outcome> {
    let version = installed(client).await?;
    if let Some(version) = version.as_ref().filter(|version| !is_in_range(version)) {
        return Err(out_of_range(version));
    }
    let ours = context.journal.knows(&Thing::GatewayApi);
    match (version, missing(client, ours).await?) {
        (Some(version), missing) if missing.is_empty() => {
            return Ok(Outcome::new(Change::Unchanged, version));
        }
        (Some(version), missing) if !ours => return Err(incomplete(&version, &missing)),
        // Nothing is there, or a run of ours was killed half way.
        _ => {}
    }
    let objects = labelled(&supply.definitions(context.waiting).await?, environment)?;
    context.journal.begin(&Thing::GatewayApi)?;
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let put = objects.iter().map(|object| {
        let crds = crds.clone();
        async move {
            let name = object
                .pointer("/metadata/name")
                .and_then(Value::as_str)
                .unwrap_or("");
            let params = PatchParams::apply(MANAGER);
            let applied = crds.patch(name, &params, &Patch::Apply(object)).await;
            applied.map_err(|e| refused(format!("CRD {name} can't be applied"), &e, "gw up"))?;
            let established = await_condition(crds, name, conditions::is_crd_established());
            match tokio::time::timeout(context.patience, established).await {
                Ok(Ok(_)) => Ok(()),
                _ => Err(Error::new(
                    format!(
                        "CRD {name} is not served after {}",
                        crate::text::duration(context.patience)
                    ),
                    format!("kubectl get crd {name} -o yaml"),
                )),
            }
        }
    });
    try_join_all(put).await?;
    let version = installed(client).await?.unwrap_or_default();
    Ok(Outcome::new(Change::Created, version))
}

/// The CRDs that should be there and are not: all of the bundle if we installed it, else those that
/// nothing works without.
async fn missing(client: &Client, ours: bool) -> Result<Vec<&'static str>> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let read = |e| refused("the Gateway API CRDs can't be read", &e, "gw status");
    let list = crds
        .list_metadata(&ListParams::default())
        .await
        .map_err(read)?;
    let further = FURTHER.iter().filter(|_| ours);
    let is_there = |plural: &str| {
        let name = format!("{plural}.gateway.networking.k8s.io");
        list.iter().any(|crd| crd.name_any() == name)
    };
    let wanted = REQUIRED.iter().chain(further).copied();
    Ok(wanted.filter(|plural| !is_there(plural)).collect())
}

fn incomplete(version: &str, missing: &[&str]) -> Error {
    let url = url(version);
    let what = format!(
        "the cluster has Gateway API {version} without {}",
        crate::text::list(missing)
    );
    Error::new(what, format!("kubectl apply --server-side -f {url}"))
        .fact("it was installed by somebody else, so it is not completed unasked")
}

fn out_of_range(version: &str) -> Error {
    let shown = if version.is_empty() {
        "of an unknown version"
    } else {
        version
    };
    Error::new(
        format!("the cluster has Gateway API {shown}, which kgateway v2.2 refuses"),
        format!("kubectl get crd {GATEWAYS} -o jsonpath='{{.metadata.annotations}}'"),
    )
    .fact("supported are 1.2, 1.3 and 1.4")
    .fact(
        "other programs on this cluster may need the version that is there, so it is not replaced",
    )
}

/// The bundle's objects with our labels.
fn labelled(bundle: &str, environment: &str) -> Result<Vec<Value>> {
    let mut objects = yaml::read_values(bundle)?;
    for object in &mut objects {
        object["metadata"]["labels"][MANAGED_BY_LABEL] = json!(MANAGER);
        object["metadata"]["labels"][ENVIRONMENT_LABEL] = json!(environment);
    }
    Ok(objects)
}

/// Removes the CRDs that carry our label, unless anybody still has an object of theirs.
pub async fn remove(client: &Client) -> Result<Undone> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let ours = ListParams::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
    let read = |e| refused("the Gateway API CRDs can't be read", &e, "gw down");
    let found = crds.list_metadata(&ours).await.map_err(read)?;
    let names: Vec<String> = found.iter().map(ResourceExt::name_any).collect();
    let names: Vec<&String> = names
        .iter()
        .filter(|name| name.ends_with(".gateway.networking.k8s.io"))
        .collect();
    if names.is_empty() {
        return Ok(Undone::Absent);
    }
    for crd in found.iter().filter(|crd| names.contains(&&crd.name_any())) {
        if let Some(user) = object_of(client, &crd.name_any()).await? {
            return Ok(Undone::Kept(format!("{user} uses them")));
        }
    }
    for name in names {
        match crds.delete(name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(e) if is_absent(&e) => {}
            Err(e) => {
                return Err(refused(
                    format!("CRD {name} can't be deleted"),
                    &e,
                    "gw down",
                ));
            }
        }
    }
    Ok(Undone::Removed)
}

/// Any object of the kinds that a Helm release brought, as `Kind namespace/name`.
pub async fn first_user(client: &Client, release: &str) -> Result<Option<String>> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let read = |e| refused("the CRDs can't be read", &e, "kubectl get crds");
    let list = crds
        .list_metadata(&ListParams::default())
        .await
        .map_err(read)?;
    let of_release = |annotations: &std::collections::BTreeMap<String, String>| {
        annotations
            .get("meta.helm.sh/release-name")
            .is_some_and(|name| name == release)
    };
    for crd in list.iter().filter(|crd| of_release(crd.annotations())) {
        if let Some(user) = object_of(client, &crd.name_any()).await? {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

/// Any object of the kind that a CRD defines. An object is asked for in the version that is stored:
/// that one is always served.
async fn object_of(client: &Client, crd: &str) -> Result<Option<String>> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let fault = |e: &kube::Error| {
        refused(
            format!("objects of {crd} can't be listed"),
            e,
            "kubectl get crds",
        )
    };
    let Some(definition) = crds.get_opt(crd).await.map_err(|e| fault(&e))? else {
        return Ok(None);
    };
    let spec = definition.spec;
    let Some(version) = spec.versions.iter().find(|version| version.storage) else {
        return Ok(None);
    };
    let kind = GroupVersionKind::gvk(&spec.group, &version.name, &spec.names.kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, &spec.names.plural);
    let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    match objects.list_metadata(&ListParams::default().limit(1)).await {
        Ok(list) => Ok(list.iter().next().map(|object| {
            let namespace = object
                .namespace()
                .map(|ns| format!("{ns}/"))
                .unwrap_or_default();
            format!("{} {namespace}{}", kind.kind, object.name_any())
        })),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(fault(&e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_v22_accepts_are_minor_2_to_4() {
        let accepted = ["v1.2.0", "v1.3.0", "v1.4.1"];
        assert!(accepted.into_iter().all(is_in_range));
        let refused = ["v1.1.0", "v1.5.1", "v2.2.0", "", "main"];
        assert!(!refused.into_iter().any(is_in_range));
    }
}
