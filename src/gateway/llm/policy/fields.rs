//! `overrides` and `defaults`: fields of a request that are set whatever the client says, or where
//! it says nothing (facts 9.5).

use serde_json::{Map, Value};

use crate::gateway::object::{dig, list, text};

/// The fields that one backend sets.
#[derive(Debug, Default)]
pub struct Fields {
    overrides: Vec<(String, Value)>,
    defaults: Vec<(String, Value)>,
}

impl Fields {
    /// Reads `policies.ai`.
    pub(in crate::gateway) fn read(spec: &Value) -> Fields {
        let pair = |pair: &Value| {
            let field = text(pair, &["field"]).to_string();
            (field, dig(pair, &["value"]).clone())
        };
        let pairs = |side: &str| list(spec, &[side]).iter().map(pair).collect();
        Fields {
            overrides: pairs("overrides"),
            defaults: pairs("defaults"),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.overrides.is_empty() && self.defaults.is_empty()
    }

    /// Overrides come first, so that a default never replaces one.
    pub fn fill(&self, request: &mut Map<String, Value>) {
        for (field, value) in &self.overrides {
            request.insert(field.clone(), value.clone());
        }
        for (field, value) in &self.defaults {
            let field = request.entry(field.clone());
            field.or_insert_with(|| value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn overrides_beat_the_client_and_the_client_beats_defaults() {
        let fields = Fields::read(&json!({
            "defaults": [{"field": "temperature", "value": 0.5}, {"field": "max_tokens", "value": 1},
                {"field": "top_p", "value": 0.1}],
            "overrides": [{"field": "max_tokens", "value": 7}, {"field": "user", "value": null}]}));
        let mut request = json!({"max_tokens": 999, "top_p": 0.9, "user": "me"});
        fields.fill(request.as_object_mut().unwrap());
        let expected = json!({"max_tokens": 7, "top_p": 0.9, "user": null, "temperature": 0.5});
        assert_eq!(request, expected);
        assert!(!fields.is_empty());
        assert!(Fields::read(&json!({})).is_empty());
    }
}
