//! The end of pods' logs.

use super::client::refused;
use crate::error::{Error, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, Client, ResourceExt};

/// The last lines of every pod of a deployment.
pub async fn tail(
    client: &Client,
    namespace: &str,
    name: &str,
    count: usize,
) -> Result<Vec<String>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let labels = ListParams::default().labels(&format!("app.kubernetes.io/name={name}"));
    let next = format!("kubectl -n {namespace} logs deployment/{name}");
    let fault = |e: kube::Error| refused(format!("the log of {name} can't be read"), &e, &next);
    let found = pods.list(&labels).await.map_err(fault)?;
    if found.items.is_empty() {
        return Err(Error::new(
            format!("there is no pod of {name}"),
            "gw status",
        ));
    }
    let params = LogParams {
        tail_lines: Some(i64::try_from(count).unwrap_or(i64::MAX)),
        ..LogParams::default()
    };
    let mut lines = Vec::new();
    for pod in &found.items {
        let text = pods.logs(&pod.name_any(), &params).await.map_err(fault)?;
        lines.extend(text.lines().map(str::to_string));
    }
    Ok(lines)
}
