//! The `mcp` section of an AgentgatewayBackend: which servers, and how they are reached (facts 6).

use std::sync::Arc;

use serde_json::Value;

use super::callee;
use super::reference::{origin, service};
use super::status::unsupported;
use super::upstream::{self, Upstream};
use crate::gateway::config::{Auth, Origin};
use crate::gateway::mcp::{Authentication, Protocol, Servers, Target};
use crate::gateway::object::{
    World, dig, full_name, list, name, namespace, port, selects, text, text_or,
};
use crate::gateway::policy::Authorization;
use crate::gateway::tls::Tls;

/// What marks a port of a Service that speaks MCP, and how.
const STREAMABLE: &str = "kgateway.dev/mcp";
const SSE: &str = "kgateway.dev/mcp-sse";
const PATH: &str = "kgateway.dev/mcp-path";

/// The rules that a `policies` section has of its own.
fn own_rules(policies: &Value) -> Result<Option<Authorization>, String> {
    let spec = dig(policies, &["mcp", "authorization"]);
    match spec.is_null() {
        true => Ok(None),
        false => Authorization::read(spec).map(Some),
    }
}

/// The rules of a backend: its own and those of the policies that target it. Unlike other policies,
/// rules of several levels add up: a narrower level can't take back what a wider one denies.
fn rules(world: &World, object: &Value) -> Result<Option<Authorization>, String> {
    let own = own_rules(dig(object, &["spec", "policies"]))?;
    Ok(both(own, attached(world, object, "")?.as_ref()))
}

fn both(one: Option<Authorization>, other: Option<&Authorization>) -> Option<Authorization> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or_else(|| other.cloned()),
    }
}

/// The rules of all policies on a backend, or on one of its targets. Where some policy asks for what
/// can't be done, there is no backend: access control fails closed.
fn attached(world: &World, object: &Value, section: &str) -> Result<Option<Authorization>, String> {
    let mut all: Option<Authorization> = None;
    for policy in world.all("AgentgatewayPolicy") {
        let spec = dig(policy, &["spec", "backend", "mcp"]);
        if !is_on(policy, object, section) || spec.is_null() {
            continue;
        }
        if !section.is_empty() && !dig(spec, &["authentication"]).is_null() {
            return Err(unsupported("backend.mcp.authentication of one target"));
        }
        if dig(spec, &["authorization"]).is_null() {
            continue;
        }
        let rules = Authorization::read(dig(spec, &["authorization"]))?;
        all = Some(match all {
            None => rules,
            Some(all) => all.and(&rules),
        });
    }
    Ok(all)
}

/// `upstream` is what the backend and the policies on it ask of every call.
pub(super) fn read(world: &World, object: &Value, upstream: &Upstream) -> Result<Servers, String> {
    let spec = dig(object, &["spec", "mcp"]);
    let auth = upstream.auth.as_ref();
    if auth.is_some_and(Auth::is_made_for_each_request) {
        return Err(unsupported("signed calls to MCP servers"));
    }
    let shared = Shared {
        upstream,
        rules: rules(world, object)?,
    };
    let mut targets = Vec::new();
    for target in list(spec, &["targets"]) {
        match target.get("static") {
            Some(fixed) => targets.push(fixed_target(world, object, target, fixed, &shared)?),
            None => selected(
                world,
                object,
                dig(target, &["selector"]),
                &shared,
                &mut targets,
            )?,
        }
    }
    Ok(Servers {
        name: full_name(object).into(),
        targets,
        stateful: text(spec, &["sessionRouting"]) != "Stateless",
        authentication: admission(world, object)?.map(Arc::new),
    })
}

/// Who may come: the backend's own word is the nearest, then that of the oldest policy on it.
fn admission(world: &World, object: &Value) -> Result<Option<Authentication>, String> {
    let own = dig(object, &["spec", "policies", "mcp", "authentication"]);
    let attached = world.all("AgentgatewayPolicy").into_iter();
    let attached = attached
        .filter(|policy| is_on(policy, object, ""))
        .map(|policy| dig(policy, &["spec", "backend", "mcp", "authentication"]));
    let mut all = std::iter::once(own).chain(attached);
    let nearest = all.find(|spec| !spec.is_null());
    let read = nearest.map(|spec| authentication(world, namespace(object), spec));
    read.transpose()
}

/// One `mcp.authentication`, whose references are meant in this namespace.
pub(super) fn authentication(
    world: &World,
    place: &str,
    spec: &Value,
) -> Result<Authentication, String> {
    let resolve = |reference: &Value| {
        let origin = callee::read(world, place, reference)?.origin;
        origin.ok_or_else(|| "the backend of a remote JWKS can't be called".to_string())
    };
    let dial = |host: &str, port: u16, is_secure: bool| {
        origin(world, host, port, is_secure.then(Tls::default))
    };
    Authentication::read(spec, resolve, dial)
}

