//! Keys taken out of an object that is kept, and put back from where they still stand.

use super::redact;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What a mark begins with. Behind it stand a salt and the beginning of a digest: enough to know the key
/// again among a few, and too little to find it.
const MARK: &str = "(key taken out) ";

/// An object whose keys are marks.
pub fn take_out(object: &Value) -> Value {
    redact::marked(object, &|value| {
        let salt = format!("{:016x}", rand::random::<u64>());
        format!("{MARK}{salt}:{}", digest(&salt, value))
    })
}

/// Whether a key was taken out of it.
pub fn has_blanks(object: &Value) -> bool {
    match object {
        Value::Object(fields) => fields.values().any(has_blanks),
        Value::Array(items) => items.iter().any(has_blanks),
        Value::String(text) => text.starts_with(MARK),
        _ => false,
    }
}

/// An object with its keys again.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    pub object: Value,
    /// Places, as JSON pointers, where another key stands by now: it stays.
    pub kept: Vec<String>,
    /// Places whose key is nowhere any more: they are left out, with what would be empty.
    pub lost: Vec<String>,
}

/// Puts back keys that `live`, the same object as it is now, has still.
pub fn put_back(object: &Value, live: &Value) -> Filled {
    let mut leaves = Vec::new();
    gather(live, &mut leaves);
    let mut filling = Filling {
        leaves,
        kept: Vec::new(),
        lost: Vec::new(),
    };
    let object = filling.fill(object, Some(live), "").unwrap_or_default();
    Filled {
        object,
        kept: filling.kept,
        lost: filling.lost,
    }
}

struct Filling<'a> {
    leaves: Vec<&'a Value>,
    kept: Vec<String>,
    lost: Vec<String>,
}

impl Filling<'_> {
    fn fill(&mut self, object: &Value, live: Option<&Value>, path: &str) -> Option<Value> {
        match object {
            Value::String(text) => match text.strip_prefix(MARK) {
                Some(mark) => self.key(mark, live, path),
                None => Some(object.clone()),
            },
            Value::Object(fields) => {
                let lost = self.lost.len();
                let filled = fields.iter().filter_map(|(key, below)| {
                    let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                    let live = live.and_then(|live| live.get(key));
                    Some((key.clone(), self.fill(below, live, &path)?))
                });
                let filled: serde_json::Map<String, Value> = filled.collect();
                let nothing = filled.is_empty() || filled.keys().all(|key| key == "name");
                (self.lost.len() == lost || !nothing).then_some(Value::Object(filled))
            }
            Value::Array(items) => {
                let same = |index: usize, item: &Value| {
                    let live = live?.as_array()?;
                    match item["name"].as_str() {
                        Some(name) => live.iter().find(|item| item["name"] == *name),
                        None => live.get(index),
                    }
                };
                let lost = self.lost.len();
                let filled = items.iter().enumerate().filter_map(|(index, item)| {
                    self.fill(item, same(index, item), &format!("{path}/{index}"))
                });
                let filled: Vec<Value> = filled.collect();
                (self.lost.len() == lost || !filled.is_empty()).then_some(Value::Array(filled))
            }
            other => Some(other.clone()),
        }
    }

    fn key(&mut self, mark: &str, live: Option<&Value>, path: &str) -> Option<Value> {
        let known = |value: &&&Value| {
            let (salt, rest) = mark.split_once(':').unwrap_or((mark, ""));
            word(value).is_some_and(|word| digest(salt, &word) == rest)
        };
        let live = live.filter(|live| word(live).is_some());
        // It may stand elsewhere in a list now.
        if let Some(found) = live.iter().chain(&self.leaves).find(known) {
            return Some((*found).clone());
        }
        match live {
            Some(_) => self.kept.push(path.to_string()),
            None => self.lost.push(path.to_string()),
        }
        live.cloned()
    }
}

fn gather<'a>(value: &'a Value, leaves: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|below| gather(below, leaves)),
        Value::Array(items) => items.iter().for_each(|below| gather(below, leaves)),
        other => leaves.push(other),
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn digest(salt: &str, value: &str) -> String {
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update(value)
        .finalize();
    digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn backend(key: &str) -> Value {
        json!({"kind": "AgentgatewayBackend", "metadata": {"name": "a", "labels": {"x": "1"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": format!("{{\"key\":\"{key}\"}}")},
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:key": {}}}}]},
            "spec": {"ai": {"provider": {"host": "a", "port": 443}}, "policies": {"auth": {"key": key}},
                "headers": [{"name": "x", "value": "1"}, {"name": "Authorization", "value": format!("Bearer {key}")}]}})
    }

    #[test]
    fn what_is_kept_has_no_key_and_with_the_live_ones_it_is_the_same_byte_for_byte() {
        let object = backend("PLANTED-77");
        let kept = take_out(&object);
        assert!(has_blanks(&kept) && !has_blanks(&object));
        assert!(!kept.to_string().contains("PLANTED"), "{kept}");
        assert_eq!(
            kept["metadata"]["managedFields"],
            object["metadata"]["managedFields"]
        );
        // A fix has changed the rest, and an item of a list came before ours.
        let mut live = object.clone();
        live["spec"]["ai"] = json!({});
        live["spec"]["headers"] = json!([{"name": "y", "value": "2"}, {"name": "Authorization", "value": "Bearer PLANTED-77"}]);
        let filled = put_back(&kept, &live);
        assert_eq!(filled.object.to_string(), object.to_string());
        assert_eq!((filled.kept, filled.lost), (vec![], vec![]));
    }

    #[test]
    fn a_key_that_was_renewed_stays_and_one_that_is_gone_is_named() {
        let kept = take_out(&backend("PLANTED-77"));
        let filled = put_back(&kept, &backend("another"));
        assert_eq!(filled.object, backend("another"));
        assert_eq!(filled.kept.len(), 3, "{filled:?}");
        let mut live = backend("PLANTED-77");
        live["spec"] = json!({"ai": {}});
        live["metadata"]["annotations"] = json!({});
        let filled = put_back(&kept, &live);
        assert_eq!(
            filled.object["spec"],
            json!({"ai": {"provider": {"host": "a", "port": 443}}, "headers": [{"name": "x", "value": "1"}]})
        );
        assert_eq!(filled.object["metadata"]["annotations"], Value::Null);
        assert_eq!(
            filled.lost[1..],
            ["/spec/policies/auth/key", "/spec/headers/1/value"]
        );
    }
}
