//! Kubernetes objects as they were given: what came in over the admin socket, before anything is compiled from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Kinds that the embedded gateway takes, with their API groups and whether they live in a namespace.
/// `Namespace` and `ReferenceGrant` only answer questions about routes (facts 4.3).
const KINDS: [(&str, &str, bool); 11] = [
    ("gateway.networking.k8s.io", "Gateway", true),
    ("gateway.networking.k8s.io", "HTTPRoute", true),
    ("gateway.networking.k8s.io", "ReferenceGrant", true),
    ("agentgateway.dev", "AgentgatewayBackend", true),
    ("agentgateway.dev", "AgentgatewayPolicy", true),
    ("agentgateway.dev", "AgentgatewayParameters", true),
    ("", "Secret", true),
    ("", "ConfigMap", true),
    ("", "Service", true),
    ("discovery.k8s.io", "EndpointSlice", true),
    ("", "Namespace", false),
];

static NOTHING: Value = Value::Null;

/// The value at a path, or null.
pub(super) fn dig<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter()
        .try_fold(value, |value, key| value.get(key))
        .unwrap_or(&NOTHING)
}

/// The text at a path, or nothing.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    dig(value, path).as_str().unwrap_or("")
}

/// The text at a path, or what stands for it when it is absent.
pub(super) fn text_or<'a>(value: &'a Value, path: &[&str], other: &'a str) -> &'a str {
    match text(value, path) {
        "" => other,
        found => found,
    }
}

