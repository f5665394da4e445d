//! Chat completions as server-sent events.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::answer::data;
use super::super::text::words;
use super::super::wit::{Asked, Thought};
use super::chat::{base, call_id, finish, usage};

pub(super) fn chat(asked: &Asked, thought: &Thought, with_usage: bool) -> Vec<Bytes> {
    let chunk = |delta: Value, finish: Value| {
        let mut chunk = base(asked, "chat.completion.chunk");
        chunk["choices"] =
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        if with_usage {
            chunk["usage"] = Value::Null;
        }
        data(&chunk.to_string())
    };
    let mut events = Vec::new();
    match thought {
        Thought::Text { text, .. } => {
            events.push(chunk(
                json!({"role": "assistant", "content": "", "refusal": null}),
                Value::Null,
            ));
            events.extend(words(text).map(|word| chunk(json!({"content": word}), Value::Null)));
        }
        Thought::Call { name, arguments } => {
            let function = json!({"name": name, "arguments": ""});
            let call =
                json!({"index": 0, "id": call_id(asked), "type": "function", "function": function});
            events.push(chunk(
                json!({"role": "assistant", "content": null, "tool_calls": [call]}),
                Value::Null,
            ));
            for part in halves(&arguments.to_string()) {
                let call = json!({"index": 0, "function": {"arguments": part}});
                events.push(chunk(json!({"tool_calls": [call]}), Value::Null));
            }
        }
    }
    events.push(chunk(json!({}), json!(finish(thought))));
    if with_usage {
        let mut last = base(asked, "chat.completion.chunk");
        last["choices"] = json!([]);
        last["usage"] = usage(asked, thought);
        events.push(data(&last.to_string()));
    }
    events.push(data("[DONE]"));
    events
}

/// JSON comes in parts that are none by themselves, as it does from a model.
pub(in crate::gateway::mock) fn halves(text: &str) -> [&str; 2] {
    let middle = text.char_indices().nth(text.chars().count() / 2);
    let (first, second) = text.split_at(middle.map_or(0, |(at, _)| at));
    [first, second]
}