fn is_on(policy: &Value, object: &Value, section: &str) -> bool {
    let means = |target: &Value| {
        text(target, &["kind"]) == "AgentgatewayBackend"
            && text(target, &["name"]) == name(object)
            && text(target, &["sectionName"]) == section
    };
    namespace(policy) == namespace(object)
        && list(policy, &["spec", "targetRefs"]).iter().any(means)
}

/// What a target takes from its backend where it says nothing of its own.
struct Shared<'a> {
    upstream: &'a Upstream,
    rules: Option<Authorization>,
}

/// Every part of a target that has no effect here.
pub(super) fn unsupported_parts(spec: &Value) -> Vec<String> {
    let mut parts = Vec::new();
    for target in list(spec, &["mcp", "targets"]) {
        let section = format!("{}.policies", text(target, &["name"]));
        let policies = dig(target, &["static", "policies"]);
        parts.extend(upstream::unsupported_parts(&section, policies));
        if !dig(policies, &["auth", "aws"]).is_null() {
            parts.push(format!("{section}.auth.aws of an MCP server"));
        }
    }
    parts
}

fn fixed_target(
    world: &World,
    object: &Value,
    target: &Value,
    spec: &Value,
    shared: &Shared,
) -> Result<Target, String> {
    let protocol = match text(spec, &["protocol"]) {
        "SSE" => Protocol::Sse,
        _ => Protocol::StreamableHttp,
    };
    let policies = dig(spec, &["policies"]);
    let mut causes = Vec::new();
    let own = Upstream::read(world, namespace(object), policies, &mut causes);
    if !causes.is_empty() {
        return Err(causes.join("\n"));
    }
    let upstream = own.or(shared.upstream);
    let name = text(target, &["name"]);
    let own = both(
        own_rules(policies)?,
        attached(world, object, name)?.as_ref(),
    );
    let rules = both(own, shared.rules.as_ref());
    let (host, number) = (text(spec, &["host"]), port(spec, &["port"]));
    Ok(Target {
        name: name.into(),
        origin: upstream.speak(origin(world, host, number, upstream.tls.clone())?),
        path: absolute(text_or(spec, &["path"], protocol.default_path())),
        protocol,
        timeout: upstream.timeout(),
        auth: upstream.auth,
        rules: rules.map(Arc::new),
    })
}

fn absolute(path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_string(),
        false => format!("/{path}"),
    }
}

/// The Services that a selector picks, one target for each port that speaks MCP. None is no mistake
/// (facts 4.4): the client then sees a server without tools.
fn selected(
    world: &World,
    object: &Value,
    selector: &Value,
    shared: &Shared,
    targets: &mut Vec<Target>,
) -> Result<(), String> {
    let (namespaces, services) = (dig(selector, &["namespaces"]), dig(selector, &["services"]));
    for candidate in world.all("Service") {
        let place = namespace(candidate);
        let here = match namespaces.is_null() {
            true => place == namespace(object),
            false => selects(namespaces, &labels_of_namespace(world, place)),
        };
        let labels = dig(candidate, &["metadata", "labels"]);
        if !here || !(services.is_null() || selects(services, labels)) {
            continue;
        }
        for spec in list(candidate, &["spec", "ports"]) {
            let protocol = match text(spec, &["appProtocol"]) {
                STREAMABLE => Protocol::StreamableHttp,
                SSE => Protocol::Sse,
                _ => continue,
            };
            let number = port(spec, &["port"]);
            let port_name = text_or(spec, &["name"], "").to_string();
            let suffix = match port_name.is_empty() {
                true => number.to_string(),
                false => port_name,
            };
            let path = dig(candidate, &["metadata", "annotations"]);
            let upstream = shared.upstream;
            let origin = Origin {
                tls: upstream.tls.clone(),
                ..upstream.speak(service(world, candidate, number)?)
            };
            let target = format!("{}-{suffix}", name(candidate));
            let rules = both(attached(world, object, &target)?, shared.rules.as_ref());
            targets.push(Target {
                name: target.into(),
                origin,
                path: absolute(text_or(path, &[PATH], protocol.default_path())),
                protocol,
                auth: upstream.auth.clone(),
                timeout: upstream.timeout(),
                rules: rules.map(Arc::new),
            });
        }
    }
    Ok(())
}

/// Every namespace is labelled with its own name, whether it was given or not.
fn labels_of_namespace(world: &World, place: &str) -> Value {
    let given = world.get("Namespace", "", place);
    let mut labels = given
        .map(|namespace| dig(namespace, &["metadata", "labels"]).clone())
        .filter(Value::is_object)
        .unwrap_or_else(|| serde_json::json!({}));
    labels["kubernetes.io/metadata.name"] = place.into();
    labels
}
