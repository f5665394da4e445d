//! The built-in processor as a workload of the cluster: one Deployment and the Service before it.

use super::object::Place;
use crate::profile::rule::Processor;
use crate::profile::{Policy, Rule};
use serde_json::{Value, json};

/// At which it listens, as upstream's example does (facts 10).
const PORT: u16 = 9002;
/// The user of the released image (dist/Containerfile: distroless `nonroot`).
const USER: u32 = 65532;

/// The image that a release of this version has (.github/workflows/release.yml).
pub fn released() -> String {
    let repository = env!("CARGO_PKG_REPOSITORY").replacen("https://github.com/", "ghcr.io/", 1);
    format!("{repository}:v{}", env!("CARGO_PKG_VERSION"))
}

/// The image of a processor that runs in the cluster.
pub fn image(policy: &Policy) -> Option<String> {
    match &policy.rule {
        Rule::ExtProc(Processor::Cluster { image }) => Some(image.clone().unwrap_or_else(released)),
        _ => None,
    }
}

/// Name of the Deployment and of the Service: a Service's begins with a letter.
pub fn name(policy: &str) -> String {
    let name: String = format!("processor-{policy}").chars().take(63).collect();
    name.trim_end_matches('-').to_string()
}

/// What a policy refers to.
pub fn backend(policy: &str) -> Value {
    json!({"name": name(policy), "port": PORT})
}

impl Place<'_> {
    /// Deployment and Service; the pod may do no more than it needs: no root, no writes, no token.
    pub(super) fn processor(self, policy: &str, image: &str) -> [Value; 2] {
        let name = name(policy);
        let mut labels = self.metadata(&name)["labels"].clone();
        labels["app.kubernetes.io/name"] = json!(name);
        let selector = json!({
            "app.kubernetes.io/name": name,
            super::ENVIRONMENT_LABEL: self.environment,
        });
        let container = json!({
            "name": "processor",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "args": ["processor", "--listen", format!("0.0.0.0:{PORT}")],
            "ports": [{"name": "grpc", "containerPort": PORT, "protocol": "TCP"}],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 2},
            "resources": {
                "requests": {"cpu": "10m", "memory": "16Mi"},
                "limits": {"cpu": "500m", "memory": "64Mi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
        });
        let pod = json!({
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        });
        let deployment = json!({
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        });
        let port = json!({"name": "grpc", "port": PORT, "protocol": "TCP"});
        let service = json!({"selector": selector, "ports": [port]});
        [
            self.object("apps/v1", "Deployment", &name, deployment),
            self.object("v1", "Service", &name, service),
        ]
    }
}
