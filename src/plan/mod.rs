//! What must exist for a profile, in order, computed without touching anything.

pub mod agentgateway;
pub mod alias;
pub mod backend;
pub mod build;
pub mod chart;
pub mod choose;
pub mod found;
pub mod object;
pub mod outcome;
pub mod own;
pub mod placeholder;
pub mod policy;
pub mod processor;
pub mod select;
mod serve;
pub mod survey;
pub mod thing;
pub mod view;

use crate::profile::rule::KeyFrom;
use crate::profile::{Image, TargetKind, Test};
use crate::provider::Provider;
use chart::Chart;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Field manager of server-side apply and value of the managed-by label (architecture, decision 2).
pub const MANAGER: &str = "gatewright";
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
pub const ENVIRONMENT_LABEL: &str = "gatewright.dev/environment";

/// Names of our own services of this machine, as files and people call them.
pub const MOCK: &str = "mock";
pub const PROCESSOR: &str = "processor";
pub const BRIDGE: &str = "bridge";

/// The port of the kind node that leads to the gateway's Service.
pub const NODE_PORT: u16 = 30080;

/// A listener that no policy of ours reaches; what stands behind it proves addresses (facts 15.15).
pub const WITNESS_LISTENER: &str = "witness";
pub const WITNESS_PREFIX: &str = "witness-";
/// Names of what a proof puts beside a route for the moment.
pub const PROOF_PREFIX: &str = "proof-";
pub const WITNESS_HOSTNAME: &str = "witness.gatewright.internal";

/// Gateway API bundle that is installed; what v2.2 accepts is minor 1.2 to 1.4 (facts 1.6).
pub const GATEWAY_API_VERSION: &str = "v1.4.1";
pub const GATEWAY_API_MINORS: std::ops::RangeInclusive<u32> = 2..=4;

#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub environment: String,
    pub profile: String,
    pub target: TargetKind,
    /// Context of a cluster that is there already; empty elsewhere.
    pub context: String,
    pub gateway: String,
    /// Where the objects are.
    pub namespace: String,
    /// Where the charts are; on a cluster that others share it is another than that of the objects.
    pub system: String,
    /// Port on 127.0.0.1 that is asked for.
    pub port: u16,
    pub steps: Vec<Step>,
    pub routes: Vec<PlannedRoute>,
    /// The profile's own tests of routes that are used.
    pub tests: Vec<Test>,
    /// Where the values of each Secret come from, by its name.
    pub sources: BTreeMap<String, String>,
    /// What a person should be told before anything happens, such as a model that was chosen.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Stable and dotted, such as `chart.agentgateway` or `object.HTTPRoute.ollama`.
    pub id: String,
    pub phase: Phase,
    /// Ids of the steps that must be true before this one can begin.
    pub needs: Vec<String>,
    pub action: Action,
}

/// The lines that a person reads during `up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    Cluster,
    GatewayApi,
    Charts,
    Gateway,
    Host,
    Objects,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Phase::Cluster => "cluster",
            Phase::GatewayApi => "Gateway API",
            Phase::Charts => "charts",
            Phase::Gateway => "gateway",
            Phase::Host => "host",
            Phase::Objects => "objects",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A kind cluster exists, with the gateway's port mapped to 127.0.0.1.
    Cluster(Cluster),
    /// A cluster that is there already answers, in a version that v2.2 supports.
    Existing {
        context: String,
    },
    /// Done by others already, and left to them; in words.
    Adopted(String),
    /// A port of 127.0.0.1 leads to the gateway's pod.
    Forward {
        port: u16,
    },
    /// The embedded gateway runs.
    Process,
    /// The Gateway API CRDs exist in a version that v2.2 accepts.
    GatewayApi,
    Chart(Chart),
    /// A request to the gateway's address comes back from the gateway.
    ///
    /// With an image of the profile's own it is that image which must answer.
    Answers(Option<Image>),
    /// The gateway reaches a service of this machine.
    HostService(HostService),
    /// The object exists as given; its placeholders are filled with what `HostService` proved.
    Object(Value),
    /// The Deployment of ours of this name is wholly available.
    Ready(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    pub name: String,
    /// `None`: the default of the kind program at hand.
    pub node_image: Option<String>,
    pub host_port: u16,
    /// Our own image that pods run, where the profile asks for no other.
    pub own_image: Option<String>,
}

