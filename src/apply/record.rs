//! What is applied in an environment: written by `up` before and after, read by every other command.

use crate::cluster::access::{Access, Theirs};
use crate::error::{Error, Result};
use crate::host::paths::{EnvironmentPaths, Paths};
use crate::host::private;
use crate::plan::outcome::Wire;
use crate::plan::{Plan, PlannedRoute, RouteAuth, Served};
use crate::profile::{TargetKind, Test};
use crate::provider::Provider;
use crate::provider::client::Client;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const API_VERSION: &str = "gatewright.dev/v1alpha1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub api_version: String,
    pub kind: String,
    pub environment: String,
    /// Name of the profile.
    pub profile: String,
    /// Where the profile came from: a shipped name or an absolute path; what came by standard input
    /// is kept beside this file.
    #[serde(default)]
    pub source: String,
    /// The port that was asked for by flag; otherwise the profile's counts.
    #[serde(default)]
    pub port_flag: Option<u16>,
    /// What `upgrade` installed: the profile's version then, and the one instead of it.
    #[serde(default)]
    pub upgraded: Option<(String, String)>,
    pub target: String,
    /// Name of the kind cluster; empty on other targets.
    pub cluster: String,
    /// The way to a cluster that was there already.
    #[serde(default)]
    pub access: Option<Theirs>,
    /// Whether the place was proved to be on this machine.
    #[serde(default = "yes")]
    pub local: bool,
    /// What of others is used as it is: which one, by the step that it does.
    #[serde(default)]
    pub adopted: BTreeMap<String, String>,
    pub gateway: String,
    /// Where the objects are.
    pub namespace: String,
    /// Where the charts are; empty where that is the same.
    #[serde(default)]
    pub system: String,
    pub port: u16,
    /// Where callers send requests; empty until the gateway has answered.
    pub base_url: String,
    pub routes: Vec<RecordedRoute>,
    /// The profile's own tests.
    #[serde(default)]
    pub tests: Vec<Test>,
    pub wires: BTreeMap<String, Wire>,
    /// Seconds since 1970 at which keys end, by whose they are; never the keys.
    #[serde(default)]
    pub expiries: BTreeMap<String, u64>,
    /// Seconds since 1970 at which `up` ended well; 0 before.
    pub applied_at: u64,
    /// How far a `down` has come since.
    #[serde(default)]
    pub taken_back: Option<TakenBack>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TakenBack {
    /// It has begun; where nothing runs any more it was cut off.
    Begun,
    /// It came to its end, and something stays that was asked to.
    Done,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedRoute {
    pub name: String,
    pub path: String,
    /// A provider's name, or `mcp`.
    pub provider: String,
    pub model: String,
    /// Models of which the answer may come; empty where any will do.
    #[serde(default)]
    pub accepted: Vec<String>,
    /// Whether Anthropic's form is served beside OpenAI's.
    #[serde(default)]
    pub messages: bool,
    /// What callers have to show; never the key itself.
    #[serde(default)]
    pub auth: Option<RouteAuth>,
    /// Seconds that a first answer may take.
    #[serde(default = "patience")]
    pub patience: u64,
}

/// What stands for a provider where tools are served.
const TOOLS: &str = "mcp";

fn yes() -> bool {
    true
}

fn patience() -> u64 {
    180
}

impl Record {
    pub fn new(plan: &Plan) -> Self {
        Record {
            api_version: API_VERSION.to_string(),
            kind: "Environment".to_string(),
            environment: plan.environment.clone(),
            profile: plan.profile.clone(),
            source: String::new(),
            port_flag: None,
            upgraded: None,
            target: plan.target.name().to_string(),
            cluster: plan
                .cluster()
                .map(|cluster| cluster.name.clone())
                .unwrap_or_default(),
            access: None,
            local: true,
            adopted: BTreeMap::new(),
            gateway: plan.gateway.clone(),
            namespace: plan.namespace.clone(),
            system: plan.system.clone(),
            port: plan.port,
            base_url: String::new(),
            routes: plan.routes.iter().map(recorded).collect(),
            tests: plan.tests.clone(),
            wires: BTreeMap::new(),
            expiries: BTreeMap::new(),
            applied_at: 0,
            taken_back: None,
        }
    }

    /// An upgrade counts until the profile itself names another version.
    pub fn keep_upgrade(&self, version: &mut String) {
        if let Some((from, to)) = &self.upgraded
            && from == version
        {
            version.clone_from(to);
        }
    }

    pub fn note_upgrade(&mut self, planned: &str, version: &str) {
        self.upgraded = Some((planned.to_string(), version.to_string()));
    }

    pub fn target(&self) -> Option<TargetKind> {
        TargetKind::named(&self.target)
    }

    pub fn is_on_cluster(&self) -> bool {
        self.target()
            .is_some_and(|target| target != TargetKind::Embedded)
    }

    /// The context that leads to its cluster: of one cluster, whoever made it, it is the same.
    pub fn cluster_context(&self) -> Option<String> {
        match (&self.access, self.cluster.as_str()) {
            (Some(access), _) => Some(access.context.clone()),
            (None, "") => None,
            (None, cluster) => Some(format!("kind-{cluster}")),
        }
    }

    /// The way to its cluster.
    pub fn way(&self, paths: &EnvironmentPaths) -> Access {
        match &self.access {
            Some(theirs) => Access::Theirs(theirs.clone()),
            None => Access::Own(paths.kubeconfig()),
        }
    }

    /// Where the charts are.
    pub fn system(&self) -> &str {
        match self.system.as_str() {
            "" => &self.namespace,
            system => system,
        }
    }

    /// As people name the place: `kind/gatewright`, `context/k3d-dev`, `embedded`.
    pub fn place(&self) -> String {
        let context = self.access.as_ref().map(|access| access.context.as_str());
        match (self.target(), context) {
            (Some(TargetKind::Context), Some(name)) => format!("{}/{name}", self.target),
            _ if self.cluster.is_empty() => self.target.clone(),
            _ => format!("{}/{}", self.target, self.cluster),
        }
    }

    /// The routes as their proof needs them.
    pub fn planned_routes(&self) -> Vec<PlannedRoute> {
        let planned = |route: &RecordedRoute| {
            let serves = match Provider::named(&route.provider) {
                Some(provider) => Served::Chat {
                    provider,
                    model: route.model.clone(),
                    accepted: route.accepted.clone(),
                },
                None if route.provider == TOOLS => Served::Tools,
                None => return None,
            };
            Some(PlannedRoute {
                name: route.name.clone(),
                path: route.path.clone(),
                serves,
                messages: route.messages,
                patience: Duration::from_secs(route.patience),
                auth: route.auth.clone(),
            })
        };
        self.routes.iter().filter_map(planned).collect()
    }

    /// `None` where nothing was applied. A record that can't be read is no reason to forget what
    /// the ledger beside it holds.
    pub fn load(paths: &EnvironmentPaths) -> Result<Option<Record>> {
        let file = paths.record();
        let fault = |e: &(dyn std::error::Error + 'static)| {
            let what = format!("{} can't be read", file.display());
            Error::new(what, format!("cat {}", file.display())).because(e)
        };
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fault(&e)),
        };
        serde_json::from_str(&text).map(Some).map_err(|e| fault(&e))
    }

    /// Loads or says that there is nothing of that name.
    pub fn require(paths: &Paths, environment: &str) -> Result<Record> {
        Record::load(&paths.environment(environment))?.ok_or_else(|| {
            let others = names(paths);
            let error = Error::new(format!("environment `{environment}` is not there"), "gw up");
            match others.is_empty() {
                true => error,
                false => error.fact(format!("there are: {}", others.join(", "))),
            }
        })
    }

    pub fn save(&self, paths: &EnvironmentPaths) -> Result<()> {
        write(&paths.record(), self)
    }
}

