//! Why a pod is not ready, in its own words.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// What a pod shows of its state.
#[derive(Debug, Clone, PartialEq)]
pub enum PodState {
    Ready,
    /// On its way, and what it does now.
    Coming(String),
    /// Not getting there by itself, and why.
    Stuck(String),
}

/// Restarts after which a crashing container is not just waiting for something.
const CRASHES: i32 = 3;

pub fn state(pod: &Pod) -> PodState {
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let is = |kind: &str, value: &str| {
        conditions
            .iter()
            .find(|c| c.type_ == kind && c.status == value)
    };
    if is("Ready", "True").is_some() {
        return PodState::Ready;
    }
    if let Some(unscheduled) = is("PodScheduled", "False") {
        let message = unscheduled.message.clone().unwrap_or_default();
        return PodState::Coming(format!("pending: {message}"));
    }
    let containers = status.init_container_statuses.into_iter().flatten();
    let containers: Vec<ContainerStatus> = containers
        .chain(status.container_statuses.into_iter().flatten())
        .collect();
    containers
        .iter()
        .find_map(container)
        .unwrap_or_else(|| match containers.is_empty() {
            true => PodState::Coming("not started yet".to_string()),
            false => PodState::Coming("running, not ready yet".to_string()),
        })
}

/// The reason of the first container that waits or has ended.
fn container(status: &ContainerStatus) -> Option<PodState> {
    let state = status.state.clone().unwrap_or_default();
    if let Some(waiting) = state.waiting {
        let reason = waiting.reason.unwrap_or_default();
        let message = waiting.message.unwrap_or_default();
        return Some(match reason.as_str() {
            "ContainerCreating" | "PodInitializing" => {
                PodState::Coming("starting, or pulling its image".to_string())
            }
            "ErrImagePull" | "ImagePullBackOff" if is_final(&message) => {
                PodState::Stuck(said(&reason, &message))
            }
            "InvalidImageName" | "CreateContainerConfigError" => {
                PodState::Stuck(said(&reason, &message))
            }
            "CrashLoopBackOff" if status.restart_count >= CRASHES => {
                PodState::Stuck(crash(status, &message))
            }
            "CrashLoopBackOff" => PodState::Coming(crash(status, &message)),
            _ => PodState::Coming(said(&reason, &message)),
        });
    }
    let ended = state.terminated?;
    Some(PodState::Coming(format!(
        "ended with exit code {}",
        ended.exit_code
    )))
}

fn said(reason: &str, message: &str) -> String {
    match message {
        "" => reason.to_string(),
        message => format!("{reason}: {message}"),
    }
}

fn crash(status: &ContainerStatus, message: &str) -> String {
    let last = status.last_state.clone().unwrap_or_default().terminated;
    let code = last
        .as_ref()
        .map(|t| format!(", exit code {}", t.exit_code))
        .unwrap_or_default();
    let out_of_memory = last
        .and_then(|t| t.reason)
        .filter(|r| r == "OOMKilled")
        .map(|_| ", out of memory")
        .unwrap_or("");
    format!(
        "crashed {} times{code}{out_of_memory}: {message}",
        status.restart_count
    )
}

/// Whether trying again can't help: the registry knows no such image, or wants another login.
fn is_final(message: &str) -> bool {
    let words = [
        "not found",
        "manifest unknown",
        "unauthorized",
        "denied",
        "name unknown",
        "no such manifest",
    ];
    let message = message.to_lowercase();
    words.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn seen(status: Value) -> PodState {
        state(
            &serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap(),
        )
    }

    #[test]
    fn a_missing_image_is_stuck_and_a_slow_registry_is_not() {
        let waiting = |reason: &str, message: &str| {
            seen(json!({"containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": message}}
            }]}))
        };
        let missing = "rpc error: code = NotFound desc = failed to pull: ghcr.io/x:v9: not found";
        assert!(
            matches!(waiting("ErrImagePull", missing), PodState::Stuck(text) if text.contains("not found"))
        );
        assert!(matches!(
            waiting("ImagePullBackOff", "i/o timeout"),
            PodState::Coming(_)
        ));
        assert!(matches!(
            waiting("ContainerCreating", ""),
            PodState::Coming(_)
        ));
    }

    #[test]
    fn a_pod_that_fits_nowhere_says_so() {
        let status = json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: insufficient cpu"}]});
        assert!(
            matches!(seen(status), PodState::Coming(text) if text.contains("insufficient cpu"))
        );
    }

    #[test]
    fn a_container_that_keeps_crashing_is_stuck_and_says_how() {
        let status = json!({"containerStatuses": [{
            "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
        }]});
        assert_eq!(
            seen(status),
            PodState::Stuck("crashed 4 times, exit code 137, out of memory: back-off".into())
        );
    }
}
