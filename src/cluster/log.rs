//! What pods wrote, as the kubelet keeps it: of a container that runs, and of its run before.

use super::client::refused;
use super::follow::State;
use crate::error::Result;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, LogParams};
use kube::{Api, Client, ResourceExt};

/// One run of one container: what a log is of. A restarted container has another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    pub pod: String,
    /// Of the pod: a later one may have its name.
    pub uid: String,
    pub container: String,
    /// How often the container had been restarted before.
    pub number: i32,
}

/// How far back a log is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Back {
    All,
    /// So many of its last lines.
    Lines(i64),
    /// To this moment.
    To(Timestamp),
}

/// The last lines of every pod of a deployment or a gateway, with the kubelet's time before each, those
/// of a container's former run first where it was restarted.
pub async fn all(client: &Client, namespace: &str, name: &str, back: Back) -> Result<Vec<String>> {
    let runs = runs(client, namespace, name, back).await?;
    Ok(runs.into_iter().flat_map(|(_, lines)| lines).collect())
}

/// The same, by run.
pub async fn runs(
    client: &Client,
    namespace: &str,
    name: &str,
    back: Back,
) -> Result<Vec<(Run, Vec<String>)>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let next = format!("kubectl -n {namespace} logs deployment/{name}");
    let found = pods.list(&labels(name)).await;
    let found =
        found.map_err(|e| refused(format!("the log of {name} can't be read"), &e, &next))?;
    let mut read = Vec::new();
    for pod in &found.items {
        for (container, state) in states(pod) {
            for previous in (state.number > 0)
                .then_some(true)
                .into_iter()
                .chain([false])
            {
                let params = params(&container, back, previous);
                // A container that waits for its image has no log.
                let Ok(text) = pods.logs(&pod.name_any(), &params).await else {
                    continue;
                };
                let run = Run {
                    pod: pod.name_any(),
                    uid: pod.uid().unwrap_or_default(),
                    container: container.clone(),
                    number: state.number - i32::from(previous),
                };
                read.push((run, text.lines().map(str::to_string).collect()));
            }
        }
    }
    Ok(read)
}

/// Pods of a deployment or a gateway.
pub(super) fn labels(name: &str) -> ListParams {
    ListParams::default().labels(&format!("app.kubernetes.io/name={name}"))
}

/// What is known of each container of a pod.
pub(super) fn states(pod: &Pod) -> Vec<(String, State)> {
    let statuses = pod.status.iter();
    let statuses = statuses.flat_map(|status| status.container_statuses.iter().flatten());
    let state = |status: &ContainerStatus| {
        let now = status.state.clone().unwrap_or_default();
        let before = status.last_state.clone().unwrap_or_default();
        let ended = now.terminated.is_some() || before.terminated.is_some();
        let state = State {
            number: status.restart_count,
            begun: now.running.is_some() || ended,
            running: now.running.is_some(),
            gone: false,
        };
        (status.name.clone(), state)
    };
    statuses.map(state).collect()
}

pub(super) fn params(container: &str, back: Back, previous: bool) -> LogParams {
    let params = LogParams {
        container: Some(container.to_string()),
        timestamps: true,
        previous,
        ..LogParams::default()
    };
    match back {
        Back::All => params,
        Back::Lines(count) => LogParams {
            tail_lines: Some(count),
            ..params
        },
        Back::To(at) => LogParams {
            since_time: Some(whole(at)),
            ..params
        },
    }
}

/// The second in which a moment lies: the API server takes no finer time, and the client would round up.
pub(super) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
