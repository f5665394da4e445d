//! Text and objects as they may be shown to a colleague: no key, no token, no password.

use super::shape;
use serde_json::Value;

/// Fields below which every value may be a credential, by the ends of their names in lower case.
const SECRET: [&str; 13] = [
    "key",
    "keys",
    "token",
    "tokens",
    "password",
    "secret",
    "data",
    "stringdata",
    "users",
    "authorization",
    "last-applied-configuration",
    "credential",
    "cookie",
];
/// Fields that end so and hold no credential.
const PLAIN: [&str; 5] = [
    "tokens",
    "max_tokens",
    "totaltokens",
    "configmapkeyref",
    "secretkeyref",
];
pub const HIDDEN: &str = "(removed)";

/// An object without what may be a credential. Names of Secrets and their entries stay.
pub fn object(value: &Value) -> Value {
    Walk {
        left_out: Some("managedFields"),
        hidden: &|_| HIDDEN.to_string(),
        text: &text,
    }
    .value(value, false)
}

/// The same with a mark of its own in the place of each; nothing else is changed.
pub fn marked(value: &Value, mark: &dyn Fn(&str) -> String) -> Value {
    let whole = |word: &str| match text(word) == word {
        true => word.to_string(),
        false => mark(word),
    };
    Walk {
        left_out: None,
        hidden: mark,
        text: &whole,
    }
    .value(value, false)
}

struct Walk<'a> {
    left_out: Option<&'a str>,
    /// What stands for a value in the place of a credential.
    hidden: &'a dyn Fn(&str) -> String,
    /// What stands for any other text.
    text: &'a dyn Fn(&str) -> String,
}

impl Walk<'_> {
    fn value(&self, value: &Value, hidden: bool) -> Value {
        match value {
            Value::Object(fields) => {
                // Headers and variables: the name stands beside the value.
                let named = fields.get("name").and_then(Value::as_str);
                let named = named.is_some_and(names_secret);
                let pairs = fields
                    .iter()
                    .filter(|(key, _)| self.left_out != Some(key.as_str()))
                    .map(|(key, below)| {
                        let reference = key.ends_with("Ref") || key == "metadata";
                        let secret = hidden || names_secret(key) || named && key == "value";
                        let secret = secret && !reference;
                        (key.clone(), self.value(below, secret))
                    });
                Value::Object(pairs.collect())
            }
            Value::Array(items) => {
                // Arguments: the value stands behind its flag.
                let before = std::iter::once(None).chain(items.iter().map(Value::as_str));
                let is_flag = |word: Option<&str>| {
                    let name = word.and_then(|word| word.strip_prefix('-'));
                    name.is_some_and(names_secret)
                };
                let items = items.iter().zip(before);
                let items = items.map(|(item, before)| self.value(item, hidden || is_flag(before)));
                Value::Array(items.collect())
            }
            Value::String(word) if hidden => Value::from((self.hidden)(word)),
            Value::Number(number) if hidden => Value::from((self.hidden)(&number.to_string())),
            Value::String(word) => Value::from((self.text)(word)),
            other => other.clone(),
        }
    }
}

fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET.iter().any(|end| key.ends_with(end)) && !PLAIN.contains(&key.as_str())
}

/// A text without what looks like a credential.
pub fn text(text: &str) -> String {
    shape::hide(text, HIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn planted_keys_are_gone_and_the_rest_stays() {
        let planted = [
            "Authorization: Bearer sk-PLANTED-abcdefgh",
            "authorization=\"Basic cGxhbnRlZDpQTEFOVEVE\"",
            "GET /v1beta/models?key=AIzaPLANTED0123456789012345 200",
            "Incorrect API key provided: testbed-PLANTED. You can find",
            r#"{"api_key":"PLANTED-123456"}"#,
            "https://user:PLANTED@registry.example/v2",
            "token=eyJhbGciOiJQTEFOVEVE.eyJzdWIiOiJQTEFOVEVE.c2ln",
            "AKIAPLANTED0123456",
        ];
        for line in planted {
            let said = text(line);
            assert!(
                !said.contains("PLANTED") && !said.contains("QTEFOVEVE"),
                "{said}"
            );
            assert!(said.contains(HIDDEN), "{said}");
        }
        let plain = "2026-11-23T18:37:57Z\tinfo\trequest route=n/openai gen_ai.usage.input_tokens=6 duration=0ms";
        assert_eq!(text(plain), plain);
    }

    #[test]
    fn objects_keep_their_shape_and_lose_their_values() {
        let object_ = json!({"kind": "Secret", "metadata": {"name": "openai-key", "annotations":
            {"kubectl.kubernetes.io/last-applied-configuration": "{\"PLANTED\":1}"}}, "data": {"Authorization": "UExBTlRFRA=="}});
        let shown = object(&object_);
        assert!(
            !shown.to_string().contains("PLANTED") && !shown.to_string().contains("UExBTlRFRA")
        );
        assert_eq!(shown["metadata"]["name"], "openai-key");
        assert!(shown["data"].get("Authorization").is_some());
        let backend = json!({"spec": {"policies": {"auth": {"key": "PLANTED"}}, "ai": {"x": 1}}});
        assert_eq!(
            object(&backend),
            json!({"spec": {"policies": {"auth": {"key": HIDDEN}}, "ai": {"x": 1}}})
        );
        let headers = json!({"set": [{"name": "X-Api-Key", "value": "PLANTED"}, {"name": "x-a", "value": "b"}]});
        assert_eq!(
            object(&headers),
            json!({"set": [{"name": "X-Api-Key", "value": HIDDEN}, {"name": "x-a", "value": "b"}]})
        );
        let pod = json!({"args": ["serve", "--token", "PLANTED", "--port", "80"], "set": [{"name": "Cookie", "value": "s=PLANTED"}]});
        assert_eq!(
            object(&pod),
            json!({"args": ["serve", "--token", HIDDEN, "--port", "80"], "set": [{"name": "Cookie", "value": HIDDEN}]})
        );
        let reference = json!({"auth": {"secretRef": {"name": "openai-key"}}});
        assert_eq!(object(&reference), reference);
    }
}
