//! `traffic.basicAuthentication`: users and passwords as htpasswd files have them (facts 5, 9.7).

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;

use super::caller::Caller;
use super::{credentials, htpasswd};
use crate::gateway::object::{World, text, text_or, texts};
use crate::gateway::refusal::Refusal;

pub struct Basic {
    is_optional: bool,
    challenge: HeaderValue,
    users: HashMap<String, String>,
}

/// Hashes are not for printing.
impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Basic({})", self.users.len())
    }
}

impl Basic {
    /// Collects the users; the error is the controller's sentence for the policy's status (facts 4.5).
    pub(in crate::gateway) fn read(
        world: &World,
        place: &str,
        spec: &Value,
    ) -> Result<Basic, String> {
        let mut lines = texts(spec, &["users"]);
        let name = text(spec, &["secretRef", "name"]);
        if !name.is_empty() {
            let secret = world.secret(place, name);
            let secret =
                secret.ok_or_else(|| format!("basic authentication secret {name} not found"))?;
            let table = secret.get(".htaccess").ok_or_else(|| {
                format!(
                    "basic authentication secret {name} found, but doesn't contain '.htaccess' key"
                )
            })?;
            lines.extend(table.lines().map(str::to_string));
        }
        let pairs = lines.iter().filter_map(|line| line.trim().split_once(':'));
        let realm = text_or(spec, &["realm"], "Restricted");
        Ok(Basic {
            is_optional: text(spec, &["mode"]) == "Optional",
            challenge: HeaderValue::from_str(&format!("Basic realm=\"{realm}\""))
                .map_err(|_| format!("invalid realm {realm:?}"))?,
            users: pairs
                .map(|(user, hash)| (user.to_string(), hash.to_string()))
                .collect(),
        })
    }

    /// Lets a request pass, without the password that it was let in by.
    pub(in crate::gateway) async fn check(
        &self,
        headers: &mut HeaderMap,
        caller: &mut Caller,
    ) -> Result<(), Refusal> {
        let refuse = |cause| Err(Refusal::basic(cause, self.challenge.clone()));
        let given = credentials(headers, "Basic").and_then(decoded);
        let Some((user, password)) = given else {
            return match self.is_optional {
                true => Ok(()),
                false => refuse("no basic authentication credentials found"),
            };
        };
        let Some(hash) = self.users.get(&user).cloned() else {
            return refuse("invalid credentials");
        };
        // Hashing takes long on purpose; it would hold up other requests.
        let verified = tokio::task::spawn_blocking(move || htpasswd::verify(&hash, &password));
        match verified.await {
            Ok(true) => {
                headers.remove(AUTHORIZATION);
                caller.prove_user(&user);
                Ok(())
            }
            Ok(false) | Err(_) => refuse("invalid credentials"),
        }
    }
}

fn decoded(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_string(), password.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SHA: &str = "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";

    fn read(spec: Value) -> Result<Basic, String> {
        let secret = |name: &str, data: Value| {
            json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": name, "namespace": "ns"}, "stringData": data})
        };
        let world = World::of(vec![
            secret("good", json!({".htaccess": format!("\n{SHA}\n# x\n")})),
            secret("other", json!({"auth": SHA})),
        ]);
        Basic::read(&world.unwrap(), "ns", &spec)
    }

    #[tokio::test]
    async fn who_gets_in() {
        let inline = json!({"users": [SHA], "realm": "lab"});
        let secret = json!({"secretRef": {"name": "good"}, "mode": "Optional"});
        let (none, wrong) = (
            Some("no basic authentication credentials found"),
            Some("invalid credentials"),
        );
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let table = [
            (&inline, String::new(), none),
            (&inline, "Bearer k".to_string(), none),
            (&inline, "Basic ???".to_string(), none),
            (&inline, basic("ann"), none),
            (&inline, basic("ann:wrong"), wrong),
            (&inline, basic("bob:secret"), wrong),
            (&inline, basic("ann:secret"), None),
            (&secret, String::new(), None),
            (&secret, basic("ann:secret"), None),
            (&secret, basic("ann:wrong"), wrong),
        ];
        for (spec, header, expected) in table {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(AUTHORIZATION, header.parse().unwrap());
            }
            let basic = read(spec.clone()).unwrap();
            let result = basic.check(&mut headers, &mut Caller::default()).await;
            let expected = expected.map(|cause| Refusal::basic(cause, basic.challenge.clone()));
            assert_eq!(result.err(), expected, "{spec} {header}");
            assert_eq!(
                headers.contains_key(AUTHORIZATION),
                expected.is_some() && !header.is_empty(),
                "{spec} {header}"
            );
        }
    }

    #[test]
    fn mistakes_are_told_in_the_controllers_words() {
        let of = |name: &str| read(json!({"secretRef": {"name": name}})).unwrap_err();
        assert_eq!(of("x"), "basic authentication secret x not found");
        assert_eq!(
            of("other"),
            "basic authentication secret other found, but doesn't contain '.htaccess' key"
        );
        assert!(read(json!({"users": [SHA], "realm": "a\nb"})).is_err());
        let basic = read(json!({"users": [SHA]})).unwrap();
        assert_eq!(format!("{basic:?}"), "Basic(1)");
        assert_eq!(basic.challenge, "Basic realm=\"Restricted\"");
    }
}
