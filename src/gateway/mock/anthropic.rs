//! Anthropic's API: messages, whole and as events, and token counts. Vertex wraps the same.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, event};
use super::openai::halves;
use super::refusal::Refusal;
use super::text::{count, field, items, text_of, words};
use super::wit::{Asked, Choice, Thought, Tool, Turn, Who};
use super::{MADE, MODEL};

/// Whose wrapping a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping<'a> {
    None,
    /// Vertex: the model is in the path, and the body names the version.
    Vertex(&'a str),
}

pub(super) fn message(request: &Value, wrapping: Wrapping, mark: &str) -> Result<Answer, Refusal> {
    let asked = read(request, wrapping, mark)?;
    if asked.limit.is_none() {
        return Err(Refusal::bad("max_tokens: Field required"));
    }
    let thought = asked.think();
    Ok(match asked.stream {
        true => Answer::events(events(&asked, &thought)),
        false => Answer::ok(whole(&asked, &thought)),
    })
}

pub(super) fn count_tokens(request: &Value, wrapping: Wrapping) -> Result<Answer, Refusal> {
    let asked = read(request, wrapping, "")?;
    Ok(Answer::ok(json!({"input_tokens": asked.input})))
}

pub(super) fn models() -> Answer {
    let id = MODEL;
    Answer::ok(json!({"data": [one(id)], "has_more": false, "first_id": id, "last_id": id}))
}

pub(super) fn model(name: &str) -> Answer {
    Answer::ok(one(name))
}

fn one(name: &str) -> Value {
    json!({"type": "model", "id": name, "display_name": format!("{name} (a mock)"), "created_at": MADE})
}

fn read(request: &Value, wrapping: Wrapping, mark: &str) -> Result<Asked, Refusal> {
    let model = match wrapping {
        Wrapping::None => field(request, "model"),
        Wrapping::Vertex(_) if field(request, "anthropic_version").is_empty() => {
            return Err(Refusal::bad("anthropic_version: Field required"));
        }
        // The path of a count names no model; its body does.
        Wrapping::Vertex(path) if path.starts_with("count-tokens") => field(request, "model"),
        Wrapping::Vertex(model) => model,
    };
    if model.is_empty() {
        return Err(Refusal::bad("model: Field required"));
    }
    let Some(messages) = request.get("messages").and_then(Value::as_array) else {
        return Err(Refusal::bad("messages: Field required"));
    };
    if messages.is_empty() {
        return Err(Refusal::bad("messages: at least one message is required"));
    }
    let system = text_of(request.get("system").unwrap_or(&Value::Null));
    let mut turns = vec![Turn {
        who: Who::System,
        text: system,
    }];
    for message in messages {
        turns.extend(read_message(message)?);
    }
    let tools = items(request, "tools").filter_map(|tool| {
        let name = field(tool, "name").to_string();
        let schema = tool.get("input_schema")?.clone();
        Some(Tool { name, schema })
    });
    let choice = request.get("tool_choice").unwrap_or(&Value::Null);
    let mut asked = Asked {
        model: model.to_string(),
        tools: tools.collect(),
        choice: match field(choice, "type") {
            "any" => Choice::Any,
            "none" => Choice::Never,
            "tool" => Choice::Named(field(choice, "name").to_string()),
            _ => Choice::Auto,
        },
        limit: count(request, "max_tokens"),
        shape: request
            .pointer("/output_config/format/schema")
            .or(request.pointer("/output_format/schema"))
            .cloned(),
        stream: request.get("stream") == Some(&Value::Bool(true)),
        mark: mark.to_string(),
        ..Asked::default()
    };
    asked.hear(&turns);
    Ok(asked)
}

/// The turns of one message: results of tools stand in the user's.
fn read_message(message: &Value) -> Result<Vec<Turn>, Refusal> {
    let who = match field(message, "role") {
        "user" => Who::User,
        "assistant" => Who::Assistant,
        "system" => {
            return Err(Refusal::bad(
                "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.",
            ));
        }
        role => return Err(Refusal::bad(format!("messages: Unexpected role {role:?}"))),
    };
    let content = message.get("content").unwrap_or(&Value::Null);
    let text = text_of(content);
    let results = content
        .as_array()
        .into_iter()
        .flatten()
        .filter(|block| field(block, "type") == "tool_result");
    let results = results.map(|block| Turn {
        who: Who::Tool,
        text: text_of(block.get("content").unwrap_or(&Value::Null)),
    });
    let mut turns: Vec<Turn> = Vec::new();
    let results: Vec<Turn> = results.collect();
    // A message of results alone has no words of the user's own.
    if results.is_empty() || !text.is_empty() {
        turns.push(Turn { who, text });
    }
    turns.extend(results);
    Ok(turns)
}

fn stop(thought: &Thought) -> &'static str {
    match thought {
        Thought::Text { cut: false, .. } => "end_turn",
        Thought::Text { cut: true, .. } => "max_tokens",
        Thought::Call { .. } => "tool_use",
    }
}

