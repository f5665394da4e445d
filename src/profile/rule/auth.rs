//! Rules about who may ask.

use super::{ApiKeys, Basic, Jwt, KeyFrom};
use crate::profile::field::{Field, Fields};
use crate::profile::problem::quote;
use crate::profile::source::{FIELDS, of, source};
use crate::profile::value::filled;
use serde_json::Value;

pub fn api_keys(field: &Field) -> Option<ApiKeys> {
    let fields = field.fields(&["optional", "keys"])?;
    let keys = fields.need("keys", "for example `{alice: {generate: true}}`")?;
    let pairs = keys.pairs();
    if pairs.is_empty() {
        keys.wrong(
            "has no keys, so nobody could ask",
            "for example `{alice: {generate: true}}`",
        );
    }
    let key = |(entry, field): &(&crate::yaml::Entry, Field)| {
        entry_name(field, &entry.key);
        Some((entry.key.clone(), key_from(field)?))
    };
    Some(ApiKeys {
        optional: optional(&fields),
        keys: pairs.iter().filter_map(key).collect(),
    })
}

/// Entries of a Secret have names of their own.
fn entry_name(field: &Field, name: &str) {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 63 || !name.chars().all(good) {
        field.wrong(
            format!("{} is not a name", quote(name)),
            "letters, digits, `-`, `_` and `.`",
        );
    }
}

fn key_from(field: &Field) -> Option<KeyFrom> {
    if !matches!(field.node.data, crate::yaml::Data::Map(_)) {
        return source(field).map(KeyFrom::Source);
    }
    let known: Vec<&str> = FIELDS.iter().chain(&["generate"]).copied().collect();
    let fields = field.fields(&known)?;
    match fields.get("generate").and_then(|field| field.boolean()) {
        Some(true) => Some(KeyFrom::Generated),
        Some(false) | None => of(&fields).map(KeyFrom::Source),
    }
}

fn optional(fields: &Fields) -> bool {
    let field = fields.get("optional");
    field.and_then(|field| field.boolean()).unwrap_or(false)
}

pub fn basic(field: &Field) -> Option<Basic> {
    let fields = field.fields(&["optional", "realm", "users"])?;
    let users = fields.need("users", "for example `{ann: {env: ANN_PASSWORD}}`")?;
    let pairs = users.pairs();
    if pairs.is_empty() {
        users.wrong(
            "has no users, so nobody could ask",
            "for example `{ann: {env: ANN_PASSWORD}}`",
        );
    }
    let user = |(entry, field): &(&crate::yaml::Entry, Field)| {
        entry_name(field, &entry.key);
        Some((entry.key.clone(), source(field)?))
    };
    let realm = fields
        .get("realm")
        .and_then(|f| filled(&f).map(str::to_string));
    Some(Basic {
        optional: optional(&fields),
        realm,
        users: pairs.iter().filter_map(user).collect(),
    })
}

pub fn jwt(field: &Field) -> Option<Jwt> {
    let fields = field.fields(&["optional", "issuer", "audiences", "jwks"])?;
    let issuer = fields.need("issuer", "for example `https://issuer.example`")?;
    let issuer = filled(&issuer)?;
    let audiences = fields.get("audiences").map(|field| field.items());
    let audiences = audiences.unwrap_or_default();
    let audiences = audiences
        .iter()
        .filter_map(|item| filled(item).map(str::to_string));
    let jwks = fields.need("jwks", "the public keys as JSON: `{\"keys\": [...]}`")?;
    Some(Jwt {
        optional: optional(&fields),
        issuer: issuer.to_string(),
        audiences: audiences.collect(),
        jwks: key_set(&jwks)?,
    })
}

/// Public keys as a JSON text or as YAML; a private part is refused and not shown.
fn key_set(field: &Field) -> Option<String> {
    let value = match &field.node.data {
        crate::yaml::Data::Map(_) => crate::yaml::to_json(field.node),
        _ => serde_json::from_str(field.text()?).unwrap_or(Value::Null),
    };
    let keys = value["keys"].as_array().filter(|keys| !keys.is_empty());
    let Some(keys) = keys else {
        field.wrong(
            "is not a set of keys",
            "JSON Web Key Set: `{\"keys\": [...]}`",
        );
        return None;
    };
    if keys
        .iter()
        .any(|key| !key["d"].is_null() || !key["k"].is_null())
    {
        field.wrong_unseen(
            "has the private part of a key",
            "only public parts belong here",
        );
        return None;
    }
    let text = value.to_string();
    if text.len() > 65536 {
        field.wrong("is larger than a set of keys can be", "at most 64 KiB");
    }
    Some(text)
}
