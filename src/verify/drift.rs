//! What somebody changed of what we applied: field by field, with who and when.

use crate::plan::MANAGER;
use crate::plan::thing::Thing;
use crate::secret::redact;
use serde::Serialize;
use serde_json::Value;

/// An object of ours that is not as it was applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    pub thing: Thing,
    /// Empty where the object is gone.
    pub fields: Vec<Field>,
    pub missing: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// JSON pointer (RFC 6901).
    pub path: String,
    /// As applied; nothing where somebody added it.
    pub planned: Option<Value>,
    /// As it is; nothing where somebody took it away.
    pub live: Option<Value>,
    /// Field manager who last touched it, where the API server tells.
    pub by: Option<String>,
    /// When, in UTC.
    pub at: Option<String>,
}

/// What `compare` finds, as it may be shown: a value that stands where a key may stand is not told,
/// whatever it looks like.
pub fn told(planned: &Value, live: Option<&Value>) -> Option<Drift> {
    let mut drift = compare(planned, live)?;
    let wholes = [planned, live.unwrap_or(&Value::Null)].map(redact::object);
    for field in &mut drift.fields {
        for (value, whole) in [&mut field.planned, &mut field.live]
            .into_iter()
            .zip(&wholes)
        {
            if let (Some(value), Some(shown)) = (value, whole.pointer(&field.path)) {
                *value = shown.clone();
            }
        }
    }
    Some(drift)
}

/// Compares an applied object with the live one. Values of Secrets are compared elsewhere: here they
/// are never at hand. For showing there is `told`.
pub fn compare(planned: &Value, live: Option<&Value>) -> Option<Drift> {
    let thing = Thing::of(planned);
    let Some(live) = live else {
        return Some(Drift {
            thing,
            fields: Vec::new(),
            missing: true,
        });
    };
    let mut fields = Vec::new();
    for part in ["spec", "endpoints", "ports", "addressType"] {
        if let Some(wanted) = planned.get(part) {
            let path = format!("/{part}");
            differ(wanted, live.get(part), &path, &mut fields);
        }
    }
    if let Some(wanted) = planned.pointer("/metadata/labels") {
        differ(
            wanted,
            live.pointer("/metadata/labels"),
            "/metadata/labels",
            &mut fields,
        );
    }
    secret(planned, live, &mut fields);
    added(planned, live, &mut fields);
    for field in &mut fields {
        if let Some((by, at)) = toucher(live, field) {
            (field.by, field.at) = (Some(by), at);
        }
    }
    let drifted = !fields.is_empty();
    drifted.then_some(Drift {
        thing,
        fields,
        missing: false,
    })
}

/// Of a Secret only which entries it has.
fn secret(planned: &Value, live: &Value, fields: &mut Vec<Field>) {
    let Some(wanted) = planned.get("stringData").and_then(Value::as_object) else {
        return;
    };
    for entry in wanted
        .keys()
        .filter(|entry| live["data"].get(*entry).is_none())
    {
        fields.push(Field {
            path: format!("/data/{}", escaped(entry)),
            planned: Some("(a key)".into()),
            live: None,
            by: None,
            at: None,
        });
    }
}