fn usage(asked: &Asked, output: usize) -> Value {
    json!({"input_tokens": asked.input, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": output, "service_tier": "standard"})
}

fn block(asked: &Asked, thought: &Thought) -> Value {
    match thought {
        Thought::Text { text, .. } => json!({"type": "text", "text": text}),
        Thought::Call { name, arguments } => {
            json!({"type": "tool_use", "id": format!("toolu_mock_{}", asked.mark), "name": name, "input": arguments})
        }
    }
}

fn whole(asked: &Asked, thought: &Thought) -> Value {
    json!({"id": format!("msg_mock_{}", asked.mark), "type": "message", "role": "assistant", "model": asked.model,
        "content": [block(asked, thought)], "stop_reason": stop(thought), "stop_sequence": null,
        "usage": usage(asked, thought.tokens())})
}

fn events(asked: &Asked, thought: &Thought) -> Vec<Bytes> {
    let mut begun = whole(asked, thought);
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    begun["usage"] = usage(asked, 1);
    let mut empty = block(asked, thought);
    let deltas: Vec<Value> = match thought {
        Thought::Text { text, .. } => {
            empty["text"] = json!("");
            words(text)
                .map(|word| json!({"type": "text_delta", "text": word}))
                .collect()
        }
        Thought::Call { arguments, .. } => {
            empty["input"] = json!({});
            let arguments = arguments.to_string();
            halves(&arguments)
                .map(|half| json!({"type": "input_json_delta", "partial_json": half}))
                .to_vec()
        }
    };
    let mut list = vec![
        json!({"type": "message_start", "message": begun}),
        json!({"type": "content_block_start", "index": 0, "content_block": empty}),
        json!({"type": "ping"}),
    ];
    list.extend(
        deltas
            .into_iter()
            .map(|delta| json!({"type": "content_block_delta", "index": 0, "delta": delta})),
    );
    list.push(json!({"type": "content_block_stop", "index": 0}));
    let delta = json!({"stop_reason": stop(thought), "stop_sequence": null});
    list.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": thought.tokens()}}));
    list.push(json!({"type": "message_stop"}));
    list.iter()
        .map(|value| event(field(value, "type"), &value.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::answer::Content;
    use super::*;

    fn ask(more: Value) -> Value {
        let mut request = json!({"model": "claude", "max_tokens": 99, "messages": [{"role": "user", "content": "ping"}]});
        for (name, value) in more.as_object().unwrap() {
            request[name] = value.clone();
        }
        request
    }

    fn answer(request: &Value) -> Value {
        match message(request, Wrapping::None, "m").unwrap().content {
            Content::Json(value) => value,
            Content::Pieces { pieces, .. } => {
                let texts = pieces
                    .iter()
                    .map(|piece| String::from_utf8(piece.to_vec()).unwrap());
                texts
                    .map(|text| {
                        serde_json::from_str::<Value>(text.split_once("data: ").unwrap().1).unwrap()
                    })
                    .collect()
            }
            _ => panic!("neither an answer nor a stream"),
        }
    }

    #[test]
    fn a_message_is_answered_with_its_counts() {
        let answer = answer(&ask(
            json!({"system": [{"type": "text", "text": "be brief"}]}),
        ));
        assert_eq!(
            answer["content"],
            json!([{"type": "text", "text": "mock: pong"}])
        );
        assert_eq!(
            (&answer["usage"]["input_tokens"], &answer["stop_reason"]),
            (&json!(3), &json!("end_turn"))
        );
    }

    /// Order: Anthropic's reference of streaming messages.
    #[test]
    fn events_come_in_their_order() {
        let events = answer(&ask(json!({"stream": true})));
        let names: Vec<&str> = events
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        let expected = [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_tool_round_is_a_call_and_then_words() {
        let tools = json!([{"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "number"}}}}]);
        let first = answer(&ask(
            json!({"tools": tools, "messages": [{"role": "user", "content": "add 2"}]}),
        ));
        assert_eq!(
            (&first["content"][0]["input"], &first["stop_reason"]),
            (&json!({"a": 2}), &json!("tool_use"))
        );
        let messages = json!([{"role": "user", "content": "add 2"}, {"role": "assistant", "content": first["content"]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": [{"type": "text", "text": "4"}]}]}]);
        let second = answer(&ask(json!({"tools": tools, "messages": messages})));
        assert_eq!(second["content"][0]["text"], "mock: the tool said 4");
    }

    /// What Anthropic refuses with 400.
    #[test]
    fn what_the_api_requires_is_required() {
        for (field, said) in [
            ("model", "model: Field required"),
            ("max_tokens", "max_tokens: Field required"),
            ("messages", "messages: Field required"),
        ] {
            let mut request = ask(json!({}));
            request.as_object_mut().unwrap().remove(field);
            let refusal = message(&request, Wrapping::None, "m").err().unwrap();
            assert_eq!(
                (refusal.status.as_u16(), refusal.message.as_str()),
                (400, said)
            );
        }
        let vertex = message(&ask(json!({})), Wrapping::Vertex("claude"), "m")
            .err()
            .unwrap();
        assert_eq!(vertex.message, "anthropic_version: Field required");
    }
}
