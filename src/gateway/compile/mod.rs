//! Objects to configuration and status, as the real controller translates them. Pure: nothing here reads or changes anything outside.

mod ai;
mod ai_policy;
mod attach;
mod auth;
mod backend;
mod callee;
mod certificate;
mod filter;
mod gateway;
mod group;
mod mcp;
mod mirror;
mod parameters;
mod policy;
mod reference;
mod route;
mod rule;
mod status;
mod tls;
mod traffic;
mod upstream;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::config::{Backend, Config, Listener};
use super::object::{Id, World, full_name, name, namespace};

pub(super) use tls::read as tls_settings;

/// What a world of objects means.
pub struct Compiled {
    pub config: Config,
    /// The status of each object that has one, without times.
    pub status: BTreeMap<Id, Value>,
}

const BACKEND: &str = "AgentgatewayBackend";

/// Accepted backends by `namespace/name`.
type Backends = BTreeMap<String, Arc<Backend>>;

/// Translates every object, and says of each what a controller would write into its status (facts 4.1-4.5).
pub fn compile(world: &World) -> Compiled {
    let mut status = BTreeMap::new();
    let policies = policy::read(world);
    let mut backends = Backends::new();
    for object in world.all(BACKEND) {
        let attached = policies.upstream(namespace(object), BACKEND, name(object), "");
        let translated = backend::translate(world, object, &attached);
        status.insert(
            id(object),
            status::backend(object, translated.as_ref().err()),
        );
        if let Ok(backend) = translated {
            backends.insert(full_name(object), Arc::new(backend));
        }
    }
    for object in world.all("AgentgatewayPolicy") {
        if let Some(value) = policy::status(world, object) {
            status.insert(id(object), value);
        }
    }
    let mut listeners = gateway::listeners(world);
    for object in world.all("HTTPRoute") {
        let route = route::Compiler {
            world,
            backends: &backends,
            policies: &policies,
        };
        status.insert(id(object), route.attach(object, &mut listeners));
    }
    for object in world.all("Gateway") {
        status.insert(id(object), gateway::status(world, object, &listeners));
    }
    Compiled {
        config: configured(listeners, &policies),
        status,
    }
}

fn id(object: &Value) -> Id {
    let (kind, namespace, name) = (
        super::object::text(object, &["kind"]),
        super::object::namespace(object),
        super::object::name(object),
    );
    Id::new(kind, namespace, name)
}

fn configured(listeners: Vec<gateway::Open>, policies: &policy::Policies) -> Config {
    let mut config = Config::default();
    for mut open in listeners {
        super::choose::sort(&mut open.candidates);
        let (namespace, gateway) = open.gateway.split_once('/').unwrap_or_default();
        let before = policies.before(namespace, gateway, &open.name);
        let listener = Listener {
            before: before.map(Box::new),
            gateway: open.gateway,
            name: open.name,
            hostname: open.hostname,
            port: open.port,
            certificate: open.certificate,
            logging: open.parameters.logging,
            drain: open.parameters.drain,
            linger: open.parameters.linger,
            candidates: open.candidates,
        };
        config
            .listeners
            .entry(listener.port)
            .or_default()
            .push(listener);
    }
    config
}

#[cfg(test)]
mod tests;
