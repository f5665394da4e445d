//! AgentgatewayBackend to a destination (facts 4.4, 6, 9.3-9.5).

use std::sync::Arc;

use serde_json::Value;

use super::reference::origin;
use super::status::{Problem, UNSUPPORTED, unsupported};
use super::upstream::{self, Upstream};
use super::{ai, group, mcp};
use crate::gateway::config::{Backend, BackendKind};
use crate::gateway::dynamic::Dynamic;
use crate::gateway::object::{World, dig, list, namespace, port, text};

/// The backend, or the condition that says why there is none. `attached` is what policies ask of it;
/// its own policies win over them, field by field (facts 7.1).
pub(super) fn translate(
    world: &World,
    object: &Value,
    attached: &Upstream,
) -> Result<Backend, Problem> {
    let spec = dig(object, &["spec"]);
    let refused = unsupported_parts(spec);
    if !refused.is_empty() {
        let parts = crate::text::list(&refused);
        return Err(Problem::soft(UNSUPPORTED, unsupported(parts)));
    }
    // The real controller reports every cause, one a line.
    let mut causes = Vec::new();
    let policies = dig(spec, &["policies"]);
    let own = Upstream::read(world, namespace(object), policies, &mut causes);
    let upstream = own.or(attached);
    let grouped = !dig(spec, &["ai", "groups"]).is_null();
    let is_mcp = !dig(spec, &["mcp"]).is_null();
    if causes.is_empty() && !dig(spec, &["ai"]).is_null() {
        causes.extend(upstream.refused.clone());
    }
    match (kind(world, object, &upstream), causes.is_empty()) {
        (Ok(kind), true) => Ok(Backend {
            kind,
            auth: upstream.auth.clone(),
            // Each provider of a group and each MCP server has its own.
            request_timeout: upstream.timeout().filter(|_| !grouped && !is_mcp),
        }),
        (kind, _) => {
            causes.extend(kind.err());
            let message = format!("failed to translate backend: {}", causes.join("\n"));
            Err(Problem::soft("TranslationError", message))
        }
    }
}

/// Names every part of a spec that the embedded gateway can't honour, so that none is dropped in silence.
fn unsupported_parts(spec: &Value) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(mcp::unsupported_parts(spec));
    parts.extend(upstream::unsupported_parts(
        "policies",
        dig(spec, &["policies"]),
    ));
    // What is signed must be held first; only a model's requests are.
    let aws = dig(spec, &["policies", "auth", "aws"]);
    if !aws.is_null() && dig(spec, &["ai"]).is_null() {
        parts.push("policies.auth.aws of a backend that is no model".to_string());
    }
    for group in list(spec, &["ai", "groups"]) {
        for provider in list(group, &["providers"]) {
            let section = format!("{}.policies", text(provider, &["name"]));
            parts.extend(upstream::unsupported_parts(
                &section,
                dig(provider, &["policies"]),
            ));
        }
    }
    parts
}

fn kind(world: &World, object: &Value, upstream: &Upstream) -> Result<BackendKind, String> {
    let spec = dig(object, &["spec"]);
    if !dig(spec, &["mcp"]).is_null() {
        let servers = mcp::read(world, object, upstream)?;
        return Ok(BackendKind::Mcp(Arc::new(servers)));
    }
    if let Some(fixed) = spec.get("static") {
        let (host, number) = (text(fixed, &["host"]), port(fixed, &["port"]));
        let origin = origin(world, host, number, upstream.tls.clone())?;
        return Ok(BackendKind::Static(Box::new(upstream.speak(origin))));
    }
    if !dig(spec, &["dynamicForwardProxy"]).is_null() {
        let (tls, http2) = (upstream.tls.clone(), upstream.http2());
        return Ok(BackendKind::Dynamic(Dynamic { tls, http2 }));
    }
    if !dig(spec, &["ai", "groups"]).is_null() {
        return group::read(world, object, upstream).map(BackendKind::Groups);
    }
    let provider = ai::provider(world, dig(spec, &["ai", "provider"]), upstream);
    provider.map(|provider| BackendKind::Ai(Box::new(provider)))
}
