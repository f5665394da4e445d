//! Bedrock's Converse API, whole and as a stream of AWS frames.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::Answer;
use super::frame::frame;
use super::openai::halves;
use super::refusal::Refusal;
use super::text::{count, field, items, text_of, words};
use super::wit::{Asked, Choice, Thought, Tool, Turn, Who};

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

pub(super) fn converse(
    request: &Value,
    model: &str,
    mark: &str,
    stream: bool,
) -> Result<Answer, Refusal> {
    let asked = read(request, model, mark)?;
    let thought = asked.think();
    Ok(match stream {
        true => Answer::pieces(EVENT_STREAM, events(&asked, &thought)),
        false => Answer::ok(whole(&asked, &thought)),
    })
}

/// The request is wrapped: `{"input": {"converse": {...}}}`, or a model's own form in base64, which
/// is counted as nothing.
pub(super) fn count_tokens(request: &Value, model: &str) -> Result<Answer, Refusal> {
    let count = match request.pointer("/input/converse") {
        Some(inner) => read(inner, model, "")?.input,
        None if request.pointer("/input/invokeModel").is_some() => 0,
        None => return Err(Refusal::bad("mock: input.converse is missing")),
    };
    Ok(Answer::ok(json!({"inputTokens": count})))
}

fn read(request: &Value, model: &str, mark: &str) -> Result<Asked, Refusal> {
    let Some(messages) = request.get("messages").and_then(Value::as_array) else {
        return Err(Refusal::bad(
            "1 validation error detected: Value null at 'messages' failed to satisfy constraint: Member must not be null",
        ));
    };
    let system = text_of(request.get("system").unwrap_or(&Value::Null));
    let mut turns = vec![Turn {
        who: Who::System,
        text: system,
    }];
    turns.extend(messages.iter().flat_map(read_message));
    let config = request.get("toolConfig").unwrap_or(&Value::Null);
    let tools = items(config, "tools").filter_map(|tool| {
        let spec = tool.get("toolSpec")?;
        let schema = spec.pointer("/inputSchema/json").unwrap_or(&Value::Null);
        Some(Tool {
            name: field(spec, "name").to_string(),
            schema: schema.clone(),
        })
    });
    let choice = config.get("toolChoice").unwrap_or(&Value::Null);
    let named = choice.pointer("/tool/name").and_then(Value::as_str);
    let mut asked = Asked {
        model: model.to_string(),
        tools: tools.collect(),
        choice: match named {
            Some(name) => Choice::Named(name.to_string()),
            None if choice.get("any").is_some() => Choice::Any,
            None => Choice::Auto,
        },
        limit: request
            .get("inferenceConfig")
            .and_then(|config| count(config, "maxTokens")),
        mark: mark.to_string(),
        ..Asked::default()
    };
    asked.hear(&turns);
    Ok(asked)
}

fn read_message(message: &Value) -> Vec<Turn> {
    let who = match field(message, "role") {
        "assistant" => Who::Assistant,
        _ => Who::User,
    };
    let results: Vec<Turn> = items(message, "content")
        .filter_map(|block| block.get("toolResult"))
        .map(|result| Turn {
            who: Who::Tool,
            text: result_text(result),
        })
        .collect();
    let text = text_of(message.get("content").unwrap_or(&Value::Null));
    match results.is_empty() {
        true => vec![Turn { who, text }],
        false => results,
    }
}

fn result_text(result: &Value) -> String {
    let parts = items(result, "content").map(|part| match part.get("json") {
        Some(json) => json.to_string(),
        None => field(part, "text").to_string(),
    });
    parts.collect::<Vec<_>>().join(" ")
}

fn stop(thought: &Thought) -> &'static str {
    match thought {
        Thought::Text { cut: false, .. } => "end_turn",
        Thought::Text { cut: true, .. } => "max_tokens",
        Thought::Call { .. } => "tool_use",
    }
}

