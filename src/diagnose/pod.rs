//! Why a Deployment has no pod that is ready, in the words of kubelet, scheduler and quota.

use super::finding::{Fix, Found};
use super::log::Line;
use super::snapshot::{Snapshot, condition, items, name, namespace, text};
use crate::text::{count, excerpt};
use serde_json::Value;

/// Pods of one Deployment.
pub struct Pods<'a> {
    pub deployment: &'a str,
    /// The label that carries the Deployment's name.
    pub label: &'static str,
}

/// A container that ended, and ends again.
pub struct Crash {
    pub pod: String,
    pub restarts: usize,
    pub code: i64,
    /// The kernel ended it for its memory.
    pub memory: bool,
}

impl Crash {
    /// Its cause and what was seen of it; `source` names the log that `lines` are of.
    pub fn told(&self, found: Found, source: &str, lines: &[Line]) -> Found {
        let last = lines.iter().rev().find(|line| line.is_error());
        let last = last.map(Line::text);
        let cause = match (&last, self.memory) {
            (_, true) => "the kernel ended it for its memory".to_string(),
            (Some(last), _) => excerpt(last, 160),
            (None, _) => format!("it ended with exit code {}", self.code),
        };
        let restarts = count(self.restarts, "restart");
        let found = found.cause(cause).saw(
            format!("Pod {}", self.pod),
            format!("{restarts}, exit code {}", self.code),
        );
        match last {
            Some(last) => found.saw(source, excerpt(&last, 240)),
            None => found,
        }
    }

    /// What a person reads next.
    pub fn logs(&self, snapshot: &Snapshot, namespace: &str) -> Fix {
        let pod = &self.pod;
        Fix::Command(snapshot.kubectl(&format!("-n {namespace} logs {pod} --previous")))
    }
}

/// Why a Deployment has no pod that is ready.
pub enum Trouble {
    Image {
        pod: String,
        image: String,
        message: String,
    },
    Crash(Crash),
    Pending {
        source: String,
        message: String,
    },
}

pub fn of<'a>(snapshot: &'a Snapshot, pods: &Pods<'_>) -> Vec<&'a Value> {
    let deployment = pods.deployment.to_string();
    let label = pods.label;
    snapshot
        .kind("Pod")
        .filter(|pod| {
            pod["metadata"]["labels"][label] == *deployment
                && namespace(pod) == snapshot.space_of(pods.deployment)
                && pod["metadata"]["deletionTimestamp"].is_null()
        })
        .collect()
}

/// The newest pod's trouble; nothing where the Deployment is available, scaled to zero or not there.
pub fn trouble(snapshot: &Snapshot, pods: &Pods<'_>) -> Option<Trouble> {
    let deployment = snapshot.object("Deployment", pods.deployment)?;
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let status = &deployment["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let whole = count("availableReplicas") >= wanted
        && count("updatedReplicas") >= wanted
        && count("replicas") <= wanted;
    if wanted == 0 || whole {
        return None;
    }
    let mut found = of(snapshot, pods);
    found.sort_by_key(|pod| text(pod, "/metadata/creationTimestamp").to_string());
    let failure = condition(status, "ReplicaFailure").filter(|c| c["status"] == "True");
    if let Some(failure) = failure {
        return Some(Trouble::Pending {
            source: format!("Deployment {}, ReplicaFailure", pods.deployment),
            message: text(failure, "/message").to_string(),
        });
    }
    found.into_iter().rev().find_map(of_pod)
}

fn of_pod(pod: &Value) -> Option<Trouble> {
    let title = name(pod).to_string();
    let unscheduled = condition(&pod["status"], "PodScheduled").filter(|c| c["status"] == "False");
    if let Some(unscheduled) = unscheduled {
        return Some(Trouble::Pending {
            source: format!("Pod {title}, PodScheduled=False"),
            message: text(unscheduled, "/message").to_string(),
        });
    }
    let inits = items(pod, "/status/initContainerStatuses");
    inits
        .chain(items(pod, "/status/containerStatuses"))
        .find_map(|container| {
            let waiting = &container["state"]["waiting"];
            let message = text(waiting, "/message").to_string();
            match text(waiting, "/reason") {
                "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                    Some(Trouble::Image {
                        pod: title.clone(),
                        image: text(container, "/image").to_string(),
                        message,
                    })
                }
                "CrashLoopBackOff" | "CreateContainerConfigError" | "RunContainerError" => {
                    let last = &container["lastState"]["terminated"];
                    Some(Trouble::Crash(Crash {
                        pod: title.clone(),
                        restarts: container["restartCount"].as_u64().unwrap_or(0) as usize,
                        code: last["exitCode"].as_i64().unwrap_or(0),
                        memory: last["reason"] == "OOMKilled",
                    }))
                }
                _ => None,
            }
        })
}

/// What a failed pull means, as far as its words tell.
pub fn why_no_image(image: &str, message: &str) -> String {
    let said = message.to_lowercase();
    let registry = image.split('/').next().unwrap_or(image);
    if said.contains("unauthorized") || said.contains("denied") || said.contains("forbidden") {
        return format!("{registry} refuses to give {image}");
    }
    if said.contains("not found") || said.contains("manifest unknown") {
        return format!("{registry} has no image {image}");
    }
    if said.contains("no such host") || said.contains("dial tcp") || said.contains("timeout") {
        return format!("the node can't reach {registry}");
    }
    format!("the node can't pull {image}")
}

pub fn why_pending(message: &str) -> String {
    let said = message.to_lowercase();
    if said.contains("exceeded quota") {
        return "a quota of the namespace does not leave room for the pod".to_string();
    }
    if said.contains("insufficient") {
        return "no node has the cpu or memory that the pod asks for".to_string();
    }
    if said.contains("taint") {
        return "every node has a taint that the pod does not tolerate".to_string();
    }
    "no node takes the pod".to_string()
}
