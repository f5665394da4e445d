//! Anthropic's answers as Completions.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::gateway::clock;
use crate::gateway::llm::answer::{Choice, ChoiceMessage, Completion, CompletionUsage};
use crate::gateway::llm::failure;

/// A whole answer, in the order in which the real proxy names what is missing.
#[derive(Debug, Deserialize)]
#[serde(expecting = "struct MessagesResponse")]
pub struct Message {
    id: String,
    #[serde(rename = "type")]
    _type: String,
    #[serde(rename = "role")]
    _role: Role,
    content: Vec<Block>,
    model: String,
    stop_reason: Option<StopReason>,
    #[serde(rename = "stop_sequence")]
    _stop_sequence: Option<String>,
    usage: Tokens,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    User,
    Assistant,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    Thinking {
        thinking: String,
    },
    #[serde(alias = "server_tool_use")]
    ToolUse {
        id: String,
        name: String,
        input: Value,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StopReason {
    EndTurn,
    MaxTokens,
    StopSequence,
    ToolUse,
    Refusal,
    PauseTurn,
    ModelContextWindowExceeded,
}

impl StopReason {
    fn finish(self) -> &'static str {
        match self {
            StopReason::EndTurn | StopReason::StopSequence | StopReason::PauseTurn => "stop",
            StopReason::MaxTokens | StopReason::ModelContextWindowExceeded => "length",
            StopReason::ToolUse => "tool_calls",
            StopReason::Refusal => "content_filter",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "struct Usage")]
struct Tokens {
    input_tokens: u64,
    output_tokens: u64,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

/// Reads a whole answer of Anthropic's as a completion.
pub fn read(body: &[u8]) -> serde_json::Result<Completion> {
    serde_json::from_slice(body).map(Message::into_completion)
}

impl Message {
    /// The last text, all calls of tools, and the usage (facts 9.6).
    fn into_completion(self) -> Completion {
        let (mut content, mut calls, mut reasoning) = (None, Vec::new(), None);
        for block in self.content {
            match block {
                Block::Text { text } => content = Some(text),
                Block::Thinking { thinking } => reasoning = Some(thinking),
                Block::ToolUse { id, name, input } => calls
                    .push(json!({"type": "function", "id": id,
                    "function": {"name": name, "arguments": input.to_string()}})),
                Block::Unknown => {}
            }
        }
        let mut message = ChoiceMessage::of_assistant(content);
        if !calls.is_empty() {
            message.rest.insert("tool_calls".to_string(), calls.into());
        }
        if let Some(reasoning) = reasoning {
            message
                .rest
                .insert("reasoning_content".to_string(), reasoning.into());
        }
        let choice = Choice::only(message, self.stop_reason.map(StopReason::finish));
        let usage = CompletionUsage::counted(
            self.usage.input_tokens,
            self.usage.output_tokens,
            self.usage.cache_read_input_tokens,
            self.usage.cache_creation_input_tokens,
        );
        Completion::made(self.id, clock::unix(), self.model, choice, usage)
    }
}

#[derive(Deserialize)]
#[serde(expecting = "struct MessagesErrorResponse")]
struct Failure {
    #[serde(rename = "type")]
    _type: String,
    error: FailureError,
}

#[derive(Deserialize)]
#[serde(expecting = "struct MessagesError")]
struct FailureError {
    #[serde(rename = "type")]
    _type: String,
    message: String,
}

/// Reads an error of Anthropic's as one of OpenAI's.
pub fn read_error(body: &[u8]) -> serde_json::Result<Bytes> {
    let failure: Failure = serde_json::from_slice(body)?;
    failure::openai(&failure.error.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    fn translated(body: &str) -> String {
        let mut completion = read(body.as_bytes()).unwrap();
        completion.rest.insert("created".to_string(), 123.into());
        serde_json::to_string(&completion).unwrap()
    }

    #[test]
    fn a_message_becomes_a_completion_in_the_recorded_order() {
        // Recording `cloud-anthropic-chat`.
        let from = r#"{"id":"msg_mock","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"pong"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":4}}"#;
        assert_eq!(
            translated(from),
            r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13},"choices":[{"message":{"content":"pong","role":"assistant"},"index":0,"finish_reason":"stop"}],"id":"msg_mock","created":123,"object":"chat.completion"}"#
        );
    }

    #[test]
    fn calls_of_tools_and_thoughts_are_kept() {
        let from = r#"{"id":"i","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"redacted_thinking","data":"x"},{"type":"tool_use","id":"t","name":"f","input":{"x":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":3,"cache_read_input_tokens":4}}"#;
        assert_eq!(
            translated(from),
            r#"{"model":"m","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"cache_read_input_tokens":4,"cache_creation_input_tokens":3},"choices":[{"message":{"content":"b","role":"assistant","tool_calls":[{"type":"function","id":"t","function":{"name":"f","arguments":"{\"x\":1}"}}],"reasoning_content":"hm"},"index":0,"finish_reason":"tool_calls"}],"id":"i","created":123,"object":"chat.completion"}"#
        );
    }

    #[test]
    fn an_answer_of_another_form_is_told_in_serdes_words() {
        // Recordings `anthropic-chat` and `vertex-claude-chat`.
        let table = [
            (
                r#"{"id":"c","object":"x","model":"m","usage":{"prompt_tokens":9}}"#,
                "missing field `input_tokens` at line 1 column 62",
            ),
            (
                r#"{"id":"c","model":null}"#,
                "invalid type: null, expected a string at line 1 column 22",
            ),
        ];
        for (body, expected) in table {
            assert_eq!(
                read(body.as_bytes()).map(|_| ()).unwrap_err().to_string(),
                expected
            );
        }
    }

    #[test]
    fn an_error_keeps_only_its_message() {
        let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
        assert_eq!(
            read_error(body).unwrap(),
            r#"{"event_id":null,"error":{"type":"invalid_request_error","message":"busy"}}"#
        );
        let foreign = br#"{"error": {"message": "mock upstream failure", "type": "server_error"}}"#;
        assert_eq!(
            read_error(foreign).unwrap_err().to_string(),
            "missing field `type` at line 1 column 71"
        );
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read_error(&bytes);
        }
    }
}