/// What is wanted and is not so. Fields that the API server adds are no difference.
fn differ(wanted: &Value, live: Option<&Value>, path: &str, fields: &mut Vec<Field>) {
    match (wanted, live) {
        (Value::Object(wanted), Some(Value::Object(live))) => {
            for (key, value) in wanted {
                differ(
                    value,
                    live.get(key),
                    &format!("{path}/{}", escaped(key)),
                    fields,
                );
            }
        }
        (Value::Array(wanted), Some(Value::Array(live))) if wanted.len() == live.len() => {
            for (index, (wanted, live)) in wanted.iter().zip(live).enumerate() {
                differ(wanted, Some(live), &format!("{path}/{index}"), fields);
            }
        }
        (wanted, Some(live)) if wanted == live => {}
        // An empty value may be left out.
        (wanted, None | Some(Value::Null)) if is_empty(wanted) => {}
        (wanted, live) => fields.push(Field {
            path: path.to_string(),
            planned: Some(wanted.clone()),
            live: live.cloned(),
            by: None,
            at: None,
        }),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

/// What another manager put into the spec beside what we applied. Status is its controllers' own.
fn added(planned: &Value, live: &Value, fields: &mut Vec<Field>) {
    for entry in foreign(live) {
        for path in leaves(&entry["fieldsV1"])
            .into_iter()
            .filter(|path| path.starts_with("/spec/"))
        {
            let path = highest(planned, &path);
            let there = live.pointer(&path);
            let ours = planned.pointer(&path).is_some();
            let covered = fields.iter().any(|field| is_within(&path, &field.path));
            if let (Some(there), false, false) = (there, ours, covered) {
                fields.push(Field {
                    path,
                    planned: None,
                    live: Some(there.clone()),
                    by: None,
                    at: None,
                });
            }
        }
    }
}

/// Whether a pointer is another or lies beneath it.
fn is_within(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The highest part of a path that we did not apply: what lies above it is ours.
fn highest(planned: &Value, path: &str) -> String {
    let mut highest = path.to_string();
    while let Some((above, _)) = highest.rsplit_once('/') {
        if above == "/spec" || planned.pointer(above).is_some() {
            break;
        }
        highest = above.to_string();
    }
    highest
}

/// Entries of managers other than us and the controllers, which only write status and what they own.
fn foreign(live: &Value) -> impl Iterator<Item = &Value> {
    let entries = live
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    entries.into_iter().flatten().filter(|entry| {
        let manager = entry["manager"].as_str().unwrap_or("");
        let controller = manager.contains("agentgateway.dev") || manager.contains("kgateway.dev");
        let own = manager == MANAGER && entry["operation"] == "Apply";
        entry["subresource"].is_null() && !controller && !own
    })
}

/// Whoever owns the field, or what lies beneath or around it.
fn toucher(live: &Value, field: &Field) -> Option<(String, Option<String>)> {
    let related = |entry: &&Value| {
        leaves(&entry["fieldsV1"])
            .iter()
            .any(|leaf| is_within(leaf, &field.path) || is_within(&field.path, leaf))
    };
    let entry = foreign(live)
        .filter(related)
        .max_by_key(|entry| entry["time"].as_str().unwrap_or(""));
    // Somebody who takes a field away leaves no trace but their last touch of the object.
    let entry = entry.or_else(|| match field.live {
        None => foreign(live).max_by_key(|entry| entry["time"].as_str().unwrap_or("")),
        Some(_) => None,
    })?;
    let at = entry["time"].as_str().map(str::to_string);
    Some((entry["manager"].as_str()?.to_string(), at))
}

/// Pointers to the ends of a set of managed fields (sigs.k8s.io/structured-merge-diff: `f:` is a field,
/// `k:` an item of a keyed list, at which a pointer by index can't be told and the list itself is named).
fn leaves(set: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(set, String::new(), &mut found);
    found
}

fn walk(set: &Value, path: String, found: &mut Vec<String>) {
    let Some(fields) = set.as_object() else {
        return;
    };
    let named: Vec<(&str, &Value)> = fields
        .iter()
        .filter_map(|(key, below)| Some((key.strip_prefix("f:")?, below)))
        .collect();
    let keyed = fields
        .keys()
        .any(|key| key.starts_with("k:") || key.starts_with("v:"));
    if (named.is_empty() || keyed) && !path.is_empty() {
        found.push(path.clone());
    }
    for (name, below) in named {
        walk(below, format!("{path}/{}", escaped(name)), found);
    }
}

/// RFC 6901.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn planned() -> Value {
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "a", "namespace": "n", "labels": {"x": "y"}},
            "spec": {"parentRefs": [{"name": "ai-gateway"}], "rules": [{"backendRefs": [{"name": "a"}]}]}})
    }

    fn live(patch: impl FnOnce(&mut Value)) -> Value {
        let mut live = planned();
        live["spec"]["parentRefs"][0]["kind"] = "Gateway".into();
        live["spec"]["rules"][0]["backendRefs"][0]["weight"] = 1.into();
        patch(&mut live);
        live
    }

    #[test]
    fn what_the_api_server_adds_is_no_difference() {
        assert_eq!(compare(&planned(), Some(&live(|_| {}))), None);
        assert!(compare(&planned(), None).is_some_and(|drift| drift.missing));
        let mut with_nothing = planned();
        with_nothing["spec"]["filters"] = json!({"a": null});
        assert_eq!(compare(&with_nothing, Some(&live(|_| {}))), None);
    }

    #[test]
    fn a_changed_field_names_who_and_when() {
        let changed = live(|live| {
            live["spec"]["parentRefs"][0]["name"] = "gone".into();
            live["metadata"]["managedFields"] = json!([
                {"manager": "gatewright", "operation": "Apply", "fieldsV1": {"f:spec": {"f:rules": {}}}},
                {"manager": "agentgateway.dev/agentgateway", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}},
                {"manager": "kubectl-patch", "operation": "Update", "time": "2026-11-25T14:02:00Z", "fieldsV1": {"f:spec": {"f:parentRefs": {}}}}
            ]);
        });
        let drift = compare(&planned(), Some(&changed)).unwrap();
        assert_eq!(drift.fields.len(), 1);
        let field = &drift.fields[0];
        assert_eq!(field.path, "/spec/parentRefs/0/name");
        assert_eq!(
            (field.planned.clone(), field.live.clone()),
            (Some("ai-gateway".into()), Some("gone".into()))
        );
        assert_eq!(
            (field.by.as_deref(), field.at.as_deref()),
            (Some("kubectl-patch"), Some("2026-11-25T14:02:00Z"))
        );
    }

    #[test]
    fn what_somebody_added_beside_ours_is_a_difference() {
        let changed = live(|live| {
            live["spec"]["hostnames"] = json!(["x.example"]);
            live["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:hostnames": {}}}}]);
        });
        let drift = compare(&planned(), Some(&changed)).unwrap();
        assert_eq!(
            (drift.fields[0].path.as_str(), &drift.fields[0].planned),
            ("/spec/hostnames", &None)
        );
    }

    #[test]
    fn a_key_without_a_makers_shape_is_hidden_by_the_place_where_it_stands() {
        let ours = json!({"apiVersion": "v1", "kind": "AgentgatewayBackend", "metadata": {"name": "a"},
            "spec": {"ai": {"groups": [{"x": 1}]}, "headers": [{"name": "x-api-key", "value": "{secret}"}]}});
        let mut theirs = ours.clone();
        theirs["spec"]["policies"] = json!({"auth": {"key": "PLANTED"}, "other": "seen"});
        theirs["spec"]["headers"][0]["value"] = "PLANTED".into();
        theirs["spec"]["ai"]["groups"] =
            json!([{"x": 1}, {"policies": {"auth": {"key": "PLANTED"}}}]);
        theirs["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit", "operation": "Update",
            "fieldsV1": {"f:spec": {"f:policies": {"f:auth": {"f:key": {}}, "f:other": {}}}}}]);
        let drift = told(&ours, Some(&theirs)).unwrap();
        let said = serde_json::to_string(&drift).unwrap();
        assert_eq!(drift.fields.len(), 3, "{said}");
        assert!(!said.contains("PLANTED") && said.contains("seen"), "{said}");
        let raw = compare(&ours, Some(&theirs)).unwrap();
        assert_eq!(raw.fields[1].live, Some("PLANTED".into()));
    }

    #[test]
    fn a_field_is_not_another_whose_name_begins_like_it() {
        let mut ours = planned();
        ours["spec"]["host"] = "a".into();
        let mut theirs = ours.clone();
        theirs["spec"]["host"] = "b".into();
        theirs["spec"]["hostnames"] = json!(["x.example"]);
        theirs["metadata"]["managedFields"] = json!([
            {"manager": "one", "operation": "Update", "time": "2026-11-25T14:02:00Z", "fieldsV1": {"f:spec": {"f:host": {}}}},
            {"manager": "two", "operation": "Update", "time": "2026-11-25T15:02:00Z", "fieldsV1": {"f:spec": {"f:hostnames": {}}}}]);
        let drift = compare(&ours, Some(&theirs)).unwrap();
        let said: Vec<(&str, Option<&str>)> = drift
            .fields
            .iter()
            .map(|field| (field.path.as_str(), field.by.as_deref()))
            .collect();
        assert_eq!(
            said,
            [
                ("/spec/host", Some("one")),
                ("/spec/hostnames", Some("two"))
            ]
        );
    }

    #[test]
    fn a_secret_is_compared_by_its_entries_alone() {
        let planned = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "k"}, "stringData": {"Authorization": "{secret.a.Authorization}"}});
        let good = json!({"metadata": {"name": "k"}, "data": {"Authorization": "a2V5"}});
        assert_eq!(compare(&planned, Some(&good)), None);
        let renamed = json!({"metadata": {"name": "k"}, "data": {"api-key": "a2V5"}});
        assert_eq!(
            compare(&planned, Some(&renamed)).unwrap().fields[0].path,
            "/data/Authorization"
        );
    }
}
