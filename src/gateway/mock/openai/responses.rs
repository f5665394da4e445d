//! The Responses API, whole and as events.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::CREATED;
use super::super::answer::{Answer, event};
use super::super::refusal::Refusal;
use super::super::text::{count, field, items, text_of, words};
use super::super::wit::{Asked, Thought, Turn, Who};
use super::stream::halves;
use super::{choice, model_of, tool};

pub(in crate::gateway::mock) fn respond(
    request: &Value,
    place: &str,
    mark: &str,
) -> Result<Answer, Refusal> {
    let asked = read(request, place, mark)?;
    let thought = asked.think();
    let item = item(&asked, &thought, "completed");
    let response = response(request, &asked, &thought, &item);
    match asked.stream {
        true => Ok(Answer::events(events(&response, &asked, &thought, &item))),
        false => Ok(Answer::ok(response)),
    }
}

fn read(request: &Value, place: &str, mark: &str) -> Result<Asked, Refusal> {
    let turns: Vec<Turn> = match request.get("input") {
        Some(Value::String(text)) => vec![Turn {
            who: Who::User,
            text: text.clone(),
        }],
        Some(Value::Array(items)) => items.iter().filter_map(turn).collect(),
        _ => return Err(Refusal::bad("mock: input is missing")),
    };
    let instructions = Turn {
        who: Who::System,
        text: field(request, "instructions").to_string(),
    };
    let turns: Vec<Turn> = [vec![instructions], turns].concat();
    let mut asked = Asked {
        model: model_of(request, place),
        tools: items(request, "tools").filter_map(tool).collect(),
        choice: choice(request.get("tool_choice").unwrap_or(&Value::Null)),
        limit: count(request, "max_output_tokens"),
        shape: request.pointer("/text/format/schema").cloned(),
        stream: request.get("stream") == Some(&Value::Bool(true)),
        mark: mark.to_string(),
        ..Asked::default()
    };
    asked.hear(&turns);
    Ok(asked)
}

