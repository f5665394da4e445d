//! What only the proof can tell stands in a plan as a named placeholder: the host under which the
//! gateway reaches a service of this machine, and the address and port behind it. So do keys, because
//! a plan can be printed.

use super::outcome::Wire;
use crate::error::{Error, Result};
use crate::secret::vault::Vault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
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

/// `{secret.openai.Authorization}`: a key, put in at the last moment.
pub fn secret(owner: &str, entry: &str) -> String {
    format!("{{secret.{owner}.{entry}}}")
}

/// A Secret with its keys, encoded as an API server keeps them: `stringData` would be a field that
/// every apply changes. Any other object as it is. The answer is for the wire alone.
pub fn unlock(mut object: Value, vault: &Vault) -> Result<Value> {
    if object["kind"] != "Secret" {
        return Ok(object);
    }
    let Some(plain) = object
        .as_object_mut()
        .and_then(|o| o.shift_remove("stringData"))
    else {
        return Ok(object);
    };
    let mut data = Map::new();
    for (entry, text) in plain.as_object().into_iter().flatten() {
        let name = text.as_str().and_then(|text| {
            let inner = text.strip_prefix("{secret.")?;
            inner.strip_suffix('}')
        });
        let Some(secret) = name.and_then(|name| vault.find(name)) else {
            let what = format!("the value of {entry} is not at hand");
            return Err(Error::new(what, "gw up"));
        };
        data.insert(entry.clone(), STANDARD.encode(secret.expose()).into());
    }
    object["data"] = Value::Object(data);
    Ok(object)
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
        // An image by its own name: what stands for it.
        if text == host(backend) || (wire.is_image() && text == backend) {
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
    use crate::secret::Secret;
    use serde_json::json;

    #[test]
    fn a_secret_gets_its_keys_and_nothing_else_does() {
        let mut vault = Vault::default();
        vault.put("a", "Authorization", Secret::new("k-1").unwrap());
        let text = secret("a", "Authorization");
        let object = json!({"kind": "Secret", "stringData": {"Authorization": text}});
        let open = unlock(object.clone(), &vault).unwrap();
        assert_eq!(
            open,
            json!({"kind": "Secret", "data": {"Authorization": "ay0x"}})
        );
        assert!(unlock(object, &Vault::default()).is_err());
        let other = json!({"kind": "Service", "stringData": {"Authorization": text}});
        assert_eq!(unlock(other.clone(), &vault).unwrap(), other);
    }

    #[test]
    fn known_placeholders_are_filled_and_others_stay() {
        let wire = Wire {
            host: "host-a.n.svc.cluster.local".into(),
            address: Some("172.18.0.1".parse().unwrap()),
            port: 4000,
            relay: true,
        };
        let image = ("gw:v1".to_string(), Wire::image("gw:own"));
        let wires = BTreeMap::from([("a".to_string(), wire), image]);
        let object = json!({"host": host("a"), "at": [address("a"), port("a")], "other": host("b"), "images": ["gw:v1", "gw:v2", "a"]});
        let filled = json!({"host": "host-a.n.svc.cluster.local", "at": ["172.18.0.1", 4000], "other": "{host.b}", "images": ["gw:own", "gw:v2", "a"]});
        assert_eq!(fill(&object, &wires), filled);
    }
}
