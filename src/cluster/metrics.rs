//! What proxies count, asked through the API server: their port is open inside the cluster alone (facts 3).

use super::client::refused;
use crate::error::{Error, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

const PORT: u16 = 15020;

/// Prometheus' text of every running proxy of a gateway, one after another.
///
/// # Errors
/// Where no proxy runs, and where one can't be asked: a sum without it would be wrong.
pub async fn text(client: &Client, namespace: &str, gateway: &str) -> Result<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let labels = ListParams::default().labels(&format!("app.kubernetes.io/name={gateway}"));
    let next = format!("kubectl -n {namespace} get pods -l app.kubernetes.io/name={gateway}");
    let fault = |e: kube::Error| {
        let what = format!("the counts of {gateway} can't be read");
        refused(what, &e, &next)
    };
    let found = pods.list(&labels).await.map_err(fault)?;
    let phase = |pod: &&Pod| pod.status.as_ref()?.phase.clone();
    let running = |pod: &&Pod| phase(pod).is_some_and(|phase| phase == "Running");
    let mut text = String::new();
    for pod in found.items.iter().filter(running) {
        let name = pod.name_any();
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{PORT}/proxy/metrics");
        let request = http::Request::get(path).body(Vec::new()).map_err(|e| {
            let what = format!("the counts of {name} can't be asked for");
            Error::new(what, &next).because(&e)
        })?;
        text.push_str(&client.request_text(request).await.map_err(fault)?);
        text.push('\n');
    }
    match text.is_empty() {
        true => Err(Error::new(format!("no proxy of {gateway} runs"), next)),
        false => Ok(text),
    }
}
