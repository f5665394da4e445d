//! What a plan wants and somebody else has put there already: shown field by field, and used as it is
//! only when that is asked for (architecture, decision 9).

use super::{Action, Plan};
use serde_json::Value;
use std::collections::BTreeMap;

/// Something of others that does a step's work.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Id of the step.
    pub step: String,
    /// As people call it: `chart agentgateway`, `Gateway API`.
    pub what: String,
    /// Which one it is, so that it is known again: `release agentgateway in agentgateway-system`.
    pub identity: String,
    pub version: String,
    /// Where it runs, if it is in a namespace.
    pub namespace: Option<String>,
    pub fields: Vec<Field>,
    /// Why it can't be used; `None` where it can.
    pub obstacle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub planned: String,
    pub there: String,
}

impl Field {
    pub fn new(name: &str, planned: impl Into<String>, there: impl Into<String>) -> Self {
        Field {
            name: name.to_string(),
            planned: planned.into(),
            there: there.into(),
        }
    }
}

impl Found {
    /// One line a field: `chart agentgateway version: planned v2.2.0, there v2.2.1`.
    pub fn lines(&self) -> Vec<String> {
        let line = |field: &Field| {
            let Field {
                name,
                planned,
                there,
            } = field;
            match planned == there {
                true => format!("{} {name}: {there}, as planned", self.what),
                false => format!("{} {name}: planned {planned}, there {there}", self.what),
            }
        };
        let head = format!("{}: {}", self.what, self.identity);
        std::iter::once(head)
            .chain(self.fields.iter().map(line))
            .collect()
    }
}

/// Values of a chart, leaf by leaf; those of others that may be keys are not shown.
pub fn values(planned: &Value, there: &Value) -> Vec<Field> {
    let (planned, there) = (leaves(planned), leaves(there));
    let names: std::collections::BTreeSet<&String> = planned.keys().chain(there.keys()).collect();
    let of = |from: &BTreeMap<String, String>, name: &String| {
        from.get(name)
            .cloned()
            .unwrap_or_else(|| "the chart's".to_string())
    };
    let field = |name: &String| {
        let (ours, theirs) = (of(&planned, name), of(&there, name));
        let hide = may_be_key(name) && ours != theirs;
        let theirs = if hide {
            "not shown".to_string()
        } else {
            theirs
        };
        Field::new(&format!("values.{name}"), ours, theirs)
    };
    names.into_iter().map(field).collect()
}

fn leaves(value: &Value) -> BTreeMap<String, String> {
    fn walk(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
        let under = |key: &str| match path {
            "" => key.to_string(),
            path => format!("{path}.{key}"),
        };
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter()
                    .for_each(|(key, value)| walk(&under(key), value, into));
            }
            Value::Array(items) if !items.is_empty() => {
                let numbered = items.iter().enumerate();
                numbered.for_each(|(at, value)| walk(&under(&at.to_string()), value, into));
            }
            Value::String(text) => {
                into.insert(path.to_string(), crate::text::excerpt(text, 80));
            }
            Value::Object(_) | Value::Array(_) if path.is_empty() => {}
            other => {
                into.insert(path.to_string(), other.to_string());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", value, &mut found);
    found
}

/// Environment variables and whatever is named like a key: nobody knows what others put there.
fn may_be_key(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = [
        "key",
        "token",
        "secret",
        "password",
        "credential",
        "auth",
        "env",
        "cert",
    ];
    words.iter().any(|word| name.contains(word))
}

impl Plan {
    /// Leaves to others what they have done already.
    pub fn adopt(&mut self, found: &[Found]) {
        for step in &mut self.steps {
            if let Some(found) = found.iter().find(|found| found.step == step.id) {
                let whose = format!("{} {}, adopted", found.what, found.version);
                step.action = Action::Adopted(whose);
            }
        }
        let controller = found
            .iter()
            .find(|found| found.step == "chart.agentgateway");
        if let Some(namespace) = controller.and_then(|found| found.namespace.as_ref()) {
            self.system.clone_from(namespace);
        }
        // A namespace for charts that are elsewhere would stay empty.
        let ours = |action: &Action| matches!(action, Action::Chart(_));
        if self.namespace != self.system && !self.steps.iter().any(|step| ours(&step.action)) {
            let own = format!("object.Namespace.{}", self.namespace);
            let is_spare = |id: &str| id.starts_with("object.Namespace.") && id != own;
            self.steps.retain(|step| !is_spare(&step.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_compared_leaf_by_leaf_and_keys_of_others_are_not_shown() {
        let planned = json!({"controller": {"image": {"tag": "v1"}}});
        let there = json!({
            "controller": {"image": {"tag": "v2"}, "replicaCount": 2, "extraEnv": {"A": "planted"}},
            "registryPassword": "planted", "imagePullSecrets": [{"name": "planted"}]
        });
        let fields = values(&planned, &there);
        let of = |name: &str| fields.iter().find(|field| field.name == name).unwrap();
        assert_eq!(
            of("values.controller.image.tag"),
            &Field::new("values.controller.image.tag", "v1", "v2")
        );
        assert_eq!(of("values.controller.replicaCount").there, "2");
        assert_eq!(of("values.controller.replicaCount").planned, "the chart's");
        assert!(!format!("{fields:?}").contains("planted"), "{fields:?}");
    }

    #[test]
    fn values_that_nobody_set_are_no_fields() {
        assert_eq!(values(&json!({}), &json!({})), []);
    }
}
