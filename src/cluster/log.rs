//! The end of pods' logs.

use super::client::refused;
use crate::error::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, Client, ResourceExt};

/// The last lines of every pod of a deployment or a gateway, with the kubelet's time before each, those
/// of a container's former run first where it was restarted.
pub async fn all(client: &Client, namespace: &str, name: &str, count: i64) -> Result<Vec<String>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let labels = ListParams::default().labels(&format!("app.kubernetes.io/name={name}"));
    let next = format!("kubectl -n {namespace} logs deployment/{name}");
    let fault = |e: kube::Error| refused(format!("the log of {name} can't be read"), &e, &next);
    let found = pods.list(&labels).await.map_err(fault)?;
    let mut lines = Vec::new();
    for pod in &found.items {
        let statuses = pod
            .status
            .iter()
            .flat_map(|status| status.container_statuses.iter().flatten());
        let restarted = statuses
            .map(|status| status.restart_count)
            .max()
            .unwrap_or(0)
            > 0;
        let former = restarted.then_some(true).into_iter();
        for previous in former.chain([false]) {
            let params = LogParams {
                tail_lines: Some(count),
                timestamps: true,
                previous,
                ..LogParams::default()
            };
            // A container that waits for its image has no log.
            if let Ok(text) = pods.logs(&pod.name_any(), &params).await {
                lines.extend(text.lines().map(str::to_string));
            }
        }
    }
    Ok(lines)
}
