//! Everything that the rules look at, gathered once. Values only: nothing here asks anybody.

use super::finding::Scope;
use super::log::Line;
use crate::apply::record::TakenBack;
use crate::plan::outcome::Wire;
use crate::plan::thing::Thing;
use crate::plan::{ENVIRONMENT_LABEL, MANAGED_BY_LABEL, MANAGER};
use crate::verify::drift::Drift;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub environment: String,
    /// `kind`, `embedded`, …
    pub target: String,
    /// Name of the kind cluster; empty elsewhere.
    pub cluster: String,
    pub gateway: String,
    pub namespace: String,
    /// Where the charts are.
    pub system: String,
    /// The context that leads to the cluster; empty where there is none.
    pub context: String,
    pub base_url: String,
    pub port: u16,
    pub routes: Vec<Route>,
    pub place: Place,
    /// Objects as the API server or the embedded gateway shows them. Of a Secret only the names of
    /// its entries, each with a word about its value.
    pub objects: Vec<Value>,
    /// Names of CRDs with the bundle version that stands on them, if any.
    pub crds: BTreeMap<String, String>,
    pub releases: Vec<Release>,
    pub controller_log: Vec<Line>,
    pub proxy_log: Vec<Line>,
    /// What we applied and is not so any more.
    pub drift: Vec<Drift>,
    pub ledger: Vec<Thing>,
    /// How far a `down` has come, where one has begun.
    pub taken_back: Option<TakenBack>,
    /// Keys that have ended: whose, and for how many seconds.
    pub ended: BTreeMap<String, u64>,
    pub processes: Vec<Process>,
    pub services: Vec<Service>,
    pub wires: BTreeMap<String, Wire>,
    pub door: Door,
    pub probes: Vec<Probe>,
    pub logins: Vec<Login>,
    /// What could not be looked at, and why.
    pub unread: Vec<(String, String)>,
}

/// The place itself.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Whether it answers: an API server, or the embedded gateway on its socket.
    pub alive: bool,
    /// What came instead of an answer.
    pub silence: String,
    /// The next thing to do where the API server could not even be asked; empty where it was.
    pub unasked: String,
    /// Whether Docker has the kind cluster, and whether its nodes run; nothing where Docker does not answer.
    pub container: Option<Container>,
    pub version: Option<String>,
    /// Seconds by which the cluster's clock is ahead of ours, where it can be told for sure.
    pub clock_ahead: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Missing,
    Stopped,
    /// It keeps its ports, and answers nothing.
    Paused,
    /// Of that name, and another than the one gw was in.
    Another,
    Running,
}

#[derive(Debug, Clone, Default)]
pub struct Route {
    pub name: String,
    pub path: String,
    /// Provider's name as in profiles, or `mcp`.
    pub provider: String,
    /// As people call who answers.
    pub title: String,
    pub model: String,
    /// Variable in which its key is looked for; empty where it needs none.
    pub variable: String,
}

/// A Helm release.
#[derive(Debug, Clone, Default)]
pub struct Release {
    pub name: String,
    pub status: String,
    pub version: String,
    pub description: String,
}

/// A background process of ours.
#[derive(Debug, Clone, Default)]
pub struct Process {
    pub role: String,
    pub alive: bool,
    pub pid: Option<u32>,
    /// The last line that it wrote.
    pub last: Option<String>,
}

/// A service of this machine that backends need.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// As in the plan: the first backend that needs it.
    pub name: String,
    pub title: String,
    pub port: u16,
    /// The process of ours that it is, where it is one.
    pub role: Option<String>,
    pub start: String,
    /// What came instead of an answer on 127.0.0.1; nothing where it answered.
    pub silence: Option<String>,
    /// Addresses on which it listens, where the system tells.
    pub listens: Vec<std::net::IpAddr>,
    /// Its models, where it lists them.
    pub models: Option<Vec<String>>,
    /// What it answers a request with the Host header that the proxy sends: header and status.
    pub with_host: Option<(String, u16)>,
    /// What it answers a request with an Origin that a CORS policy allows: origin and status.
    pub with_origin: Option<(String, u16)>,
}

/// The gateway's address on this machine.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// Whether anything answered a GET there, or what came.
    pub answers: Option<Result<u16, String>>,
    /// Who listens on the port, as far as this user may know.
    pub owner: Option<String>,
    /// Whether a port of the node leads there; nothing where that can't be told.
    pub mapped: Option<bool>,
}

/// One live request through a route.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    pub route: String,
    /// `POST /ollama/v1/chat/completions`.
    pub sent: String,
    /// 0 where nothing came back.
    pub status: u16,
    pub content_type: String,
    /// The beginning of the body, without keys; for a failed connection why.
    pub body: String,
    pub good: bool,
    pub seconds: f64,
    /// What it means, where the proof of an MCP route has told that already.
    pub why: String,
    /// How many tools an MCP route offers; nothing where it never came to a list.
    pub tools: Option<usize>,
}

/// A login of this machine's Docker to a registry that charts or images come from.
#[derive(Debug, Clone, Default)]
pub struct Login {
    pub registry: String,
    /// The registry refuses this login and takes nobody's.
    pub stale: bool,
}

