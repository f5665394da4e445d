//! `traffic.apiKeyAuthentication`: clients show a key that a Secret holds (facts 5, 9.7, 17.2).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Map, Value};

use super::caller::Caller;
use super::credentials;
use crate::gateway::object::{World, dig, name, namespace, selects, text};
use crate::gateway::refusal::Refusal;

/// What a Secret says of a key's holder, for expressions.
type Metadata = Arc<Map<String, Value>>;

pub struct ApiKeys {
    is_optional: bool,
    keys: HashMap<String, Metadata>,
}

/// Keys are not for printing.
impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({})", self.keys.len())
    }
}

impl ApiKeys {
    /// Collects the keys; the error is the controller's sentence for the policy's status (facts 4.5).
    pub(in crate::gateway) fn read(
        world: &World,
        place: &str,
        spec: &Value,
    ) -> Result<ApiKeys, String> {
        let mut secrets = Vec::new();
        let wanted = text(spec, &["secretRef", "name"]);
        if !wanted.is_empty() {
            if world.get("Secret", place, wanted).is_none() {
                return Err(format!("API Key secret {wanted} not found"));
            }
            secrets.push(wanted);
        }
        let selector = dig(spec, &["secretSelector"]);
        let selected = world.all("Secret").into_iter().filter(|secret| {
            namespace(secret) == place && selects(selector, dig(secret, &["metadata", "labels"]))
        });
        secrets.extend(selected.map(name));
        let mut keys = HashMap::new();
        for secret in secrets {
            for (entry, value) in world.secret(place, secret).unwrap_or_default() {
                keys.extend(key(secret, &entry, value)?);
            }
        }
        Ok(ApiKeys {
            is_optional: text(spec, &["mode"]) == "Optional",
            keys,
        })
    }

    /// Lets a request pass, without the key that it was let in by. Only a bearer token counts: no
    /// other header is looked at (facts 9.7).
    pub(in crate::gateway) fn check(
        &self,
        headers: &mut HeaderMap,
        caller: &mut Caller,
    ) -> Result<(), Refusal> {
        let Some(key) = credentials(headers, "Bearer") else {
            return match self.is_optional {
                true => Ok(()),
                false => Err(Refusal::api_key("no API Key found")),
            };
        };
        let metadata = self.keys.get(key);
        let metadata = metadata.ok_or_else(|| Refusal::api_key("invalid credentials"))?;
        caller.prove_key(Arc::clone(metadata));
        headers.remove(AUTHORIZATION);
        Ok(())
    }
}

/// The key in one entry of a Secret: the text as it is, or JSON that has it. An empty one would let
/// anybody in.
fn key(secret: &str, entry: &str, value: String) -> Result<Option<(String, Metadata)>, String> {
    let mut metadata = Map::new();
    let key = match value.trim_start().starts_with('{') {
        false => value,
        true => {
            let parsed: Value = serde_json::from_str(&value).map_err(|error| {
                // The place only: the message itself may show a part of the key.
                let (line, column) = (error.line(), error.column());
                format!("secret {secret} contains invalid key {entry}: no JSON at line {line} column {column}")
            })?;
            metadata = dig(&parsed, &["metadata"])
                .as_object()
                .cloned()
                .unwrap_or_default();
            text(&parsed, &["key"]).to_string()
        }
    };
    Ok((!key.is_empty()).then(|| (key, Arc::new(metadata))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn world() -> World {
        let secret = |name: &str, labels: Value, data: Value| {
            json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": name, "namespace": "ns", "labels": labels}, "stringData": data})
        };
        World::of(vec![
            secret(
                "one",
                json!({}),
                json!({"ann": "k-ann", "empty": "", "line": "k-line\n"}),
            ),
            secret(
                "two",
                json!({"team": "blue"}),
                json!({"bob": r#" {"key": "k-bob", "metadata": {"x": 1}}"#, "none": "{}"}),
            ),
            secret("broken", json!({}), json!({"eve": r#"{"key": "k-eve""#})),
        ])
        .unwrap()
    }

    fn read(spec: Value) -> Result<ApiKeys, String> {
        ApiKeys::read(&world(), "ns", &spec)
    }

    #[test]
    fn who_gets_in() {
        let one = json!({"secretRef": {"name": "one"}});
        let optional = json!({"secretRef": {"name": "one"}, "mode": "Optional"});
        let selected = json!({"secretSelector": {"matchLabels": {"team": "blue"}}});
        let (none, wrong) = (Some("no API Key found"), Some("invalid credentials"));
        let table = [
            (&one, "", none),
            (&one, "Basic a2V5", none),
            (&one, "Bearer k-ann", None),
            (&one, "bearer k-ann", None),
            (&one, "Bearer k-bob", wrong),
            (&one, "Bearer ", wrong),
            (&one, "Bearer", none),
            // Values are not trimmed (facts 5).
            (&one, "Bearer k-line", wrong),
            (&optional, "", None),
            (&optional, "Bearer nope", wrong),
            (&selected, "Bearer k-bob", None),
            (&selected, "Bearer k-ann", wrong),
        ];
        for (spec, header, expected) in table {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(AUTHORIZATION, header.parse().unwrap());
            }
            let result = read(spec.clone())
                .unwrap()
                .check(&mut headers, &mut Caller::default());
            let expected = expected.map(Refusal::api_key);
            assert_eq!(result.err(), expected, "{spec} {header}");
            let stripped = !headers.contains_key(AUTHORIZATION);
            let passed = expected.is_none() || header.is_empty();
            assert_eq!(stripped, passed, "{spec} {header}");
        }
    }

    #[test]
    fn mistakes_are_named_without_the_key() {
        let missing = read(json!({"secretRef": {"name": "x"}})).unwrap_err();
        assert_eq!(missing, "API Key secret x not found");
        let broken = read(json!({"secretRef": {"name": "broken"}})).unwrap_err();
        assert!(broken.starts_with("secret broken contains invalid key eve: "));
        assert!(!broken.contains("k-eve"));
        let keys = read(json!({"secretRef": {"name": "one"}})).unwrap();
        assert_eq!(format!("{keys:?}"), "ApiKeys(2)");
    }
}
