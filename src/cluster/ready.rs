//! Waiting for deployments by watching them and their pods; a wait that fails says what it saw last.

use super::client::refused;
use super::pod::{PodState, state};
use crate::error::{Error, Result};
use crate::text;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use std::time::{Duration, Instant};

/// How long a pod must have been stuck: what was changed a moment ago may not have been taken up yet,
/// and then the pod that is seen is the one that is about to be replaced.
const STUCK: Duration = Duration::from_secs(5);

/// A point in time with the span that led to it, so that a failure can say how long it waited.
pub struct Deadline {
    at: Instant,
    span: Duration,
}

impl Deadline {
    pub fn within(span: Duration) -> Self {
        Deadline {
            at: Instant::now() + span,
            span,
        }
    }

    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    pub fn span(&self) -> String {
        text::duration(self.span)
    }
}

/// Whether a deployment's newest form is wholly available (facts 3.2). One without a pod is not.
pub fn is_available(deployment: &Deployment) -> bool {
    let wanted = wanted(deployment);
    let Some(status) = &deployment.status else {
        return false;
    };
    let observed = status.observed_generation >= deployment.metadata.generation;
    let updated = status.updated_replicas.unwrap_or(0) >= wanted;
    let old_gone = status.replicas.unwrap_or(0) <= wanted;
    wanted > 0
        && observed
        && updated
        && old_gone
        && status.available_replicas.unwrap_or(0) >= wanted
}

fn wanted(deployment: &Deployment) -> i32 {
    let spec = deployment.spec.as_ref();
    spec.and_then(|spec| spec.replicas).unwrap_or(1)
}

/// Watches a deployment until it is available. A pod that can't get there ends the wait soon, with the
/// pod's own reason, and so does a deployment that is to have none.
pub async fn deployment_ready(
    client: &Client,
    namespace: &str,
    name: &str,
    deadline: &Deadline,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    if let Ok(Some(found)) = deployments.get_opt(name).await
        && is_available(&found)
    {
        return Ok(());
    }
    let mut last = "no deployment of that name yet".to_string();
    let by_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let by_label = watcher::Config::default().labels(&format!("app.kubernetes.io/name={name}"));
    let changes = watcher(deployments.clone(), by_name)
        .default_backoff()
        .map(|_| ());
    let pod_changes = watcher(pods.clone(), by_label)
        .default_backoff()
        .map(|_| ());
    let mut changes = std::pin::pin!(futures::stream::select(changes, pod_changes));
    let mut stuck: Option<(Instant, Error)> = None;
    loop {
        let patience = match &stuck {
            Some((since, _)) => STUCK.saturating_sub(since.elapsed()).min(deadline.left()),
            None => deadline.left(),
        };
        let changed = tokio::time::timeout(patience, changes.next()).await;
        let over = !matches!(changed, Ok(Some(())));
        match (over, stuck.take()) {
            (true, Some((_, error))) => return Err(error),
            (true, None) => {
                let what = format!("{name} is not ready after {}", deadline.span());
                return Err(Error::new(what, pods_of(namespace, name)).fact(last));
            }
            (false, before) => stuck = before,
        }
        match look(&deployments, &sets, &pods, namespace, name).await? {
            Look::Ready => return Ok(()),
            Look::Coming(reason) => {
                stuck = None;
                if reason != last {
                    waiting(reason.clone());
                    last = reason;
                }
            }
            Look::Stuck(error) => {
                let since = stuck.map_or_else(Instant::now, |(since, _)| since);
                stuck = Some((since, error));
            }
        }
    }
}

enum Look {
    Ready,
    Coming(String),
    Stuck(Error),
}

fn pods_of(namespace: &str, name: &str) -> String {
    format!("kubectl -n {namespace} describe pods -l app.kubernetes.io/name={name}")
}

fn scaled_down(namespace: &str, name: &str) -> Error {
    let next = format!("kubectl -n {namespace} scale deployment {name} --replicas 1");
    Error::new(format!("{name} is scaled to no pod"), next)
}

