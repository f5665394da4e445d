//! Objects of a person's own, as a plan has them.

use super::object::Place;
use super::{ENVIRONMENT_LABEL, MANAGED_BY_LABEL, MANAGER};
use serde_json::{Value, json};

/// Kinds that the embedded gateway takes; the others make a cluster do something.
pub const EMBEDDED: [&str; 9] = [
    "Gateway",
    "HTTPRoute",
    "ReferenceGrant",
    "AgentgatewayBackend",
    "AgentgatewayPolicy",
    "AgentgatewayParameters",
    "Service",
    "EndpointSlice",
    "ConfigMap",
];

/// Kinds that a survey lists on every target.
pub const SURVEYED: [&str; 8] = [
    "Gateway",
    "AgentgatewayParameters",
    "AgentgatewayPolicy",
    "Secret",
    "Service",
    "EndpointSlice",
    "AgentgatewayBackend",
    "HTTPRoute",
];

/// Kinds without a namespace that somebody may bring.
const CLUSTERED: [&str; 9] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "Namespace",
    "PersistentVolume",
    "PriorityClass",
    "StorageClass",
];

impl Place<'_> {
    /// The object with our labels, in the environment's namespace where it names none.
    pub fn own(self, object: &Value) -> Value {
        let mut object = object.clone();
        let kind = object["kind"].as_str().unwrap_or("").to_string();
        let metadata = &mut object["metadata"];
        if !CLUSTERED.contains(&kind.as_str()) && metadata["namespace"].as_str().is_none() {
            metadata["namespace"] = json!(self.namespace);
        }
        if !metadata["labels"].is_object() {
            metadata["labels"] = json!({});
        }
        metadata["labels"][MANAGED_BY_LABEL] = json!(MANAGER);
        metadata["labels"][ENVIRONMENT_LABEL] = json!(self.environment);
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_ones_own_is_marked_and_placed() {
        let place = Place {
            namespace: "n",
            environment: "demo",
        };
        let labels = json!({MANAGED_BY_LABEL: MANAGER, ENVIRONMENT_LABEL: "demo"});
        let object =
            |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}});
        let own = place.own(&object("ConfigMap"));
        assert_eq!(
            own["metadata"],
            json!({"name": "a", "namespace": "n", "labels": labels})
        );
        let own = place.own(&object("Namespace"));
        assert_eq!(own["metadata"], json!({"name": "a", "labels": labels}));
    }
}