fn usage(asked: &Asked, thought: &Thought) -> Value {
    let output = thought.tokens();
    json!({"inputTokens": asked.input, "outputTokens": output, "totalTokens": asked.input + output})
}

fn tool_id(asked: &Asked) -> String {
    format!("tooluse_mock_{}", asked.mark)
}

fn whole(asked: &Asked, thought: &Thought) -> Value {
    let block = match thought {
        Thought::Text { text, .. } => json!({"text": text}),
        Thought::Call { name, arguments } => {
            json!({"toolUse": {"toolUseId": tool_id(asked), "name": name, "input": arguments}})
        }
    };
    json!({"metrics": {"latencyMs": 1}, "output": {"message": {"content": [block], "role": "assistant"}},
        "stopReason": stop(thought), "usage": usage(asked, thought)})
}

fn events(asked: &Asked, thought: &Thought) -> Vec<Bytes> {
    let mut list = vec![("messageStart", json!({"role": "assistant"}))];
    let delta = |delta: Value| {
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": delta}),
        )
    };
    match thought {
        Thought::Text { text, .. } => {
            list.extend(words(text).map(|word| delta(json!({"text": word}))))
        }
        Thought::Call { name, arguments } => {
            let start = json!({"toolUse": {"name": name, "toolUseId": tool_id(asked)}});
            list.push((
                "contentBlockStart",
                json!({"contentBlockIndex": 0, "start": start}),
            ));
            let arguments = arguments.to_string();
            list.extend(halves(&arguments).map(|half| delta(json!({"toolUse": {"input": half}}))));
        }
    }
    list.push(("contentBlockStop", json!({"contentBlockIndex": 0})));
    list.push(("messageStop", json!({"stopReason": stop(thought)})));
    list.push((
        "metadata",
        json!({"metrics": {"latencyMs": 1}, "usage": usage(asked, thought)}),
    ));
    list.iter()
        .map(|(name, value)| frame(name, value.to_string().as_bytes()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::answer::Content;
    use super::*;

    #[test]
    fn converse_answers_and_counts() {
        let request = json!({"messages": [{"role": "user", "content": [{"text": "ping"}]}], "system": [{"text": "be brief"}]});
        let Content::Json(answer) = converse(&request, "m", "x", false).unwrap().content else {
            panic!("no answer")
        };
        assert_eq!(
            answer["output"]["message"]["content"],
            json!([{"text": "mock: pong"}])
        );
        assert_eq!(
            answer["usage"],
            json!({"inputTokens": 3, "outputTokens": 2, "totalTokens": 5})
        );
        let Content::Json(count) = count_tokens(&json!({"input": {"converse": request}}), "m")
            .unwrap()
            .content
        else {
            panic!("no count")
        };
        assert_eq!(count, json!({"inputTokens": 3}));
    }

    #[test]
    fn a_tool_is_called_and_its_result_is_said() {
        let schema = json!({"json": {"type": "object", "properties": {"a": {"type": "integer"}}}});
        let mut request = json!({"messages": [{"role": "user", "content": [{"text": "add 5"}]}],
            "toolConfig": {"tools": [{"toolSpec": {"name": "add", "inputSchema": schema}}]}});
        let Content::Json(answer) = converse(&request, "m", "x", false).unwrap().content else {
            panic!("no answer")
        };
        assert_eq!(
            answer["output"]["message"]["content"][0]["toolUse"]["input"],
            json!({"a": 5})
        );
        assert_eq!(answer["stopReason"], "tool_use");
        let result = json!({"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"sum": 5}}]}}]});
        request["messages"].as_array_mut().unwrap().push(result);
        let Content::Json(answer) = converse(&request, "m", "x", false).unwrap().content else {
            panic!("no answer")
        };
        assert_eq!(
            answer["output"]["message"]["content"][0]["text"],
            r#"mock: the tool said {"sum":5}"#
        );
    }
}
