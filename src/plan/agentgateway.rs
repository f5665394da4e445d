//! Our own types for `agentgateway.dev/v1alpha1`: the parts of its CRDs that we write (facts 6 to 8).

use serde::Serialize;

pub const GROUP: &str = "agentgateway.dev";
pub const API_VERSION: &str = "agentgateway.dev/v1alpha1";

/// Spec of an AgentgatewayBackend (facts 6).
#[derive(Debug, Clone, Serialize)]
pub struct BackendSpec {
    pub ai: Ai,
}

#[derive(Debug, Clone, Serialize)]
pub struct Ai {
    pub provider: LlmProvider,
}

/// An LLM provider: exactly one of its forms, plus an address. With an address the provider's
/// defaults are off: plain HTTP, no path (facts 9.4).
#[derive(Debug, Clone, Serialize)]
pub struct LlmProvider {
    pub openai: OpenAi,
    pub host: String,
    pub port: u16,
}

#[derive(Debug, Clone, Serialize)]
pub struct OpenAi {
    pub model: String,
}

/// Spec of an AgentgatewayPolicy (facts 7).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    pub target_refs: Vec<TargetRef>,
    pub traffic: Traffic,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetRef {
    pub group: &'static str,
    pub kind: &'static str,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Traffic {
    pub csrf: Csrf,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Csrf {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_origins: Vec<String>,
}

/// Spec of AgentgatewayParameters (facts 8).
#[derive(Debug, Clone, Serialize)]
pub struct ParametersSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<serde_json::Value>,
    pub service: ServiceOverlay,
}

#[derive(Debug, Clone, Serialize)]
pub struct ServiceOverlay {
    pub spec: ServiceSpec,
}

/// Pins the nodePort: ports are merged by `port` (facts 15.8).
#[derive(Debug, Clone, Serialize)]
pub struct ServiceSpec {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub ports: Vec<ServicePort>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    pub name: String,
    pub port: u16,
    pub node_port: u16,
}