impl RecordedRoute {
    /// Whether SDKs of this family can be pointed at the route.
    pub fn serves(&self, client: Client) -> bool {
        match client {
            Client::OpenAi => self.provider != TOOLS,
            Client::Anthropic => self.messages,
        }
    }
}

/// Names of all environments on this machine.
pub fn names(paths: &Paths) -> Vec<String> {
    let folders = fs::read_dir(paths.environments())
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = folders
        .filter(|folder| folder.path().join("environment.json").exists())
        .map(|folder| folder.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Replaces a file of JSON whole, so that a reader never sees half of it. Only its owner may read it:
/// objects of others may hold what is nobody else's affair.
pub fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let part = path.with_extension("part");
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = folder
        .and_then(|()| private::write(&part, &text))
        .and_then(|()| fs::rename(&part, path));
    written.map_err(|e| {
        Error::new(format!("{} can't be written", path.display()), "df -h").because(&e)
    })
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn recorded(route: &PlannedRoute) -> RecordedRoute {
    let (provider, model, accepted) = match &route.serves {
        Served::Chat {
            provider,
            model,
            accepted,
        } => (provider.ways().name, model.clone(), accepted.clone()),
        Served::Tools => (TOOLS, String::new(), Vec::new()),
    };
    RecordedRoute {
        name: route.name.clone(),
        path: route.path.clone(),
        provider: provider.to_string(),
        model,
        accepted,
        messages: route.messages,
        auth: route.auth.clone(),
        patience: route.patience.as_secs(),
    }
}
