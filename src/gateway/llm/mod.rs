//! Model traffic: which form of API a path means, and how requests and answers are read and written again.

mod answer;
mod meter;
mod prompt;
mod sniff;

use serde_json::Value;

pub(super) use answer::read as read_answer;
pub(super) use meter::Meter;
pub(super) use prompt::{Prompt, read as read_prompt};
use sniff::Sniffer;

use super::config::ProviderKind;

/// The most that is held of a request's body, and of an answer's (facts 9.6).
pub(super) const BODY_LIMIT: usize = 2 << 20;
/// Answers may be longer than prompts: a batch of embeddings is.
pub(super) const ANSWER_LIMIT: usize = 32 << 20;

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
    const ALL: [RouteType; 7] = [
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

    fn named(name: &str) -> Option<RouteType> {
        RouteType::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The provider's own path, used when its host is not overridden (facts 9.3).
    pub(super) fn default_path(self, provider: ProviderKind) -> Option<&'static str> {
        match (provider, self) {
            (ProviderKind::Openai, RouteType::Completions) => Some("/v1/chat/completions"),
            (ProviderKind::Openai, RouteType::Responses) => Some("/v1/responses"),
            (ProviderKind::Openai, RouteType::Embeddings) => Some("/v1/embeddings"),
            (
                ProviderKind::Openai,
                RouteType::Messages
                | RouteType::AnthropicTokenCount
                | RouteType::Models
                | RouteType::Passthrough,
            ) => None,
        }
    }

    /// Whether a provider takes this form, as it is or translated (facts 9.2).
    pub(super) fn is_taken_by(self, provider: ProviderKind) -> bool {
        self.default_path(provider).is_some()
    }

    /// `gen_ai.operation.name` of the access log.
    pub(super) fn operation(self) -> &'static str {
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
    pub(super) fn read(spec: &Value) -> Result<RouteTypes, String> {
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
    pub(super) fn of(&self, path: &str) -> RouteType {
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

/// Tokens of a call, as far as the answer said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub model: Option<String>,
    pub input: Option<u64>,
    pub output: Option<u64>,
}

impl Usage {
    /// What a token limit counts.
    pub fn tokens(&self) -> u64 {
        let (input, output) = (self.input.unwrap_or(0), self.output.unwrap_or(0));
        input.saturating_add(output)
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
