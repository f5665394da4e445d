//! What only the proof can tell stands in a plan as a named placeholder: the host under which the
//! gateway reaches a service of this machine, and the address and port behind it.

use super::outcome::Wire;
use serde_json::Value;
use std::collections::BTreeMap;

/// `{host.ollama}`: what stands in the backend.
pub fn host(backend: &str) -> String {
    format!("{{host.{backend}}}")
}

/// `{host.ollama.address}`: where a name of ours leads.
pub fn address(backend: &str) -> String {
    format!("{{host.{backend}.address}}")
}

/// `{host.ollama.port}`: the port there; a number once it is known.
pub fn port(backend: &str) -> String {
    format!("{{host.{backend}.port}}")
}

/// An object with its placeholders filled from what is known; unknown ones stay as they are.
pub fn fill(object: &Value, wires: &BTreeMap<String, Wire>) -> Value {
    match object {
        Value::String(text) => value(text, wires).unwrap_or_else(|| object.clone()),
        Value::Array(items) => items.iter().map(|item| fill(item, wires)).collect(),
        Value::Object(fields) => {
            let filled = fields
                .iter()
                .map(|(key, value)| (key.clone(), fill(value, wires)));
            Value::Object(filled.collect())
        }
        other => other.clone(),
    }
}

fn value(text: &str, wires: &BTreeMap<String, Wire>) -> Option<Value> {
    wires.iter().find_map(|(backend, wire)| {
        if text == host(backend) {
            Some(Value::from(wire.host.clone()))
        } else if text == address(backend) {
            wire.address.map(|address| Value::from(address.to_string()))
        } else if text == port(backend) {
            Some(Value::from(wire.port))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_placeholders_are_filled_and_others_stay() {
        let wire = Wire {
            host: "host-a.n.svc.cluster.local".into(),
            address: Some("172.18.0.1".parse().unwrap()),
            port: 4000,
            relay: true,
        };
        let wires = BTreeMap::from([("a".to_string(), wire)]);
        let object =
            json!({"host": host("a"), "at": [address("a"), port("a")], "other": host("b")});
        let filled = json!({"host": "host-a.n.svc.cluster.local", "at": ["172.18.0.1", 4000], "other": "{host.b}"});
        assert_eq!(fill(&object, &wires), filled);
    }
}
