//! An MCP backend as it was configured: its servers, and how sessions go to them (facts 6, 9.8).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::Authentication;
use crate::gateway::config::{Auth, Origin};
use crate::gateway::policy::Authorization;

#[derive(Debug)]
pub struct Servers {
    /// `namespace/name` of the AgentgatewayBackend.
    pub name: Arc<str>,
    pub targets: Vec<Target>,
    /// Whether a session stays with the client from one request to the next.
    pub stateful: bool,
    /// Who may come, where the backend or a policy on it says so.
    pub authentication: Option<Arc<Authentication>>,
}

#[derive(Debug)]
pub struct Target {
    pub name: Arc<str>,
    pub origin: Origin,
    pub path: String,
    pub protocol: Protocol,
    pub auth: Option<Auth>,
    pub timeout: Option<Duration>,
    /// What clients get to see of it, where its backend says so.
    pub rules: Option<Arc<Authorization>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    StreamableHttp,
    /// The transport of 2024: one stream of events, and a place to post to.
    Sse,
}

impl Protocol {
    /// The path where none is given (facts 6).
    pub fn default_path(self) -> &'static str {
        match self {
            Protocol::StreamableHttp => "/mcp",
            Protocol::Sse => "/sse",
        }
    }
}

impl Servers {
    /// The only server: its names are the client's, and what it says of itself is passed on.
    pub(super) fn only(&self) -> Option<&Target> {
        match self.targets.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Which servers these are: a session that was begun with others is not for these.
    pub(super) fn identity(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        for target in &self.targets {
            let address = (&target.name, &target.origin.endpoint, &target.path);
            (address, target.protocol).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The name under which a client knows something of a server (facts 9.8).
    pub(super) fn outer_name(&self, target: &str, name: &str) -> String {
        match self.only() {
            Some(_) => name.to_string(),
            None => format!("{target}_{name}"),
        }
    }

    /// The server that a client's name stands for, and the name there.
    pub(super) fn inner_name<'a>(&'a self, name: &'a str) -> Option<(&'a str, &'a str)> {
        match self.only() {
            Some(only) => Some((&only.name, name)),
            None => name.split_once('_'),
        }
    }

    pub(super) fn position(&self, target: &str) -> Option<usize> {
        self.targets.iter().position(|t| &*t.name == target)
    }
}
