//! The identity of something that we made: what the ledger keeps and `down` undoes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "sort", rename_all = "camelCase")]
pub enum Thing {
    /// A kind cluster that we created.
    Cluster { name: String },
    /// A context in the user's kubeconfig.
    Context { name: String, kubeconfig: String },
    /// The Gateway API CRDs.
    GatewayApi,
    /// A Helm release.
    Chart { name: String, namespace: String },
    /// A background process of ours, by role.
    Process { role: String },
    #[serde(rename_all = "camelCase")]
    Object {
        api_version: String,
        kind: String,
        namespace: String,
        name: String,
    },
}

impl Thing {
    /// The identity of an object; empty parts where the object has none.
    pub fn of(object: &Value) -> Thing {
        let word = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_string()
        };
        Thing::Object {
            api_version: word("/apiVersion"),
            kind: word("/kind"),
            namespace: word("/metadata/namespace"),
            name: word("/metadata/name"),
        }
    }

    /// As people read it: `HTTPRoute ollama`, `chart agentgateway`.
    pub fn title(&self) -> String {
        match self {
            Thing::Cluster { name } => format!("kind cluster {name}"),
            Thing::Context { name, .. } => format!("context {name}"),
            Thing::GatewayApi => "Gateway API CRDs".to_string(),
            Thing::Chart { name, .. } => format!("chart {name}"),
            Thing::Process { role } => format!("process {role}"),
            Thing::Object { kind, name, .. } => format!("{kind} {name}"),
        }
    }
}
