//! `mcp.authorization`: which tools, prompts and resources a client gets to see (CRD, `mcp.authorization`).

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Method, Uri, Version};
use serde_json::json;

use super::target::Servers;
use crate::gateway::cel::{Facts, RequestFacts};
use crate::gateway::exchange::Exchange;
use crate::gateway::host;
use crate::gateway::policy::{Authorization, Caller};

/// What one request may see: rules of the backend and of policies on the way to it add up; without
/// any, everything is there.
#[derive(Clone)]
pub(super) struct Access(Arc<Asked>);

struct Asked {
    servers: Arc<Servers>,
    rules: Option<Arc<Authorization>>,
    method: Method,
    uri: Uri,
    scheme: &'static str,
    authority: String,
    version: Version,
    headers: HeaderMap,
    peer: SocketAddr,
    caller: Caller,
}

impl Access {
    pub fn of(exchange: &Exchange<'_>, servers: &Arc<Servers>) -> Access {
        let parts = &exchange.parts;
        Access(Arc::new(Asked {
            servers: servers.clone(),
            rules: exchange.mcp.rules.clone(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            scheme: exchange.scheme,
            authority: host::authority(parts).to_string(),
            version: parts.version,
            headers: parts.headers.clone(),
            peer: exchange.peer,
            caller: exchange.caller.clone(),
        }))
    }

    /// Whether a `tool`, `prompt` or `resource` of a target is there for this client.
    pub fn allows(&self, kind: &'static str, target: &str, name: &str) -> bool {
        let asked = &self.0;
        let own = asked.servers.position(target);
        let own = own.and_then(|at| asked.servers.targets[at].rules.as_ref());
        let rules = match (own, asked.rules.as_ref()) {
            (None, None) => return true,
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (Some(own), Some(wider)) => Arc::new(Authorization::clone(own).and(wider)),
        };
        let what = json!({kind: {"name": name, "target": target}});
        let facts = Facts {
            request: Some(RequestFacts {
                method: &asked.method,
                uri: &asked.uri,
                scheme: asked.scheme,
                authority: &asked.authority,
                version: asked.version,
                headers: &asked.headers,
                body: None,
            }),
            answer: None,
            source: Some(asked.peer),
            caller: Some(&asked.caller),
            more: &[("mcp", what)],
        };
        rules.allows(&facts)
    }
}
