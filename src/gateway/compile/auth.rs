//! `policies.auth` of a backend or a provider: the key that a call upstream carries (facts 5).

use aws_credential_types::Credentials;
use http::header::HeaderValue;
use serde_json::Value;

use crate::gateway::config::Auth;
use crate::gateway::object::{World, dig, text};

/// Facts 5: an inline key is used as it is; a Secret's is trimmed and may say `Bearer` itself.
pub(super) fn read(world: &World, namespace: &str, spec: &Value) -> Result<Option<Auth>, String> {
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
    if !dig(spec, &["aws"]).is_null() {
        let name = text(spec, &["aws", "secretRef", "name"]);
        return aws(world, namespace, name).map(Some);
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

fn aws(world: &World, namespace: &str, name: &str) -> Result<Auth, String> {
    let Some(secret) = world.secret(namespace, name) else {
        return Err(format!("secret {namespace}/{name} not found"));
    };
    let value = |key: &str| {
        let value = secret.get(key).map_or("", |value| value.trim());
        Some(value.to_string()).filter(|value| !value.is_empty())
    };
    match (value("accessKey"), value("secretKey")) {
        (Some(id), Some(key)) => Ok(Auth::Aws(Credentials::new(
            id,
            key,
            value("sessionToken"),
            None,
            "secret",
        ))),
        (id, key) => {
            let missing = [("accessKey", id), ("secretKey", key)];
            let missing = missing.into_iter().filter(|(_, value)| value.is_none());
            let causes: Vec<String> = missing
                .map(|(key, _)| format!("{key} is missing or not a valid string"))
                .collect();
            Err(causes.join("\n"))
        }
    }
}

fn bearer(key: &str) -> Result<Auth, String> {
    // The key itself stays out of the message: it ends up in a status.
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| "the key has characters that no header can carry".to_string())?;
    value.set_sensitive(true);
    Ok(Auth::Bearer(value))
}
