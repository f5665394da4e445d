//! AgentgatewayBackend to a destination (facts 4.4, 6, 9.3-9.5).

use serde_json::Value;

use super::reference::origin;
use super::status::{Problem, UNSUPPORTED, unsupported};
use super::{ai, auth, tls};
use crate::gateway::config::{Backend, BackendKind};
use crate::gateway::duration;
use crate::gateway::object::{World, dig, namespace, port, text};
use crate::gateway::tls::Tls;

/// Fields of `policies` that have an effect here, and those that have none in the real proxy either (`tcp`, facts 4.4).
const POLICIES: [&str; 5] = ["auth", "tls", "http", "ai", "tcp"];

const TLS: [&str; 6] = [
    "sni",
    "verifySubjectAltNames",
    "insecureSkipVerify",
    "caCertificateRefs",
    "mtlsCertificateRef",
    "alpnProtocols",
];

/// The backend, or the condition that says why there is none.
pub(super) fn translate(world: &World, object: &Value) -> Result<Backend, Problem> {
    let spec = dig(object, &["spec"]);
    let refused = unsupported_parts(spec);
    if !refused.is_empty() {
        let parts = crate::text::list(&refused);
        return Err(Problem::soft(UNSUPPORTED, unsupported(parts)));
    }
    let policies = dig(spec, &["policies"]);
    // The real controller reports every cause, one a line.
    let mut causes = Vec::new();
    let auth = keep(
        auth::read(world, namespace(object), dig(policies, &["auth"])),
        &mut causes,
    )
    .flatten();
    let place = namespace(object);
    let tls = tls::read(world, place, dig(policies, &["tls"]));
    let kind = keep(tls.and_then(|tls| kind(world, spec, tls)), &mut causes);
    match (kind, causes.is_empty()) {
        (Some(kind), true) => Ok(Backend {
            kind: with_version(kind, text(policies, &["http", "version"])),
            auth,
            request_timeout: duration::parse(text(policies, &["http", "requestTimeout"])),
        }),
        _ => {
            let message = format!("failed to translate backend: {}", causes.join("\n"));
            Err(Problem::soft("TranslationError", message))
        }
    }
}

fn with_version(kind: BackendKind, version: &str) -> BackendKind {
    let http2 = version == "HTTP2";
    match kind {
        BackendKind::Static(mut origin) => {
            origin.http2 = http2;
            BackendKind::Static(origin)
        }
        BackendKind::Ai(mut provider) => {
            provider.origin.http2 = http2;
            BackendKind::Ai(provider)
        }
    }
}

fn keep<T>(result: Result<T, String>, causes: &mut Vec<String>) -> Option<T> {
    result.map_err(|cause| causes.push(cause)).ok()
}

/// Names every part of a spec that the embedded gateway can't honour, so that none is dropped in silence.
fn unsupported_parts(spec: &Value) -> Vec<String> {
    let mut parts = Vec::new();
    for kind in ["mcp", "dynamicForwardProxy"] {
        if !dig(spec, &[kind]).is_null() {
            parts.push(format!("{kind} backends"));
        }
    }
    if !dig(spec, &["ai", "groups"]).is_null() {
        parts.push("ai.groups".to_string());
    }
    let policies = dig(spec, &["policies"]);
    let mut others = |path: &[&str], known: &[&str]| {
        let fields = dig(policies, path).as_object();
        for field in fields.into_iter().flatten().map(|(field, _)| field) {
            if !known.contains(&field.as_str()) {
                parts.push(
                    ["policies", &path.join("."), field]
                        .join(".")
                        .replace("..", "."),
                );
            }
        }
    };
    others(&[], &POLICIES);
    others(&["auth"], &["key", "secretRef", "passthrough", "aws"]);
    others(&["tls"], &TLS);
    others(&["http"], &["requestTimeout", "version"]);
    others(&["ai"], &["routes"]);
    // What is signed must be held first; only a model's requests are.
    if !dig(policies, &["auth", "aws"]).is_null() && dig(spec, &["ai"]).is_null() {
        parts.push("policies.auth.aws of a backend that is no model".to_string());
    }
    parts
}

fn kind(world: &World, spec: &Value, tls: Option<Tls>) -> Result<BackendKind, String> {
    if let Some(fixed) = spec.get("static") {
        let host = text(fixed, &["host"]);
        return origin(world, host, port(fixed, &["port"]), tls)
            .map(|origin| BackendKind::Static(Box::new(origin)));
    }
    ai::read(world, spec, tls).map(|provider| BackendKind::Ai(Box::new(provider)))
}
