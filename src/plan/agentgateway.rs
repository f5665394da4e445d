//! Our own types for `agentgateway.dev/v1alpha1`: the parts of its CRDs that we write (facts 6 to 8).

use serde::Serialize;
use std::collections::BTreeMap;

pub const GROUP: &str = "agentgateway.dev";
pub const API_VERSION: &str = "agentgateway.dev/v1alpha1";

/// Spec of an AgentgatewayBackend: exactly one of `ai` and `mcp` (facts 6).
#[derive(Debug, Clone, Default, Serialize)]
pub struct BackendSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ai: Option<Ai>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp: Option<Mcp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Policies>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ai {
    Provider(Box<LlmProvider>),
    Groups(Vec<Group>),
}

#[derive(Debug, Clone, Serialize)]
pub struct Group {
    pub providers: Vec<Member>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Member {
    pub name: String,
    #[serde(flatten)]
    pub provider: LlmProvider,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Policies>,
}

/// An LLM provider: exactly one of its forms. With an address the provider's defaults are off: plain
/// HTTP, no path (facts 9.4).
#[derive(Debug, Clone, Serialize)]
pub struct LlmProvider {
    #[serde(flatten)]
    pub form: ProviderForm,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderForm {
    OpenAi(Model),
    Anthropic(Model),
    Gemini(Model),
    AzureOpenAi(Azure),
    VertexAi(Vertex),
    Bedrock(Bedrock),
}

#[derive(Debug, Clone, Serialize)]
pub struct Model {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// There is no `model` here (facts 6).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Azure {
    pub endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Vertex {
    pub project_id: String,
    pub region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Bedrock {
    pub region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mcp {
    pub targets: Vec<McpTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_routing: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
pub struct McpTarget {
    pub name: String,
    #[serde(flatten)]
    pub at: McpAt,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum McpAt {
    Static(McpStatic),
    Selector(McpSelector),
}

/// Both by labels; without namespaces it is the backend's own (facts 6).
#[derive(Debug, Clone, Serialize)]
pub struct McpSelector {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
    pub services: LabelSelector,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    pub match_labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct McpStatic {
    pub host: String,
    pub port: u16,
    pub path: String,
    pub protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Policies>,
}

/// Policies of a backend, of a provider in a group or of an MCP server; at least one is set.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Policies {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ai: Option<AiPolicies>,
}

/// Facts 5: AWS keys through the plain form would be looked for in vain.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Auth {
    SecretRef(Reference),
    Aws(AwsAuth),
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsAuth {
    pub secret_ref: Reference,
}

#[derive(Debug, Clone, Serialize)]
pub struct Reference {
    pub name: String,
}

/// Empty is TLS with the system's roots (facts 6).
#[derive(Debug, Clone, Serialize)]
pub struct Tls {}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AiPolicies {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub defaults: Vec<FieldValue>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub model_aliases: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_guard: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FieldValue {
    pub field: &'static str,
    pub value: serde_json::Value,
}

/// Spec of an AgentgatewayPolicy (facts 7).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    pub target_refs: Vec<TargetRef>,
    /// As `policy` renders it.
    pub traffic: serde_json::Value,
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

/// A nodePort is pinned by naming it: ports are merged by `port` (facts 15.8).
#[derive(Debug, Clone, Serialize)]
pub struct ServiceSpec {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    pub name: String,
    pub port: u16,
    pub node_port: u16,
}
