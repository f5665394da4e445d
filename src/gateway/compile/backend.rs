//! AgentgatewayBackend to a destination (facts 4.4, 6, 9.3-9.5).

use http::header::HeaderValue;
use serde_json::Value;

use super::reference::{named_tls, origin};
use super::status::{Problem, UNSUPPORTED, unsupported};
use crate::gateway::config::{Auth, Backend, BackendKind, Provider, ProviderKind, Tls};
use crate::gateway::duration;
use crate::gateway::llm::RouteTypes;
use crate::gateway::object::{World, dig, namespace, port, text};

const PROVIDERS: [&str; 6] = [
    "openai",
    "azureopenai",
    "anthropic",
    "gemini",
    "vertexai",
    "bedrock",
];

/// Fields of `policies` that have an effect here, and those that have none in the real proxy either (`tcp`, facts 4.4).
const POLICIES: [&str; 5] = ["auth", "tls", "http", "ai", "tcp"];

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
        auth(world, namespace(object), dig(policies, &["auth"])),
        &mut causes,
    )
    .flatten();
    let kind = keep(
        tls(policies).and_then(|tls| kind(world, spec, tls)),
        &mut causes,
    );
    match (kind, causes.is_empty()) {
        (Some(kind), true) => Ok(Backend {
            kind,
            auth,
            request_timeout: duration::parse(text(policies, &["http", "requestTimeout"])),
        }),
        _ => {
            let message = format!("failed to translate backend: {}", causes.join("\n"));
            Err(Problem::soft("TranslationError", message))
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
    let provider = dig(spec, &["ai", "provider"]);
    for kind in PROVIDERS.iter().filter(|kind| **kind != "openai") {
        if !dig(provider, &[kind]).is_null() {
            parts.push(format!("the provider {kind}"));
        }
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
    others(&["auth"], &["key", "secretRef", "passthrough"]);
    others(&["tls"], &["sni"]);
    others(&["http"], &["requestTimeout", "version"]);
    others(&["ai"], &["routes"]);
    if text(policies, &["http", "version"]) == "HTTP2" {
        parts.push("policies.http.version HTTP2".to_string());
    }
    parts
}

fn tls(policies: &Value) -> Result<Option<Tls>, String> {
    let tls = dig(policies, &["tls"]);
    match (tls.is_null(), text(tls, &["sni"])) {
        (true, _) => Ok(None),
        (false, "") => Ok(Some(Tls { server_name: None })),
        (false, name) => named_tls(name).map(Some),
    }
}

fn kind(world: &World, spec: &Value, tls: Option<Tls>) -> Result<BackendKind, String> {
    if let Some(fixed) = spec.get("static") {
        let host = text(fixed, &["host"]);
        return origin(world, host, port(fixed, &["port"]), tls).map(BackendKind::Static);
    }
    let provider = dig(spec, &["ai", "provider"]);
    if dig(provider, &["openai"]).is_null() {
        return Err(
            "exactly one of the fields in [ai static dynamicForwardProxy mcp] must be set"
                .to_string(),
        );
    }
    let given = |path: &[&str]| match text(provider, path) {
        "" => None,
        text => Some(text.to_string()),
    };
    let host = given(&["host"]);
    let origin = match &host {
        Some(host) => origin(world, host, port(provider, &["port"]), tls),
        // The provider's own address is always TLS (facts 9.3).
        None => {
            let tls = tls.unwrap_or(Tls { server_name: None });
            origin(world, "api.openai.com", 443, Some(tls))
        }
    }?;
    Ok(BackendKind::Ai(Provider {
        kind: ProviderKind::Openai,
        origin,
        own_host: host.is_some(),
        path: given(&["path"]),
        model: given(&["openai", "model"]),
        routes: RouteTypes::read(dig(spec, &["policies", "ai", "routes"]))?,
    }))
}

/// Facts 5: an inline key is used as it is; a Secret's is trimmed and may say `Bearer` itself.
fn auth(world: &World, namespace: &str, spec: &Value) -> Result<Option<Auth>, String> {
    if spec.is_null() {
        return Ok(None);
    }
    if !dig(spec, &["passthrough"]).is_null() {
        return Ok(Some(Auth::Passthrough));
    }
    let inline = text(spec, &["key"]);
    if !inline.is_empty() {
        return bearer(inline).map(Some);
    }
    let name = text(spec, &["secretRef", "name"]);
    let Some(secret) = world.secret(namespace, name) else {
        return Err(format!("secret {namespace}/{name} not found"));
    };
    let value = secret.get("Authorization").map_or("", |value| value.trim());
    match value.strip_prefix("Bearer ").unwrap_or(value) {
        "" => Err(format!(
            "secret {namespace}/{name} missing Authorization value"
        )),
        key => bearer(key).map(Some),
    }
}

fn bearer(key: &str) -> Result<Auth, String> {
    // The key itself stays out of the message: it ends up in a status.
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| "the key has characters that no header can carry".to_string())?;
    value.set_sensitive(true);
    Ok(Auth::Bearer(value))
}
