//! Which form of API a request's path stands for (facts 9.2).

use serde_json::Value;

/// The form of API that a request speaks (facts 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteType {
    Completions,
    Messages,
    Responses,
    Embeddings,
    AnthropicTokenCount,
    Models,
    Passthrough,
}

impl RouteType {
    pub(super) const ALL: [RouteType; 7] = [
        RouteType::Completions,
        RouteType::Messages,
        RouteType::Responses,
        RouteType::Embeddings,
        RouteType::AnthropicTokenCount,
        RouteType::Models,
        RouteType::Passthrough,
    ];

    /// The name in `policies.ai.routes` and in messages.
    pub fn name(self) -> &'static str {
        match self {
            RouteType::Completions => "Completions",
            RouteType::Messages => "Messages",
            RouteType::Responses => "Responses",
            RouteType::Embeddings => "Embeddings",
            RouteType::AnthropicTokenCount => "AnthropicTokenCount",
            RouteType::Models => "Models",
            RouteType::Passthrough => "Passthrough",
        }
    }

    /// The name in `unsupported conversion to ...`: that of the body's form (facts 9.2).
    pub fn format(self) -> &'static str {
        match self {
            RouteType::AnthropicTokenCount => "CountTokens",
            other => other.name(),
        }
    }

    fn named(name: &str) -> Option<RouteType> {
        RouteType::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// `gen_ai.operation.name` of the access log.
    pub fn operation(self) -> &'static str {
        match self {
            RouteType::Embeddings => "embeddings",
            _ => "chat",
        }
    }
}

/// `policies.ai.routes`: path suffixes, longest first; `*` last; Completions otherwise (facts 9.2).
#[derive(Debug, Default)]
pub struct RouteTypes {
    suffixes: Vec<(String, RouteType)>,
    otherwise: Option<RouteType>,
}

impl RouteTypes {
    pub fn read(spec: &Value) -> Result<RouteTypes, String> {
        let mut types = RouteTypes::default();
        for (suffix, name) in spec.as_object().into_iter().flatten() {
            let name = name.as_str().unwrap_or("");
            let Some(kind) = RouteType::named(name) else {
                return Err(format!("unknown route type {name:?}"));
            };
            match suffix.as_str() {
                "*" => types.otherwise = Some(kind),
                suffix => types.suffixes.push((suffix.to_string(), kind)),
            }
        }
        types
            .suffixes
            .sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(types)
    }

    /// The type of a path without its query.
    pub fn of(&self, path: &str) -> RouteType {
        let found = self
            .suffixes
            .iter()
            .find(|(suffix, _)| path.ends_with(suffix));
        found
            .map(|(_, kind)| *kind)
            .or(self.otherwise)
            .unwrap_or(RouteType::Completions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_longest_suffix_decides() {
        let types = RouteTypes::read(&json!({"/v1/messages": "Messages",
            "/v1/messages/count_tokens": "AnthropicTokenCount", "/completions": "Responses",
            "/v1/chat/completions": "Completions", "*": "Passthrough"}));
        let types = types.unwrap();
        let table = [
            ("/v1/messages", RouteType::Messages),
            (
                "/x/v1/messages/count_tokens",
                RouteType::AnthropicTokenCount,
            ),
            ("/v1/chat/completions", RouteType::Completions),
            ("/completions", RouteType::Responses),
            ("/v1/models", RouteType::Passthrough),
        ];
        for (path, expected) in table {
            assert_eq!(types.of(path), expected, "{path}");
        }
        assert_eq!(
            RouteTypes::default().of("/v1/models"),
            RouteType::Completions
        );
        assert!(RouteTypes::read(&json!({"/x": "Realtime"})).is_err());
    }
}
