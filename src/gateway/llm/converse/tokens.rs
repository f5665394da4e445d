//! What a call to Converse has cost, in the form of each API.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::gateway::llm::answer::{CompletionUsage, MessageUsage};

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Tokens {
    #[serde(rename = "inputTokens")]
    pub input: u64,
    #[serde(rename = "outputTokens")]
    pub output: u64,
    #[serde(rename = "totalTokens")]
    pub total: u64,
    #[serde(rename = "cacheReadInputTokens")]
    pub cache_read: Option<u64>,
    #[serde(rename = "cacheWriteInputTokens")]
    pub cache_written: Option<u64>,
}

impl Tokens {
    pub fn completion(self) -> CompletionUsage {
        let usage =
            CompletionUsage::counted(self.input, self.output, self.cache_read, self.cache_written);
        CompletionUsage {
            total_tokens: self.total,
            ..usage
        }
    }

    pub fn message(self) -> MessageUsage {
        let mut rest = Map::new();
        for (field, tokens) in [
            ("cache_creation_input_tokens", self.cache_written),
            ("cache_read_input_tokens", self.cache_read),
        ] {
            rest.extend(tokens.map(|tokens| (field.to_string(), tokens.into())));
        }
        MessageUsage {
            input_tokens: self.input,
            output_tokens: self.output,
            rest,
        }
    }

    /// In the order of OpenAI's own types.
    pub fn response(self) -> Value {
        json!({"input_tokens": self.input, "input_tokens_details": {"cached_tokens": self.cache_read.unwrap_or(0)},
            "output_tokens": self.output, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input.saturating_add(self.output)})
    }
}

/// Where Bedrock counts nothing.
pub const NOTHING: Tokens = Tokens {
    input: 0,
    output: 0,
    total: 0,
    cache_read: None,
    cache_written: None,
};
