//! The structural schemas of the kinds that are taken, each read when it is first asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

/// The part of OpenAPI v3 that a structural schema uses (Kubernetes, "Specifying a structural schema").
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Schema {
    #[serde(rename = "type")]
    pub kind: String,
    pub properties: BTreeMap<String, Schema>,
    #[serde(rename = "additionalProperties")]
    pub others: Option<Box<Schema>>,
    pub items: Option<Box<Schema>>,
    pub required: Vec<String>,
    #[serde(rename = "enum")]
    pub choices: Vec<Value>,
    pub default: Option<Value>,
    pub pattern: Option<String>,
    pub format: String,
    #[serde(rename = "minLength")]
    pub min_length: Option<usize>,
    #[serde(rename = "maxLength")]
    pub max_length: Option<usize>,
    #[serde(rename = "minItems")]
    pub min_items: Option<usize>,
    #[serde(rename = "maxItems")]
    pub max_items: Option<usize>,
    #[serde(rename = "maxProperties")]
    pub max_properties: Option<usize>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    #[serde(rename = "x-kubernetes-validations")]
    pub rules: Vec<Rule>,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    pub keeps_unknown: bool,
    #[serde(rename = "x-kubernetes-int-or-string")]
    pub int_or_string: bool,
    #[serde(rename = "x-kubernetes-list-type")]
    pub list_type: String,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    pub list_keys: Vec<String>,
}

/// A condition in CEL, and what is said when it does not hold.
#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    pub rule: String,
    #[serde(default)]
    pub message: Option<String>,
}

const CUSTOM: [(&str, &str); 6] = [
    ("Gateway", include_str!("crd/gateway.json")),
    ("HTTPRoute", include_str!("crd/httproute.json")),
    ("ReferenceGrant", include_str!("crd/referencegrant.json")),
    (
        "AgentgatewayBackend",
        include_str!("crd/agentgatewaybackend.json"),
    ),
    (
        "AgentgatewayPolicy",
        include_str!("crd/agentgatewaypolicy.json"),
    ),
    (
        "AgentgatewayParameters",
        include_str!("crd/agentgatewayparameters.json"),
    ),
];
const CORE: &str = include_str!("crd/core.json");

static READ: Mutex<BTreeMap<String, Arc<Schema>>> = Mutex::new(BTreeMap::new());

/// The schema of a kind, without what all objects share.
pub(super) fn of(kind: &str) -> Option<Arc<Schema>> {
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if !read.contains_key(kind) {
        // The texts are our own and a test reads them all: the fallbacks are never taken.
        match CUSTOM.iter().find(|(name, _)| *name == kind) {
            Some((_, text)) => {
                let schema: Schema = serde_json::from_str(text).unwrap_or_default();
                read.insert(kind.to_string(), Arc::new(schema));
            }
            None => {
                let core: BTreeMap<String, Schema> = serde_json::from_str(CORE).unwrap_or_default();
                read.extend(
                    core.into_iter()
                        .map(|(kind, schema)| (kind, Arc::new(schema))),
                );
            }
        }
    }
    read.get(kind).cloned()
}

/// The schema of `metadata`.
pub(super) fn metadata() -> Option<Arc<Schema>> {
    of("metadata")
}

/// Lets go of what was read: it is some MB, and seldom asked for.
pub(super) fn forget() {
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    read.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_read_and_says_something() {
        for (kind, text) in &CUSTOM {
            serde_json::from_str::<Schema>(text).unwrap_or_else(|e| panic!("{kind}: {e}"));
            assert!(of(kind).unwrap().properties.contains_key("spec"), "{kind}");
        }
        for kind in [
            "Secret",
            "Service",
            "EndpointSlice",
            "ConfigMap",
            "Namespace",
        ] {
            assert!(!of(kind).unwrap().properties.is_empty(), "{kind}");
        }
        assert!(metadata().unwrap().properties.contains_key("name"));
    }
}
