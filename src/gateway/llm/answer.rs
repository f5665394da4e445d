//! A model's whole answer: read into its form, its usage noted, and written again in the order of
//! the real proxy's types (recordings: the response's body).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{RouteType, Usage};

/// An answer that was understood, and its bytes for the client.
pub struct Answer {
    pub body: Bytes,
    pub usage: Usage,
}

#[derive(Serialize, Deserialize)]
struct Completion {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<CompletionUsage>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct CompletionUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Choice {
    message: ChoiceMessage,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct ChoiceMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Response {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
    output: Vec<Value>,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<ResponseUsage>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct ResponseUsage {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(flatten)]
    rest: Map<String, Value>,
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

/// Reads an answer of the form that was asked for. Embeddings go out byte for byte (facts 16.3).
pub fn read(kind: RouteType, body: Bytes) -> serde_json::Result<Answer> {
    match kind {
        RouteType::Responses => response(&body),
        RouteType::Embeddings => embeddings(body),
        RouteType::Completions
        | RouteType::Messages
        | RouteType::AnthropicTokenCount
        | RouteType::Models
        | RouteType::Passthrough => completion(&body),
    }
}

fn completion(body: &Bytes) -> serde_json::Result<Answer> {
    let answer: Completion = serde_json::from_slice(body)?;
    let usage = Usage {
        input: answer.usage.as_ref().map(|usage| usage.prompt_tokens),
        output: answer.usage.as_ref().map(|usage| usage.completion_tokens),
        model: Some(answer.model.clone()),
    };
    let body = serde_json::to_vec(&answer)?.into();
    Ok(Answer { body, usage })
}

fn response(body: &Bytes) -> serde_json::Result<Answer> {
    let mut answer: Response = serde_json::from_slice(body)?;
    answer.output.iter_mut().for_each(complete);
    let usage = Usage {
        input: answer.usage.as_ref().map(|usage| usage.input_tokens),
        output: answer.usage.as_ref().map(|usage| usage.output_tokens),
        model: Some(answer.model.clone()),
    };
    let body = serde_json::to_vec(&answer)?.into();
    Ok(Answer { body, usage })
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
    Ok(Answer { body, usage })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    #[test]
    fn a_completion_is_written_in_the_recorded_order() {
        let from = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"pong"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}"#;
        let answer = read(RouteType::Completions, Bytes::from(from)).unwrap();
        assert_eq!(
            answer.body,
            r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13},"choices":[{"message":{"content":"pong","role":"assistant"},"index":0,"finish_reason":"stop"}],"id":"c","object":"chat.completion","created":1}"#
        );
        let expected = Usage {
            model: Some("m".into()),
            input: Some(9),
            output: Some(4),
        };
        assert_eq!(answer.usage, expected);
    }

    #[test]
    fn an_answer_of_another_form_is_told_in_serdes_words() {
        let error = read(RouteType::Completions, Bytes::from("{}"))
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
                let _ = read(kind, Bytes::from(bytes.clone()));
            }
        }
    }
}