/// The list at a path, or an empty one.
pub(super) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    dig(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// The texts in the list at a path.
pub(super) fn texts(value: &Value, path: &[&str]) -> Vec<String> {
    let texts = list(value, path).iter().filter_map(Value::as_str);
    texts.map(str::to_string).collect()
}

/// The port at a path; 0 stands for none.
pub(super) fn port(value: &Value, path: &[&str]) -> u16 {
    let number = dig(value, path).as_u64().unwrap_or(0);
    u16::try_from(number).unwrap_or(0)
}

pub(super) fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

pub(super) fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

/// `namespace/name`, as logs and messages show it.
pub(super) fn full_name(object: &Value) -> String {
    format!("{}/{}", namespace(object), name(object))
}

/// Which object: kind, namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

impl Id {
    pub fn new(kind: &str, namespace: &str, name: &str) -> Id {
        Id {
            kind: kind.to_string(),
            namespace: namespace.to_string(),
            name: name.to_string(),
        }
    }

    /// Reads the identity of an object; the error is a sentence for whoever sent it.
    pub fn of(object: &Value) -> Result<Id, String> {
        let (version, kind) = (text(object, &["apiVersion"]), text(object, &["kind"]));
        let group = version.rsplit_once('/').map_or("", |(group, _)| group);
        let Some((_, _, namespaced)) = KINDS.iter().find(|(g, k, _)| *g == group && *k == kind)
        else {
            return Err(format!(
                "the embedded gateway does not take objects of apiVersion `{version}` and kind `{kind}`"
            ));
        };
        if name(object).is_empty() {
            return Err(format!("this {kind} has no metadata.name"));
        }
        let namespace = match namespaced {
            true => text_or(object, &["metadata", "namespace"], "default"),
            false => "",
        };
        Ok(Id::new(kind, namespace, name(object)))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// All objects at one moment. Cheap to clone, so that a change can be tried before it is kept.
#[derive(Clone, Default)]
pub struct World {
    objects: BTreeMap<Id, Arc<Value>>,
}

impl World {
    /// A world of these objects; the error names the first that can't be taken.
    pub fn of(objects: Vec<Value>) -> Result<World, String> {
        let mut world = World::default();
        for object in objects {
            world.put(Id::of(&object)?, object);
        }
        Ok(world)
    }

    /// Adds or replaces an object, after filling in what an API server would.
    pub(super) fn put(&mut self, id: Id, mut object: Value) {
        complete(&id, &mut object);
        self.objects.insert(id, Arc::new(object));
    }

    pub(super) fn remove(&mut self, id: &Id) -> bool {
        self.objects.remove(id).is_some()
    }

    /// Removes every object but these.
    pub(super) fn retain(&mut self, kept: &BTreeSet<Id>) {
        self.objects.retain(|id, _| kept.contains(id));
    }

    pub(super) fn find(&self, id: &Id) -> Option<&Value> {
        self.objects.get(id).map(Arc::as_ref)
    }

    pub(super) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.find(&Id::new(kind, namespace, name))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Id, &Value)> {
        self.objects
            .iter()
            .map(|(id, object)| (id, object.as_ref()))
    }

    /// Every object as a person may see it, with its status.
    pub fn shown(&self, status: &BTreeMap<Id, Value>) -> Vec<Value> {
        let with_status = |(id, object)| {
            let mut shown = redacted(object);
            if let (Some(status), Some(fields)) = (status.get(id), shown.as_object_mut()) {
                fields.insert("status".to_string(), status.clone());
            }
            shown
        };
        self.iter().map(with_status).collect()
    }

    /// Objects of a kind, oldest first, then by name: as Gateway API breaks ties.
    pub(super) fn all(&self, kind: &str) -> Vec<&Value> {
        let of_kind = self.iter().filter(|(id, _)| id.kind == kind);
        let mut found: Vec<&Value> = of_kind.map(|(_, object)| object).collect();
        found.sort_by_key(|object| text(object, &["metadata", "creationTimestamp"]));
        found
    }

    /// The decoded values of a Secret.
    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<BTreeMap<String, String>> {
        let data = dig(self.get("Secret", namespace, name)?, &["data"]);
        let pairs = data.as_object().into_iter().flatten();
        let decoded = pairs.filter_map(|(key, value)| {
            let bytes = STANDARD.decode(value.as_str()?).ok()?;
            Some((key.clone(), String::from_utf8(bytes).ok()?))
        });
        Some(decoded.collect())
    }
}

/// What an API server does to an object that it takes: the namespace is set, status is not the
/// sender's to write, and `stringData` becomes `data`.
fn complete(id: &Id, object: &mut Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    fields.shift_remove("status");
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata")
        && !id.namespace.is_empty()
    {
        metadata.insert("namespace".into(), id.namespace.clone().into());
    }
    if let Some(Value::Object(plain)) = fields.shift_remove("stringData") {
        let data = fields
            .entry("data")
            .or_insert_with(|| Value::Object(Map::new()));
        for (key, value) in plain {
            let encoded = STANDARD.encode(value.as_str().unwrap_or(""));
            if let Some(data) = data.as_object_mut() {
                data.insert(key, encoded.into());
            }
        }
    }
}

/// What stands in the place of a key where an object is shown.
pub const HIDDEN: &str = "<redacted>";

/// A copy that a person may see: keys are replaced by a word (architecture, decision 7).
pub(super) fn redacted(object: &Value) -> Value {
    let mut copy = object.clone();
    if text(object, &["kind"]) == "Secret" {
        if let Some(data) = copy.get_mut("data").and_then(Value::as_object_mut) {
            data.values_mut().for_each(|value| *value = json!(HIDDEN));
        }
        if let Some(annotations) = copy.pointer_mut("/metadata/annotations") {
            *annotations = json!({});
        }
    }
    // kubectl keeps a copy of the whole object there, as one text.
    if let Some(Value::Object(annotations)) = copy.pointer_mut("/metadata/annotations") {
        annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    hide_credentials(&mut copy);
    copy
}

/// Hides inline keys and password hashes wherever a spec may carry them: of backends, of providers
/// in groups, of MCP targets, of policies.
fn hide_credentials(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (parent, field) in [("auth", "key"), ("basicAuthentication", "users")] {
                if let Some(secret) = fields.get_mut(parent).and_then(|auth| auth.get_mut(field)) {
                    *secret = json!(HIDDEN);
                }
            }
            fields.values_mut().for_each(hide_credentials);
        }
        Value::Array(items) => items.iter_mut().for_each(hide_credentials),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a LabelSelector (null selects nothing) picks these labels.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    if selector.is_null() {
        return false;
    }
    let wanted = dig(selector, &["matchLabels"]).as_object();
    let equal = wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    equal
        && list(selector, &["matchExpressions"])
            .iter()
            .all(|expression| {
                let value = labels.get(text(expression, &["key"]));
                let among =
                    value.is_some_and(|value| list(expression, &["values"]).contains(value));
                match text(expression, &["operator"]) {
                    "In" => among,
                    "NotIn" => !among,
                    "Exists" => value.is_some(),
                    "DoesNotExist" => value.is_none(),
                    _ => false,
                }
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_stored_encoded_and_shown_redacted() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "stringData": {"Authorization": "Bearer k"}});
        let world = World::of(vec![secret]).unwrap();
        let stored = world.get("Secret", "default", "s").unwrap();
        assert_eq!(stored["data"]["Authorization"], "QmVhcmVyIGs=");
        assert_eq!(
            world.secret("default", "s").unwrap()["Authorization"],
            "Bearer k"
        );
        assert_eq!(redacted(stored)["data"]["Authorization"], "<redacted>");
    }

    #[test]
    fn inline_keys_are_hidden_wherever_they_are() {
        let spec = json!({"ai": {"groups": [{"providers": [{"policies": {"auth": {"key": "k-1"}}}]}]},
            "mcp": {"targets": [{"static": {"policies": {"auth": {"key": "k-2"}}}}]},
            "policies": {"auth": {"key": "k-3"}}, "traffic": {"basicAuthentication": {"users": ["u:k-4"]}}});
        let shown = redacted(&json!({"kind": "AgentgatewayBackend", "spec": spec})).to_string();
        assert!(!shown.contains("k-"), "{shown}");
    }

    #[test]
    fn kinds_of_other_groups_are_refused_by_name() {
        let other =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}});
        assert!(Id::of(&other).unwrap_err().contains("`Deployment`"));
        let wrong = json!({"apiVersion": "v1", "kind": "Gateway", "metadata": {"name": "g"}});
        assert!(Id::of(&wrong).is_err());
    }

    #[test]
    fn selectors_work_as_in_kubernetes() {
        let labels = json!({"team": "blue"});
        let table = [
            (json!(null), false),
            (json!({}), true),
            (json!({"matchLabels": {"team": "blue"}}), true),
            (json!({"matchLabels": {"team": "red"}}), false),
            (
                json!({"matchExpressions": [{"key": "team", "operator": "In", "values": ["blue"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["blue"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "other", "operator": "DoesNotExist"}]}),
                true,
            ),
        ];
        for (selector, expected) in table {
            assert_eq!(selects(&selector, &labels), expected, "{selector}");
        }
    }
}