/// A service of this machine that one or several backends need.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct HostService {
    /// The name of the first backend that needs it.
    pub name: String,
    /// As people call it.
    pub title: String,
    pub port: u16,
    /// What it is asked for to see whether it is there.
    pub health_path: String,
    /// Whether any HTTP answer will do, not only 200.
    pub any_answer: bool,
    /// What starts it when nothing answers.
    pub start: String,
    /// Whether it is the built-in mock, which we start ourselves.
    pub mock: bool,
    /// Whether it speaks gRPC: HTTP/2 without TLS, and nothing else.
    #[serde(default)]
    pub grpc: bool,
    /// Whether it is the built-in processor, which we start ourselves.
    #[serde(default)]
    pub demo: bool,
    /// The MCP servers behind our bridge, which we start ourselves, where it is that.
    #[serde(default)]
    pub bridged: Vec<Bridged>,
    /// Whether every path of it is for the gateway, and not only inference.
    pub whole: bool,
    pub namespace: String,
    /// The name that an address gets on a cluster: applied only where no name of the engine's own
    /// was proved.
    pub alias: Vec<Value>,
}

/// An MCP server that is a program, run by our bridge.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bridged {
    /// Unique in an environment: the last part of its path, and the owner of its keys.
    pub name: String,
    pub command: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Variables whose values are secret.
    pub keys: Vec<String>,
}

impl HostService {
    /// The process of ours that it is, and that is started before it is asked.
    pub fn role(&self) -> Option<&'static str> {
        match (self.mock, self.demo, self.bridged.as_slice()) {
            (true, _, _) => Some(MOCK),
            (_, true, _) => Some(PROCESSOR),
            (_, _, []) => None,
            (_, _, [_, ..]) => Some(BRIDGE),
        }
    }
}

/// One route as it will answer: what its proof needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRoute {
    pub name: String,
    pub path: String,
    pub serves: Served,
    /// Whether Anthropic's form is served beside OpenAI's.
    pub messages: bool,
    pub patience: Duration,
    /// What a caller has to show.
    pub auth: Option<RouteAuth>,
}

/// What a caller has to show in its Authorization header, and where a proof gets it from.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteAuth {
    /// The policy that asks.
    pub policy: String,
    pub scheme: Scheme,
    /// Name of the key, or of the user.
    pub name: String,
    /// `None` where only somebody else can give it.
    pub from: Option<KeyFrom>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scheme {
    Bearer,
    Basic,
}

/// What a route's proof asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Served {
    Chat {
        provider: Provider,
        /// The model to ask for; empty where the backend alone decides.
        model: String,
        /// Models of which the answer may come; empty where any will do.
        accepted: Vec<String>,
    },
    /// The tools of one or several MCP servers.
    Tools,
}

impl Served {
    /// As people call who answers.
    pub fn title(&self) -> &'static str {
        match self {
            Served::Chat { provider, .. } => provider.ways().title,
            Served::Tools => "the MCP server",
        }
    }

    pub fn model(&self) -> &str {
        match self {
            Served::Chat { model, .. } => model,
            Served::Tools => "",
        }
    }
}

impl Step {
    /// Whether the step only waits: it can be given up at any moment.
    pub fn is_wait(&self) -> bool {
        matches!(self.action, Action::Answers(_) | Action::Ready(_))
    }
}

impl Plan {
    /// Everything that may be applied, in the order of the steps.
    pub fn objects(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().flat_map(|step| match &step.action {
            Action::Object(object) => std::slice::from_ref(object),
            Action::HostService(service) => service.alias.as_slice(),
            _ => &[],
        })
    }

    /// As targets are named in reports: `kind/gatewright`, `embedded`.
    pub fn place(&self) -> String {
        let name = self.target.name();
        match (self.target, self.cluster()) {
            (TargetKind::Context, _) => format!("{name}/{}", self.context),
            (_, Some(cluster)) => format!("{name}/{}", cluster.name),
            (_, None) => name.to_string(),
        }
    }

    pub fn is_on_cluster(&self) -> bool {
        self.target != TargetKind::Embedded
    }

    /// The kind cluster that is ours.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.steps.iter().find_map(|step| match &step.action {
            Action::Cluster(cluster) => Some(cluster),
            _ => None,
        })
    }
}
