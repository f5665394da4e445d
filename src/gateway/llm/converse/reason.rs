//! Why Converse has ended an answer, in the words of each API.

use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    ContentFiltered,
    EndTurn,
    GuardrailIntervened,
    MaxTokens,
    ModelContextWindowExceeded,
    StopSequence,
    ToolUse,
}

impl StopReason {
    /// In OpenAI's words.
    pub fn finish(self) -> &'static str {
        match self {
            StopReason::EndTurn | StopReason::StopSequence => "stop",
            StopReason::MaxTokens | StopReason::ModelContextWindowExceeded => "length",
            StopReason::ContentFiltered | StopReason::GuardrailIntervened => "content_filter",
            StopReason::ToolUse => "tool_calls",
        }
    }

    /// In Anthropic's words.
    pub fn anthropic(self) -> &'static str {
        match self {
            StopReason::EndTurn => "end_turn",
            StopReason::MaxTokens => "max_tokens",
            StopReason::ModelContextWindowExceeded => "model_context_window_exceeded",
            StopReason::StopSequence => "stop_sequence",
            StopReason::ToolUse => "tool_use",
            StopReason::ContentFiltered | StopReason::GuardrailIntervened => "refusal",
        }
    }

    /// How a response of OpenAI's has ended: its status, and the field that says why.
    pub fn status(self) -> (&'static str, Option<(&'static str, Value)>) {
        match self {
            StopReason::EndTurn | StopReason::StopSequence | StopReason::ToolUse => {
                ("completed", None)
            }
            StopReason::MaxTokens | StopReason::ModelContextWindowExceeded => {
                let why = json!({"reason": "max_output_tokens"});
                ("incomplete", Some(("incomplete_details", why)))
            }
            StopReason::ContentFiltered | StopReason::GuardrailIntervened => {
                let why =
                    json!({"code": "content_filter", "message": "Content filtered by guardrails"});
                ("failed", Some(("error", why)))
            }
        }
    }
}
