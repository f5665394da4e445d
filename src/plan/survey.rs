//! What a target shows of itself, and what controllers say of objects. Pure reading of values.

use serde_json::Value;

/// What a target shows of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// Whether the place itself is there: cluster or process.
    pub alive: bool,
    /// One line about the place, such as `Kubernetes v1.34.4` or `pid 4711`.
    pub detail: String,
    /// Parts with versions: charts, images.
    pub parts: Vec<Part>,
    /// Our objects and what their controllers say of them.
    pub objects: Vec<ObjectState>,
}

/// What is wrong with an object or a pod, in the place's own words.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// `Gateway ai-gateway`, `pod ai-gateway-7d9`.
    pub object: String,
    pub what: String,
    /// Whether it is so now, and not only was said a while ago.
    pub is_state: bool,
    /// What mends it, where that is plain.
    pub next: Option<String>,
}

impl Trouble {
    pub fn text(&self) -> String {
        format!("{}: {}", self.object, self.what)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// `chart`, `image`, `process`.
    pub sort: &'static str,
    pub name: String,
    pub version: String,
    /// As it is: `deployed`, `running`, `not running`.
    pub state: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ObjectState {
    pub kind: String,
    pub name: String,
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub message: String,
}

/// Kind, name and conditions of an object as its controller wrote them. Gateways and backends carry
/// conditions themselves, routes per parent, policies per ancestor (facts 4).
pub fn object_state(object: &Value) -> ObjectState {
    let word = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_string()
    };
    let lists = [
        object.pointer("/status/conditions"),
        object.pointer("/status/parents/0/conditions"),
        object.pointer("/status/ancestors/0/conditions"),
    ];
    let conditions = lists
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten();
    ObjectState {
        kind: word("/kind"),
        name: word("/metadata/name"),
        conditions: conditions.map(condition).collect(),
    }
}

fn condition(value: &Value) -> Condition {
    let word = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_string()
    };
    Condition {
        kind: word("type"),
        status: word("status"),
        reason: word("reason"),
        message: word("message"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_routes_conditions_are_those_of_its_parent() {
        let accepted =
            json!({"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""});
        let route = json!({"kind": "HTTPRoute", "metadata": {"name": "x"}, "status": {"parents": [{"conditions": [accepted]}]}});
        let state = object_state(&route);
        assert_eq!(
            (state.name.as_str(), state.conditions[0].kind.as_str()),
            ("x", "Accepted")
        );
        assert_eq!(object_state(&json!({"kind": "Service"})).conditions, []);
    }
}
