//! A model's whole answer: read into its form, its usage noted, and written again in the order of
//! the real proxy's types (recordings: the response's body).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Dialect, RouteType, Usage, anthropic, converse};

/// An answer that was understood.
pub enum Answer {
    Completion(Completion),
    Message(Message),
    Response(Response),
    /// Goes out byte for byte: embeddings and counts of tokens (facts 16.3).
    Raw(Bytes, Usage),
}

impl Answer {
    pub fn usage(&self) -> Usage {
        match self {
            Answer::Completion(answer) => Usage {
                input: answer.usage.as_ref().map(|usage| usage.prompt_tokens),
                output: answer.usage.as_ref().map(|usage| usage.completion_tokens),
                model: Some(answer.model.clone()),
            },
            Answer::Message(answer) => Usage {
                input: Some(answer.usage.input_tokens),
                output: Some(answer.usage.output_tokens),
                model: Some(answer.model.clone()),
            },
            Answer::Response(answer) => Usage {
                input: answer.usage.as_ref().map(|usage| usage.input_tokens),
                output: answer.usage.as_ref().map(|usage| usage.output_tokens),
                model: Some(answer.model.clone()),
            },
            Answer::Raw(_, usage) => usage.clone(),
        }
    }

    pub fn into_body(self) -> serde_json::Result<Bytes> {
        match self {
            Answer::Completion(answer) => serde_json::to_vec(&answer).map(Bytes::from),
            Answer::Message(answer) => serde_json::to_vec(&answer).map(Bytes::from),
            Answer::Response(answer) => serde_json::to_vec(&answer).map(Bytes::from),
            Answer::Raw(body, _) => Ok(body),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "struct Response")]
pub struct Completion {
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<CompletionUsage>,
    #[serde(default)]
    pub choices: Vec<Choice>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub struct CompletionUsage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub struct Choice {
    pub message: ChoiceMessage,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub struct ChoiceMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Anthropic's, in the order of recording `antroutes-messages`.
#[derive(Serialize, Deserialize)]
#[serde(expecting = "struct Response")]
pub struct Message {
    pub model: String,
    pub usage: MessageUsage,
    pub content: Vec<MessageContent>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub struct MessageUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub struct MessageContent {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "struct Response")]
pub struct Response {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
    pub output: Vec<Value>,
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<ResponseUsage>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub struct ResponseUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(expecting = "struct Response")]
struct TokenCount {
    #[serde(rename = "input_tokens")]
    _input: u64,
}

#[derive(Deserialize)]
struct EmbeddingList {
    model: String,
    #[serde(default)]
    usage: Option<EmbeddingUsage>,
}

#[derive(Deserialize)]
struct EmbeddingUsage {
    #[serde(default)]
    prompt_tokens: u64,
}

impl Completion {
    /// One that is translated from another API's answer; `created` in seconds since 1970.
    pub fn made(
        id: String,
        created: u64,
        model: String,
        choice: Choice,
        usage: CompletionUsage,
    ) -> Completion {
        let mut rest = Map::new();
        rest.insert("id".to_string(), id.into());
        rest.insert("created".to_string(), created.into());
        rest.insert("object".to_string(), "chat.completion".into());
        Completion {
            model,
            usage: Some(usage),
            choices: vec![choice],
            rest,
        }
    }
}

impl Choice {
    pub fn only(message: ChoiceMessage, finish_reason: Option<&str>) -> Choice {
        let mut rest = Map::new();
        rest.insert("index".to_string(), 0.into());
        if let Some(reason) = finish_reason {
            rest.insert("finish_reason".to_string(), reason.into());
        }
        Choice { message, rest }
    }
}

impl ChoiceMessage {
    pub fn of_assistant(content: Option<String>) -> ChoiceMessage {
        ChoiceMessage {
            content,
            role: Some("assistant".to_string()),
            rest: Map::new(),
        }
    }
}

impl CompletionUsage {
    /// Tokens that were read from or written to a cache are told where the provider told them.
    pub fn counted(
        input: u64,
        output: u64,
        cache_read: Option<u64>,
        cache_written: Option<u64>,
    ) -> CompletionUsage {
        let mut rest = Map::new();
        for (field, tokens) in [
            ("cache_read_input_tokens", cache_read),
            ("cache_creation_input_tokens", cache_written),
        ] {
            if let Some(tokens) = tokens {
                rest.insert(field.to_string(), tokens.into());
            }
        }
        CompletionUsage {
            prompt_tokens: input,
            completion_tokens: output,
            total_tokens: input.saturating_add(output),
            rest,
        }
    }
}

/// Reads a provider's answer in the form that the client asked for; `model` is what it was asked of.
pub fn read(
    kind: RouteType,
    dialect: Dialect,
    model: &str,
    body: Bytes,
) -> serde_json::Result<Answer> {
    match (kind, dialect) {
        (RouteType::AnthropicTokenCount, Dialect::Converse) => {
            converse::read_count(&body).map(|body| Answer::Raw(body, Usage::default()))
        }
        (_, Dialect::Converse) => converse::read_answer(kind, &body, model),
        (RouteType::Completions, Dialect::Anthropic | Dialect::Vertex) => {
            anthropic::read_answer(&body).map(Answer::Completion)
        }
        (RouteType::Messages, _) => serde_json::from_slice(&body).map(Answer::Message),
        (RouteType::Responses, _) => response(&body),
        (RouteType::Embeddings, _) => embeddings(body),
        (RouteType::AnthropicTokenCount, _) => count(body),
        (RouteType::Completions | RouteType::Models | RouteType::Passthrough, _) => {
            serde_json::from_slice(&body).map(Answer::Completion)
        }
    }
}

/// A count goes out as it came; what is none is told, an error of the provider's too (agentgateway's
/// llm/types/count_tokens.rs).
fn count(body: Bytes) -> serde_json::Result<Answer> {
    let _: TokenCount = serde_json::from_slice(&body)?;
    Ok(Answer::Raw(body, Usage::default()))
}

fn response(body: &[u8]) -> serde_json::Result<Answer> {
    let mut answer: Response = serde_json::from_slice(body)?;
    answer.output.iter_mut().for_each(complete);
    Ok(Answer::Response(answer))
}

/// The real proxy's copy of an output item puts its type and content first, and has `logprobs` even
/// where there are none (recording `oairoutes-responses`).
fn complete(item: &mut Value) {
    for part in item
        .get_mut("content")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if part.get("type").and_then(Value::as_str) != Some("output_text") {
            continue;
        }
        if let Value::Object(fields) = part {
            fields.entry("logprobs").or_insert(Value::Null);
            lead(fields, &["type", "annotations", "logprobs", "text"]);
        }
    }
    if let Value::Object(fields) = item {
        lead(fields, &["type", "content", "id", "role", "status"]);
    }
}

/// Moves these fields to the front, in this order.
fn lead(fields: &mut Map<String, Value>, names: &[&str]) {
    let mut ordered = Map::new();
    for name in names {
        if let Some((name, value)) = fields.shift_remove_entry(*name) {
            ordered.insert(name, value);
        }
    }
    ordered.append(fields);
    *fields = ordered;
}

fn embeddings(body: Bytes) -> serde_json::Result<Answer> {
    let answer: EmbeddingList = serde_json::from_slice(&body)?;
    let usage = Usage {
        model: Some(answer.model),
        input: answer.usage.map(|usage| usage.prompt_tokens),
        output: None,
    };
    Ok(Answer::Raw(body, usage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    #[test]
    fn a_completion_is_written_in_the_recorded_order() {
        let from = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"pong"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}"#;
        let answer = read(
            RouteType::Completions,
            Dialect::Openai,
            "m",
            Bytes::from(from),
        )
        .unwrap();
        let usage = answer.usage();
        assert_eq!(
            answer.into_body().unwrap(),
            r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13},"choices":[{"message":{"content":"pong","role":"assistant"},"index":0,"finish_reason":"stop"}],"id":"c","object":"chat.completion","created":1}"#
        );
        let expected = Usage {
            model: Some("m".into()),
            input: Some(9),
            output: Some(4),
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn an_answer_of_another_form_is_told_in_serdes_words() {
        let error = read(
            RouteType::Completions,
            Dialect::Openai,
            "m",
            Bytes::from("{}"),
        )
        .map(|_| ())
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "missing field `model` at line 1 column 2"
        );
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
            for kind in RouteType::ALL {
                for dialect in Dialect::ALL {
                    let _ = read(kind, dialect, "m", Bytes::from(bytes.clone()));
                }
            }
        }
    }
}
