//! What a person wants. This is the internal form; `wire` reads `gatewright.dev/v1alpha1` into it,
//! and `record` writes it back with every default filled in.

pub mod address;
mod backend;
mod duration;
pub mod extend;
mod field;
mod header;
mod llm;
pub mod load;
pub mod manifest;
mod mcp;
mod origin;
mod path;
mod policy;
pub mod problem;
mod record;
mod release;
mod route;
pub mod rule;
pub mod schema;
pub mod shipped;
mod source;
pub mod suggest;
mod test;
mod value;
pub mod wire;

pub use load::load;
pub use record::{from_wire, to_wire};
pub use release::{GATEWAY, NAMESPACE, PORT};
pub use rule::Rule;
pub use shipped::shipped;

use crate::provider::{Form, Provider};
use crate::secret::source::Source;
use address::Address;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub name: String,
    /// For whom this profile is, in one sentence.
    pub description: String,
    pub target: Target,
    pub release: Release,
    pub gateway: Gateway,
    pub backends: Vec<Backend>,
    pub routes: Vec<Route>,
    pub policies: Vec<Policy>,
    /// Files and folders of a person's own objects.
    pub manifests: Vec<String>,
    pub tests: Vec<Test>,
}

/// Where the profile wants to run; flags win over it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Target {
    pub kind: Option<TargetKind>,
    /// Name of the kind cluster; `gatewright` if absent.
    pub cluster: Option<String>,
    /// Image of the kind node, with digest where one is known.
    pub node_image: Option<String>,
    /// Context of the kubeconfig that leads to a cluster which is there already.
    pub context: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// OrbStack's own Kubernetes.
    OrbStack,
    /// A kind cluster of our own.
    Kind,
    /// A cluster that is there already.
    Context,
    /// No cluster.
    Embedded,
}

impl TargetKind {
    pub const ALL: [TargetKind; 4] = [
        TargetKind::OrbStack,
        TargetKind::Kind,
        TargetKind::Context,
        TargetKind::Embedded,
    ];

    pub fn name(self) -> &'static str {
        match self {
            TargetKind::OrbStack => "orbstack",
            TargetKind::Kind => "kind",
            TargetKind::Context => "context",
            TargetKind::Embedded => "embedded",
        }
    }

    pub fn named(name: &str) -> Option<TargetKind> {
        TargetKind::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// What is installed on a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// Version of the four charts, with its leading `v`.
    pub version: String,
    pub namespace: String,
    /// Whether kgateway's own (Envoy) controller is installed beside agentgateway's.
    pub kgateway: bool,
    /// Where charts come from: an `oci://` address or a folder.
    pub charts: String,
    /// Image of the agentgateway controller, where it is not the chart's own.
    pub controller_image: Option<Image>,
    /// Image of the proxy, where it is not the controller's default (facts 0: it differs inside the 2.2 line).
    pub proxy_image: Option<Image>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Image {
    pub registry: Option<String>,
    pub repository: Option<String>,
    pub tag: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    pub name: String,
    /// Port on this machine and of the listener.
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Backend {
    pub name: String,
    pub serves: Serves,
    /// Whether `up` fails when the backend can't be used; otherwise it is left out.
    pub required: bool,
    /// Whether the backend is used only when no other is there.
    pub fallback: bool,
}

/// What answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Serves {
    Llm(Box<Llm>),
    /// Names of other backends: the next group is asked when all of one are out (facts 6, failover).
    Groups(Vec<Vec<String>>),
    Mcp(Mcp),
}

/// A provider's models.
#[derive(Debug, Clone, PartialEq)]
pub struct Llm {
    pub provider: Provider,
    /// Model that replaces the client's; the provider's default if nothing else is said.
    pub model: Option<String>,
    /// Models that clients choose from; the first is for those who name none.
    pub models: Vec<String>,
    /// Other names for models.
    pub aliases: BTreeMap<String, String>,
    /// In which form the mock provider is asked; its own is OpenAI's.
    pub form: Option<Form>,
    /// Port of the service on this machine; the provider's default if absent.
    pub port: Option<u16>,
    /// Where it is, if not at home.
    pub address: Option<Address>,
    /// What the provider can't be without, by field; the rest is looked for in the environment.
    pub settings: BTreeMap<String, String>,
    /// Where its key comes from, by entry of the Secret; the provider's usual variables if absent.
    pub keys: BTreeMap<String, Source>,
}

/// MCP servers, seen as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Mcp {
    pub targets: Vec<McpTarget>,
    /// Whether each request stands for itself (facts 9.8).
    pub stateless: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct McpTarget {
    pub name: String,
    pub server: McpServer,
    pub protocol: Protocol,
    pub key: Option<Source>,
}

/// Where an MCP server is.
#[derive(Debug, Clone, PartialEq)]
pub enum McpServer {
    /// The built-in mock.
    Mock,
    Address(Address),
    Stdio(Stdio),
    Services(Selector),
}

/// A program that speaks MCP on its standard input and output: our bridge runs it on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Stdio {
    /// The program, by its name on PATH or its whole path, and its arguments.
    pub command: Vec<String>,
    pub env: BTreeMap<String, Variable>,
}