/// A message or a tool's result; a call that was made before says nothing.
fn turn(item: &Value) -> Option<Turn> {
    let text = |name: &str| text_of(item.get(name).unwrap_or(&Value::Null));
    match field(item, "type") {
        "function_call_output" => Some(Turn {
            who: Who::Tool,
            text: text("output"),
        }),
        "message" | "" => {
            let who = match field(item, "role") {
                "system" | "developer" => Who::System,
                "assistant" => Who::Assistant,
                _ => Who::User,
            };
            Some(Turn {
                who,
                text: text("content"),
            })
        }
        _ => None,
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn item(asked: &Asked, thought: &Thought, status: &str) -> Value {
    let mark = &asked.mark;
    match thought {
        Thought::Text { text, .. } => json!({"type": "message", "id": format!("msg_mock_{mark}"),
            "status": status, "role": "assistant", "content": [part(text)]}),
        Thought::Call { name, arguments } => {
            json!({"type": "function_call", "id": format!("fc_mock_{mark}"),
            "status": status, "call_id": format!("call_mock_{mark}"), "name": name, "arguments": arguments.to_string()})
        }
    }
}

fn response(request: &Value, asked: &Asked, thought: &Thought, item: &Value) -> Value {
    let output = thought.tokens();
    let cut = matches!(thought, Thought::Text { cut: true, .. });
    let given = |name: &str, otherwise: Value| request.get(name).cloned().unwrap_or(otherwise);
    json!({
        "id": format!("resp_mock_{}", asked.mark),
        "object": "response",
        "created_at": CREATED,
        "status": if cut { "incomplete" } else { "completed" },
        "error": null,
        "incomplete_details": cut.then(|| json!({"reason": "max_output_tokens"})),
        "instructions": given("instructions", Value::Null),
        "max_output_tokens": given("max_output_tokens", Value::Null),
        "metadata": given("metadata", json!({})),
        "model": asked.model,
        "output": [item],
        "parallel_tool_calls": true,
        "previous_response_id": given("previous_response_id", Value::Null),
        "reasoning": {"effort": null, "summary": null},
        "store": false,
        "temperature": given("temperature", json!(1.0)),
        "text": given("text", json!({"format": {"type": "text"}})),
        "tool_choice": given("tool_choice", json!("auto")),
        "tools": given("tools", json!([])),
        "top_p": given("top_p", json!(1.0)),
        "truncation": "disabled",
        "usage": {"input_tokens": asked.input, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked.input + output},
    })
}

/// The events in the order of OpenAI's reference, numbered.
fn events(response: &Value, asked: &Asked, thought: &Thought, done: &Value) -> Vec<Bytes> {
    let mut begun = response.clone();
    begun["status"] = json!("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    begun["incomplete_details"] = Value::Null;
    let id = &done["id"];
    let mut list = vec![
        ("response.created", json!({"response": begun})),
        ("response.in_progress", json!({"response": begun})),
    ];
    let mut empty = item(asked, thought, "in_progress");
    match thought {
        Thought::Text { text, .. } => {
            let at = |more: Value| {
                with(
                    json!({"item_id": id, "output_index": 0, "content_index": 0}),
                    more,
                )
            };
            empty["content"] = json!([]);
            list.push((
                "response.output_item.added",
                json!({"output_index": 0, "item": empty}),
            ));
            list.push(("response.content_part.added", at(json!({"part": part("")}))));
            list.extend(words(text).map(|word| {
                (
                    "response.output_text.delta",
                    at(json!({"delta": word, "logprobs": []})),
                )
            }));
            list.push((
                "response.output_text.done",
                at(json!({"text": text, "logprobs": []})),
            ));
            list.push((
                "response.content_part.done",
                at(json!({"part": part(text)})),
            ));
        }
        Thought::Call { name, arguments } => {
            let at = |more: Value| with(json!({"item_id": id, "output_index": 0}), more);
            let arguments = arguments.to_string();
            empty["arguments"] = json!("");
            list.push((
                "response.output_item.added",
                json!({"output_index": 0, "item": empty}),
            ));
            let deltas = halves(&arguments).map(|half| {
                (
                    "response.function_call_arguments.delta",
                    at(json!({"delta": half})),
                )
            });
            list.extend(deltas);
            list.push((
                "response.function_call_arguments.done",
                at(json!({"name": name, "arguments": arguments})),
            ));
        }
    }
    list.push((
        "response.output_item.done",
        json!({"output_index": 0, "item": done}),
    ));
    let last = match response["status"] == "incomplete" {
        true => "response.incomplete",
        false => "response.completed",
    };
    list.push((last, json!({"response": response})));
    let numbered = list.into_iter().enumerate().map(|(number, (name, value))| {
        let value = with(json!({"type": name, "sequence_number": number}), value);
        event(name, &value.to_string())
    });
    numbered.collect()
}

/// An object with another's fields after its own.
fn with(mut value: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut value, more) {
        fields.extend(more);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::super::answer::Content;
    use super::*;

    fn events(request: Value) -> Vec<Value> {
        let Content::Pieces { pieces, .. } = respond(&request, "", "m").unwrap().content else {
            panic!("no stream");
        };
        let texts = pieces
            .iter()
            .map(|piece| String::from_utf8(piece.to_vec()).unwrap());
        texts
            .map(|text| serde_json::from_str(text.split_once("data: ").unwrap().1).unwrap())
            .collect()
    }

    #[test]
    fn an_answer_has_text_and_counts() {
        let answer = respond(&json!({"model": "r", "input": "ping"}), "", "m").unwrap();
        let Content::Json(answer) = answer.content else {
            panic!("no answer")
        };
        assert_eq!(answer["output"][0]["content"][0]["text"], "mock: pong");
        assert_eq!(answer["usage"]["total_tokens"], 3);
    }

    /// Names and order: OpenAI's reference of streaming events.
    #[test]
    fn events_come_in_their_order_and_numbered() {
        let events =
            events(json!({"input": [{"role": "user", "content": "ping"}], "stream": true}));
        let names: Vec<&str> = events
            .iter()
            .map(|event| {
                event["type"]
                    .as_str()
                    .unwrap()
                    .trim_start_matches("response.")
            })
            .collect();
        let expected = [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ];
        assert_eq!(names, expected);
        let numbers: Vec<u64> = events
            .iter()
            .map(|event| event["sequence_number"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (0..10).collect::<Vec<u64>>());
        assert_eq!(
            events[9]["response"]["output"][0]["content"][0]["text"],
            "mock: pong"
        );
    }

    #[test]
    fn a_tool_is_called_and_its_result_is_said() {
        let tools = json!([{"type": "function", "name": "add", "parameters": {"properties": {"a": {"type": "integer"}}}}]);
        let called = events(json!({"input": "add 4", "tools": tools, "stream": true}));
        assert_eq!(
            called.last().unwrap()["response"]["output"][0]["arguments"],
            r#"{"a":4}"#
        );
        let then = json!({"tools": tools, "input": [{"role": "user", "content": "add 4"},
            {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "5"}]});
        let Content::Json(answer) = respond(&then, "", "m").unwrap().content else {
            panic!("no answer")
        };
        assert_eq!(
            answer["output"][0]["content"][0]["text"],
            "mock: the tool said 5"
        );
    }
}
