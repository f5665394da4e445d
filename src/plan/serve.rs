//! What stands behind routes: services of this machine, and what a proof asks for.

use super::backend::takes_messages;
use super::select::{At, Selected, Selection, Server, Target};
use super::{HostService, PlannedRoute, RouteAuth, Scheme, Served};
use crate::plan::choose::target_owner;
use crate::profile::rule::KeyFrom;
use crate::profile::{Profile, Route, Rule};
use crate::provider::{Provider, ollama};
use std::time::Duration;

/// An MCP server may have to be started by its own bridge first.
const MCP_PATIENCE: Duration = Duration::from_secs(30);

/// Every service of this machine once, under the name of the first backend that needs it.
pub fn services(backends: &[Selected]) -> Vec<HostService> {
    let mut found: Vec<HostService> = Vec::new();
    for mut service in backends.iter().flat_map(of_backend) {
        match found.iter_mut().find(|other| other.port == service.port) {
            None => found.push(service),
            Some(other) => other.bridged.append(&mut service.bridged),
        }
    }
    found
}

fn of_backend(backend: &Selected) -> Vec<HostService> {
    let of_providers = backend.providers().into_iter().filter_map(|chosen| {
        let At::Machine { port } = chosen.at else {
            return None;
        };
        let ways = chosen.provider.ways();
        Some(HostService {
            title: ways.title.to_string(),
            health_path: ways.health_path.to_string(),
            // A server that was started with a key says 401 here.
            any_answer: !matches!(chosen.provider, Provider::Ollama | Provider::Mock),
            start: ways.start.to_string(),
            mock: chosen.provider == Provider::Mock,
            whole: chosen.provider == Provider::Mock,
            ..service(chosen.name.clone(), port)
        })
    });
    let mut services: Vec<HostService> = of_providers.collect();
    if let Selection::Mcp { targets, .. } = &backend.serves {
        services.extend(targets.iter().filter_map(|t| of_target(&backend.name, t)));
    }
    services
}

fn of_target(backend: &str, target: &Target) -> Option<HostService> {
    let At::Machine { port } = target.at else {
        return None;
    };
    let ways = Provider::Mock.ways();
    let plain = HostService {
        title: format!("MCP server {}", target.name),
        whole: true,
        ..service(target_owner(backend, &target.name), port)
    };
    match &target.server {
        Server::Theirs => Some(plain),
        Server::Mock => Some(HostService {
            title: ways.title.to_string(),
            health_path: ways.health_path.to_string(),
            any_answer: false,
            start: ways.start.to_string(),
            mock: true,
            ..plain
        }),
        Server::Bridged(bridged) => Some(HostService {
            title: "MCP bridge".to_string(),
            any_answer: false,
            start: "gw up".to_string(),
            bridged: vec![bridged.clone()],
            ..plain
        }),
        Server::Services(_) => None,
    }
}

/// A service of this machine of which nothing else is known.
pub fn service(name: String, port: u16) -> HostService {
    HostService {
        name,
        title: String::new(),
        port,
        health_path: "/".to_string(),
        any_answer: true,
        start: format!("lsof -i :{port}"),
        mock: false,
        grpc: false,
        demo: false,
        bridged: Vec::new(),
        whole: false,
        namespace: String::new(),
        alias: Vec::new(),
    }
}

/// Ports of this machine that a backend needs.
pub fn ports(backend: &Selected) -> Vec<u16> {
    let mut ports: Vec<u16> = of_backend(backend).iter().map(|s| s.port).collect();
    ports.dedup();
    ports
}

/// What a route puts in the place of its own prefix.
pub fn prefix(backend: &Selected) -> &str {
    match &backend.serves {
        // Where the provider's path is set, the client's does not matter.
        Selection::Llm(chosen) if chosen.form.upstream_path().is_none() => &chosen.prefix,
        Selection::Llm(_) | Selection::Groups(_) | Selection::Mcp { .. } => "",
    }
}

/// What the proof of a route asks for.
pub fn planned(profile: &Profile, route: &Route, backend: &Selected) -> PlannedRoute {
    let providers = backend.providers();
    let (serves, patience) = match providers.first() {
        None => (Served::Tools, MCP_PATIENCE),
        Some(first) => {
            let named = |c: &&super::select::Chosen| c.model.clone().or(c.default_model.clone());
            let models: Option<Vec<String>> = providers.iter().map(named).collect();
            let serves = Served::Chat {
                provider: first.provider,
                model: named(first).unwrap_or_default(),
                accepted: models.unwrap_or_default(),
            };
            let longest = providers.iter().map(|c| c.provider.ways().patience).max();
            (serves, longest.unwrap_or(ollama::WAYS.patience))
        }
    };
    PlannedRoute {
        name: route.name.clone(),
        path: route.path.clone(),
        serves,
        messages: !providers.is_empty() && providers.iter().all(|c| takes_messages(c)),
        patience,
        auth: auth(profile, route),
    }
}

/// What the strictest policy of a route, or of the gateway, asks callers to show.
fn auth(profile: &Profile, route: &Route) -> Option<RouteAuth> {
    let strict = profile.policies.iter().filter(|p| p.rule.is_strict());
    let (own, common): (Vec<_>, Vec<_>) = strict
        .filter(|p| p.routes.is_empty() || p.routes.contains(&route.name))
        .partition(|p| !p.routes.is_empty());
    let policy = own.first().or(common.first())?;
    let (scheme, name, from) = match &policy.rule {
        Rule::ApiKeys(keys) => {
            let (name, from) = keys.keys.first()?;
            (Scheme::Bearer, name.clone(), Some(from.clone()))
        }
        Rule::Basic(basic) => {
            let (name, from) = basic.users.first()?;
            let from = KeyFrom::Source(from.clone());
            (Scheme::Basic, name.clone(), Some(from))
        }
        _ => (Scheme::Bearer, String::new(), None),
    };
    Some(RouteAuth {
        policy: policy.name.clone(),
        scheme,
        name,
        from,
    })
}
