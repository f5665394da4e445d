//! Converse's whole answers in the form that the client asked for.

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value, json};

use super::reason::StopReason;
use super::tokens::{NOTHING, Tokens};
use crate::gateway::clock;
use crate::gateway::llm::RouteType;
use crate::gateway::llm::answer::{
    Answer, Choice, ChoiceMessage, Completion, Message, MessageContent, Response, ResponseUsage,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "struct ConverseResponse")]
struct Converse {
    output: Option<Output>,
    stop_reason: StopReason,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Output {
    message: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    content: Vec<Block>,
}

/// One of these is set.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    text: Option<String>,
    tool_use: Option<ToolUse>,
    reasoning_content: Option<Reasoning>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse {
    tool_use_id: String,
    name: String,
    input: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning {
    reasoning_text: Option<ReasoningText>,
    /// An older form.
    text: Option<String>,
}

#[derive(Deserialize)]
struct ReasoningText {
    text: String,
    signature: Option<String>,
}

/// Reads an answer; `model` is the one that was asked for, since Converse does not say.
pub fn read(kind: RouteType, body: &[u8], model: &str) -> serde_json::Result<Answer> {
    let answer: Converse = serde_json::from_slice(body)?;
    let said = answer.output.and_then(|output| output.message);
    let content = said
        .ok_or_else(|| serde_json::Error::custom("incomplete response"))?
        .content;
    let (reason, usage) = (answer.stop_reason, answer.usage.unwrap_or(NOTHING));
    Ok(match kind {
        RouteType::Messages => Answer::Message(message(content, reason, usage, model)),
        RouteType::Responses => Answer::Response(response(content, reason, usage, model)),
        _ => Answer::Completion(completion(content, reason, usage, model)),
    })
}

impl Reasoning {
    fn into_parts(self) -> (String, String) {
        match (self.reasoning_text, self.text) {
            (Some(text), _) => (text.text, text.signature.unwrap_or_default()),
            (None, text) => (text.unwrap_or_default(), String::new()),
        }
    }
}

fn completion(content: Vec<Block>, reason: StopReason, usage: Tokens, model: &str) -> Completion {
    let (mut text, mut calls, mut reasoning) = (None, Vec::new(), None);
    for block in content {
        text = block.text.or(text);
        if let Some(call) = block.tool_use {
            calls.push(json!({"type": "function", "id": call.tool_use_id,
                "function": {"name": call.name, "arguments": call.input.to_string()}}));
        }
        reasoning = block
            .reasoning_content
            .map(|thought| thought.into_parts().0)
            .or(reasoning);
    }
    let mut message = ChoiceMessage::of_assistant(text);
    if !calls.is_empty() {
        message.rest.insert("tool_calls".to_string(), calls.into());
    }
    if let Some(reasoning) = reasoning {
        message
            .rest
            .insert("reasoning_content".to_string(), reasoning.into());
    }
    let id = format!("bedrock-{}", clock::unix_millis());
    let choice = Choice::only(message, Some(reason.finish()));
    Completion::made(
        id,
        clock::unix(),
        model.to_string(),
        choice,
        usage.completion(),
    )
}

fn message(content: Vec<Block>, reason: StopReason, usage: Tokens, model: &str) -> Message {
    let fields = |value: Value| match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let mut parts = Vec::with_capacity(content.len());
    for block in content {
        if let Some(text) = block.text {
            let rest = fields(json!({"type": "text"}));
            parts.push(MessageContent {
                text: Some(text),
                rest,
            });
        }
        if let Some(thought) = block.reasoning_content {
            let (thinking, signature) = thought.into_parts();
            let rest =
                fields(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
            parts.push(MessageContent { text: None, rest });
        }
        if let Some(call) = block.tool_use {
            let rest = fields(
                json!({"type": "tool_use", "id": call.tool_use_id, "name": call.name, "input": call.input}),
            );
            parts.push(MessageContent { text: None, rest });
        }
    }
    let rest = json!({"id": message_id(), "type": "message", "role": "assistant",
        "stop_reason": reason.anthropic(), "stop_sequence": null});
    Message {
        model: model.to_string(),
        usage: usage.message(),
        content: parts,
        rest: fields(rest),
    }
}

/// An id such as Anthropic gives.
pub fn message_id() -> String {
    format!(
        "msg_{:x}{:08x}",
        clock::unix_millis(),
        rand::random::<u32>()
    )
}

fn response(content: Vec<Block>, reason: StopReason, usage: Tokens, model: &str) -> Response {
    let (mut texts, mut calls) = (Vec::new(), Vec::new());
    for block in content {
        let thought = block
            .reasoning_content
            .map(|thought| thought.into_parts().0);
        for text in block.text.into_iter().chain(thought) {
            texts.push(
                json!({"type": "output_text", "annotations": [], "logprobs": null, "text": text}),
            );
        }
        if let Some(call) = block.tool_use {
            calls.push(json!({"type": "function_call", "arguments": call.input.to_string(), "call_id": call.tool_use_id,
                "name": call.name, "id": call.tool_use_id, "status": "completed"}));
        }
    }
    let mut output = Vec::new();
    if !texts.is_empty() {
        let id = format!("msg_{:016x}", rand::random::<u64>());
        output.push(json!({"type": "message", "content": texts, "id": id, "role": "assistant", "status": "completed"}));
    }
    output.extend(calls);
    let (status, why) = reason.status();
    let mut rest = Map::new();
    rest.insert("object".to_string(), "response".into());
    rest.insert("created_at".to_string(), clock::unix().into());
    rest.extend(why.map(|(field, why)| (field.to_string(), why)));
    let mut fields = Map::new();
    if let Value::Object(details) = usage.response() {
        fields.extend(
            details
                .into_iter()
                .filter(|(name, _)| !["input_tokens", "output_tokens"].contains(&name.as_str())),
        );
    }
    Response {
        id: format!("resp_{:016x}", rand::random::<u64>()),
        status: Some(status.into()),
        output,
        model: model.to_string(),
        usage: Some(ResponseUsage {
            input_tokens: usage.input,
            output_tokens: usage.output,
            rest: fields,
        }),
        rest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;

    const FULL: &str = r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"text":"pong"},{"toolUse":{"toolUseId":"1","name":"f","input":{"x":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13,"cacheReadInputTokens":2}}"#;

    fn read_as(kind: RouteType, body: &str) -> String {
        let answer = read(kind, body.as_bytes(), "m").unwrap();
        let mut body: Value = serde_json::from_slice(&answer.into_body().unwrap()).unwrap();
        let random =
            regex::Regex::new(r"^(bedrock-\d{13}|msg_[0-9a-f]{16,19}|resp_[0-9a-f]{16})$").unwrap();
        assert!(
            random.is_match(body["id"].as_str().unwrap()),
            "{}",
            body["id"]
        );
        body["id"] = json!("id");
        for field in ["created", "created_at"] {
            if let Some(time) = body.get_mut(field) {
                *time = json!(1);
            }
        }
        if let Some(id) = body.pointer_mut("/output/0/id") {
            *id = json!("id");
        }
        body.to_string()
    }

    #[test]
    fn an_answer_becomes_a_completion_in_the_recorded_order() {
        // Recording `cloud-bedrock-chat`.
        let body = r#"{"output": {"message": {"role": "assistant", "content": [{"text": "pong"}]}}, "stopReason": "end_turn", "usage": {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}}"#;
        assert_eq!(
            read_as(RouteType::Completions, body),
            r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13},"choices":[{"message":{"content":"pong","role":"assistant"},"index":0,"finish_reason":"stop"}],"id":"id","created":1,"object":"chat.completion"}"#
        );
    }

    #[test]
    fn calls_and_thoughts_are_in_every_form() {
        let table = [
            (
                RouteType::Completions,
                r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"cache_read_input_tokens":2},"choices":[{"message":{"content":"pong","role":"assistant","tool_calls":[{"type":"function","id":"1","function":{"name":"f","arguments":"{\"x\":1}"}}],"reasoning_content":"hm"},"index":0,"finish_reason":"tool_calls"}],"id":"id","created":1,"object":"chat.completion"}"#,
            ),
            (
                RouteType::Messages,
                r#"{"model":"m","usage":{"input_tokens":9,"output_tokens":4,"cache_read_input_tokens":2},"content":[{"type":"thinking","thinking":"hm","signature":"s"},{"text":"pong","type":"text"},{"type":"tool_use","id":"1","name":"f","input":{"x":1}}],"id":"id","type":"message","role":"assistant","stop_reason":"tool_use","stop_sequence":null}"#,
            ),
            (
                RouteType::Responses,
                r#"{"id":"id","status":"completed","output":[{"type":"message","content":[{"type":"output_text","annotations":[],"logprobs":null,"text":"hm"},{"type":"output_text","annotations":[],"logprobs":null,"text":"pong"}],"id":"id","role":"assistant","status":"completed"},{"type":"function_call","arguments":"{\"x\":1}","call_id":"1","name":"f","id":"1","status":"completed"}],"model":"m","usage":{"input_tokens":9,"output_tokens":4,"input_tokens_details":{"cached_tokens":2},"output_tokens_details":{"reasoning_tokens":0},"total_tokens":13},"object":"response","created_at":1}"#,
            ),
        ];
        for (kind, expected) in table {
            assert_eq!(read_as(kind, FULL), expected);
        }
    }

    #[test]
    fn an_answer_of_another_form_is_told_in_serdes_words() {
        let table = [
            (
                r#"{"output":null}"#,
                "missing field `stopReason` at line 1 column 15",
            ),
            (
                r#"{"output":{},"stopReason":"end_turn"}"#,
                "incomplete response",
            ),
        ];
        for (body, expected) in table {
            let error = read(RouteType::Completions, body.as_bytes(), "m").map(|_| ());
            assert_eq!(error.unwrap_err().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
            let _ = read(RouteType::Messages, &bytes, "m");
        }
    }
}
