//! Text and objects as they may be shown to a colleague: no key, no token, no password.

use serde_json::Value;

/// Fields below which every value may be a credential, by the ends of their names in lower case.
const SECRET: [&str; 12] = [
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
];
/// Fields that end so and hold no credential.
const PLAIN: [&str; 5] = [
    "tokens",
    "max_tokens",
    "totaltokens",
    "configmapkeyref",
    "secretkeyref",
];
const HIDDEN: &str = "(removed)";

/// An object without what may be a credential. Names of Secrets and their entries stay.
pub fn object(value: &Value) -> Value {
    walk(value, false)
}

fn walk(value: &Value, hidden: bool) -> Value {
    match value {
        Value::Object(fields) => {
            let pairs = fields
                .iter()
                .filter(|(key, _)| *key != "managedFields")
                .map(|(key, below)| {
                    let reference = key.ends_with("Ref") || key == "metadata";
                    let secret = (hidden || names_secret(key)) && !reference;
                    (key.clone(), walk(below, secret))
                });
            Value::Object(pairs.collect())
        }
        Value::Array(items) => items.iter().map(|item| walk(item, hidden)).collect(),
        Value::String(_) | Value::Number(_) if hidden => Value::from(HIDDEN),
        Value::String(text) => Value::from(self::text(text)),
        other => other.clone(),
    }
}

fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET.iter().any(|end| key.ends_with(end)) && !PLAIN.contains(&key.as_str())
}

/// A text without what looks like a credential: tokens of known forms, what follows `Bearer` or a name
/// that says it is one.
pub fn text(text: &str) -> String {
    static FORMS: std::sync::OnceLock<Vec<regex::Regex>> = std::sync::OnceLock::new();
    let forms = FORMS.get_or_init(|| {
        let forms = [
            // OpenAI, Anthropic, Google, AWS, GitHub, JSON web tokens, and keys that gw makes.
            r"\b(sk-[A-Za-z0-9_\-]{8,}|AIza[A-Za-z0-9_\-]{20,}|ya29\.[A-Za-z0-9_\-.]{10,})",
            r"\b((?:AKIA|ASIA)[A-Z0-9]{12,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|gw-[A-Za-z0-9_\-]{20,})",
            r"\b(eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?)",
            r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9_\-.~+/=]{6,})",
            r#"(?i)(?:api[_-]?key|authorization|token|password|secret|x-goog-api-key)["']?\s*[:=]\s*["']?([^\s"',;&}]{6,})"#,
            r"(?i)[?&](?:key|api[_-]?key|access_token|x-amz-signature|x-amz-security-token)=([^&\s]+)",
            r"(?i)incorrect api key provided: ([^\s,;]+)",
            r"://[^/\s:@]+:([^@\s/]+)@",
        ];
        forms.iter().filter_map(|form| regex::Regex::new(form).ok()).collect()
    });
    forms.iter().fold(text.to_string(), |text, form| {
        let replaced = form.replace_all(&text, |found: &regex::Captures<'_>| {
            let whole = found.get(0).map_or("", |m| m.as_str());
            match found.get(1) {
                Some(inner) if inner.as_str() != HIDDEN => {
                    whole.replacen(inner.as_str(), HIDDEN, 1)
                }
                _ => whole.to_string(),
            }
        });
        replaced.into_owned()
    })
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
        let reference = json!({"auth": {"secretRef": {"name": "openai-key"}}});
        assert_eq!(object(&reference), reference);
    }
}