async fn look(
    deployments: &Api<Deployment>,
    sets: &Api<ReplicaSet>,
    pods: &Api<Pod>,
    namespace: &str,
    name: &str,
) -> Result<Look> {
    let fault =
        |e: kube::Error| refused(format!("deployment {name} can't be read"), &e, "gw status");
    let Some(deployment) = deployments.get_opt(name).await.map_err(fault)? else {
        return Ok(Look::Coming("no deployment of that name yet".to_string()));
    };
    if is_available(&deployment) {
        return Ok(Look::Ready);
    }
    if wanted(&deployment) == 0 {
        return Ok(Look::Stuck(scaled_down(namespace, name)));
    }
    let labels = ListParams::default().labels(&format!("app.kubernetes.io/name={name}"));
    let sets = sets.list(&labels).await.map_err(fault)?.items;
    let pods = pods.list(&labels).await.map_err(fault)?.items;
    let Some(pod) = pods.iter().find(|pod| is_current(pod, &deployment, &sets)) else {
        return Ok(Look::Coming(why_no_pod(&deployment)));
    };
    Ok(match state(pod) {
        PodState::Ready => Look::Coming("its pod is ready, the deployment not yet".to_string()),
        PodState::Coming(reason) => Look::Coming(reason),
        PodState::Stuck(reason) => {
            let what = format!("{name} can't become ready");
            let error = Error::new(what, pods_of(namespace, name));
            Look::Stuck(error.fact(format!("pod {}: {reason}", pod.name_any())))
        }
    })
}

/// Whether a pod is of the deployment's present form. A pod of an older form may be stuck, and a
/// deployment that was set back runs older pods: neither age tells, only the revision does.
fn is_current(pod: &Pod, deployment: &Deployment, sets: &[ReplicaSet]) -> bool {
    const REVISION: &str = "deployment.kubernetes.io/revision";
    let observed = deployment
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    let revision = deployment.annotations().get(REVISION);
    if observed < deployment.metadata.generation || revision.is_none() {
        return false;
    }
    let current = sets
        .iter()
        .find(|set| set.annotations().get(REVISION) == revision);
    let owners = pod.owner_references();
    current.is_some_and(|set| owners.iter().any(|owner| owner.name == set.name_any()))
}

/// A quota or an admission rule shows on the deployment only.
fn why_no_pod(deployment: &Deployment) -> String {
    let conditions = deployment
        .status
        .as_ref()
        .and_then(|status| status.conditions.clone());
    let failure = conditions
        .into_iter()
        .flatten()
        .find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    let message = failure.and_then(|failure| failure.message);
    message.unwrap_or_else(|| "no pod yet".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(status: serde_json::Value) -> Deployment {
        serde_json::from_value(json!({"metadata": {"generation": 2}, "spec": {"replicas": 1, "selector": {}, "template": {}}, "status": status})).unwrap()
    }

    #[test]
    fn available_means_the_newest_form_and_nothing_of_the_old() {
        let good = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        assert!(is_available(&deployment(good)));
        let not_seen_yet = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        assert!(!is_available(&deployment(not_seen_yet)));
        let old_pod_left = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1});
        assert!(!is_available(&deployment(old_pod_left)));
        assert!(!is_available(&Deployment::default()));
        let mut scaled_to_none = deployment(json!({"observedGeneration": 2}));
        scaled_to_none.spec.as_mut().unwrap().replicas = Some(0);
        assert!(!is_available(&scaled_to_none));
    }

    #[test]
    fn a_pod_of_an_older_form_says_nothing_about_the_present_one() {
        let revision = |number: &str| json!({"deployment.kubernetes.io/revision": number});
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"generation": 3, "annotations": revision("3")},
            "status": {"observedGeneration": 3}
        }))
        .unwrap();
        let set = |name: &str, number: &str| -> ReplicaSet {
            serde_json::from_value(
                json!({"metadata": {"name": name, "annotations": revision(number)}}),
            )
            .unwrap()
        };
        let pod = |owner: &str| -> Pod {
            let owner =
                json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": "u"});
            serde_json::from_value(json!({"metadata": {"name": "p", "ownerReferences": [owner]}}))
                .unwrap()
        };
        let sets = [set("good", "3"), set("broken", "2")];
        assert!(is_current(&pod("good"), &deployment, &sets));
        assert!(!is_current(&pod("broken"), &deployment, &sets));
        let mut unseen = deployment.clone();
        unseen.metadata.generation = Some(4);
        assert!(!is_current(&pod("good"), &unseen, &sets));
    }
}