/// What a program gets in its environment.
#[derive(Debug, Clone, PartialEq)]
pub enum Variable {
    Plain(String),
    Key(Source),
}

/// Services of a cluster, by their labels (facts 6).
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    pub labels: BTreeMap<String, String>,
    /// The backend's own if absent.
    pub namespace: Option<String>,
}

impl McpTarget {
    pub fn address(&self) -> Option<&Address> {
        match &self.server {
            McpServer::Address(address) => Some(address),
            McpServer::Mock | McpServer::Stdio(_) | McpServer::Services(_) => None,
        }
    }

    /// What it needs that is secret: the name of each part, and where it comes from.
    pub fn keys<'a>(&'a self, own: &'a str) -> Vec<(&'a str, &'a Source)> {
        let env = match &self.server {
            McpServer::Stdio(stdio) => Some(&stdio.env),
            McpServer::Mock | McpServer::Address(_) | McpServer::Services(_) => None,
        };
        let of_env = env
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| match value {
                Variable::Key(source) => Some((name.as_str(), source)),
                Variable::Plain(_) => None,
            });
        self.key
            .iter()
            .map(|source| (own, source))
            .chain(of_env)
            .collect()
    }
}

/// How an MCP server is spoken to; names as the CRD has them (facts 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    StreamableHttp,
    Sse,
}

impl Protocol {
    pub const ALL: [Protocol; 2] = [Protocol::StreamableHttp, Protocol::Sse];

    pub fn name(self) -> &'static str {
        match self {
            Protocol::StreamableHttp => "StreamableHTTP",
            Protocol::Sse => "SSE",
        }
    }

    /// The path that is taken where none is said (facts 6).
    pub fn path(self) -> &'static str {
        match self {
            Protocol::StreamableHttp => "/mcp",
            Protocol::Sse => "/sse",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub name: String,
    /// Path prefix without a trailing slash, such as `/ollama`.
    pub path: String,
    /// Name of the backend.
    pub backend: String,
    pub request_headers: Headers,
    pub timeout: Option<Duration>,
}

/// Changes to headers of a request, in the order set, add, remove.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers {
    pub set: Vec<(String, String)>,
    pub add: Vec<(String, String)>,
    pub remove: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub name: String,
    /// Routes that it is for; all of the gateway if empty.
    pub routes: Vec<String>,
    pub rule: Rule,
}

/// A person's own proof: a request and what must come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Test {
    pub name: String,
    pub route: String,
    pub method: String,
    /// Path under the route, such as `/v1/chat/completions`.
    pub path: String,
    pub body: Option<serde_json::Value>,
    pub status: u16,
    /// Text that the answer must contain.
    pub contains: Option<String>,
    /// Headers that it must have, with their values.
    #[serde(default)]
    pub headers: std::collections::BTreeMap<String, String>,
    /// What must stand in its JSON, by JSON pointer (RFC 6901), such as `/choices/0/message/role`.
    #[serde(default)]
    pub json: std::collections::BTreeMap<String, serde_json::Value>,
}