impl Snapshot {
    pub fn on_cluster(&self) -> bool {
        self.target != "embedded"
    }

    pub fn kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |o| o["kind"] == *kind)
    }

    /// An object of our namespace; what is named like a controller is where the charts are.
    pub fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        self.in_namespace(kind, self.space_of(name), name)
    }

    /// The namespace in which something of this name is.
    pub fn space_of(&self, name: &str) -> &str {
        match name {
            "agentgateway" | "kgateway" => &self.system,
            _ => &self.namespace,
        }
    }

    pub fn in_namespace(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.kind(kind).find(|object| {
            self::name(object) == name
                && object["metadata"]["namespace"].as_str().unwrap_or("") == namespace
        })
    }

    /// Whether an object carries this environment's label.
    pub fn is_ours(&self, object: &Value) -> bool {
        let label = |name: &str| {
            object["metadata"]["labels"]
                .get(name)
                .and_then(Value::as_str)
        };
        label(MANAGED_BY_LABEL) == Some(MANAGER)
            && label(ENVIRONMENT_LABEL) == Some(self.environment.as_str())
    }

    /// What was changed of an object of ours, if anything.
    pub fn drift(&self, kind: &str, name: &str) -> Option<&Drift> {
        self.drift.iter().find(|drift| matches!(&drift.thing, Thing::Object { kind: k, name: n, .. } if k == kind && n == name))
    }

    /// Whether the gateway has ever answered at its address.
    pub fn was_up(&self) -> bool {
        !self.base_url.is_empty()
    }

    /// Whether gw made this and has not taken it back.
    pub fn is_made(&self, thing: &Thing) -> bool {
        self.ledger.contains(thing)
    }

    pub fn probe(&self, route: &str) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.route == route)
    }

    /// Our routes whose HTTPRoute names this backend.
    pub fn scope_of_backend(&self, backend: &str) -> Scope {
        Scope::Routes(self.routes_of(|name| name == backend))
    }

    fn routes_of(&self, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let leads = |route: &&Value| backends_of(route).iter().any(|name| wanted(name));
        let routes = self.kind("HTTPRoute").filter(leads);
        routes.map(|route| name(route).to_string()).collect()
    }

    /// Whether a backend leads to a service of this machine.
    pub fn leads_to(&self, backend: &Value, service: &Service) -> bool {
        let wire = self.wires.get(&service.name);
        let is_its = |(host, _): &(String, u64)| wire.is_some_and(|wire| wire.host == *host);
        name(backend) == service.name || hosts(backend).iter().any(is_its)
    }

    /// Our routes whose backends need a service of this machine.
    pub fn scope_of_service(&self, service: &Service) -> Scope {
        let needs = |name: &str| {
            let backend = self.object("AgentgatewayBackend", name);
            name == service.name || backend.is_some_and(|backend| self.leads_to(backend, service))
        };
        let mut routes = self.routes_of(needs);
        // Where objects can't be read, a route of the backend's own name is the best that is known.
        routes.extend(
            self.routes
                .iter()
                .filter(|r| r.name == service.name)
                .map(|r| r.name.clone()),
        );
        Scope::Routes(routes)
    }

    /// A command for the cluster of this environment, whatever cluster the person works on.
    pub fn kubectl(&self, rest: &str) -> String {
        match self.context.as_str() {
            "" => format!("kubectl {rest}"),
            context => format!("kubectl --context {} {rest}", crate::text::shell(context)),
        }
    }

    pub fn path_of(&self, route: &str) -> String {
        let found = self.routes.iter().find(|r| r.name == route);
        found.map_or_else(|| format!("route {route}"), |r| r.path.clone())
    }
}

pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or("")
}

pub fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or("")
}

/// Items of a list at a pointer; nothing where there is none.
pub fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("")
}

/// A condition of a list of conditions.
pub fn condition<'a>(holder: &'a Value, kind: &str) -> Option<&'a Value> {
    items(holder, "/conditions").find(|c| c["type"] == *kind)
}

/// Names of the backends that a route leads to.
pub fn backends_of(route: &Value) -> Vec<&str> {
    let rules = items(route, "/spec/rules");
    let refs = rules.flat_map(|rule| items(rule, "/backendRefs"));
    refs.filter(|r| r["kind"] == "AgentgatewayBackend")
        .map(|r| text(r, "/name"))
        .collect()
}

/// Hosts that a backend names itself, with their ports.
pub fn hosts(backend: &Value) -> Vec<(String, u64)> {
    let single = backend.pointer("/spec/ai/provider").into_iter();
    let groups = items(backend, "/spec/ai/groups").flat_map(|group| items(group, "/providers"));
    let fixed = backend.pointer("/spec/static").into_iter();
    let targets = items(backend, "/spec/mcp/targets").filter_map(|target| target.get("static"));
    let named = single.chain(groups).chain(fixed).chain(targets);
    named
        .filter_map(|place| Some((place["host"].as_str()?.to_string(), place["port"].as_u64()?)))
        .collect()
}

#[cfg(test)]
#[path = "tests/snapshot.rs"]
pub mod tests;
