//! Chat completions of the mock, whole and streamed.

use http::StatusCode;
use serde_json::{Value, json};

use super::{FINGERPRINT, Said, model, now, refuse, reply, text_of, tokens};

const ID: &str = "chatcmpl-gatewright-mock";

pub(super) fn complete(request: &Value) -> Said {
    let Some(messages) = request.get("messages").and_then(Value::as_array) else {
        return refuse(StatusCode::BAD_REQUEST, "mock: messages is missing");
    };
    let texts: Vec<String> = messages
        .iter()
        .map(|message| text_of(&message["content"]))
        .collect();
    let content = reply(texts.last().map_or("", String::as_str));
    let prompt: usize = texts.iter().map(|text| tokens(text)).sum();
    let completion = tokens(&content);
    let usage = json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion});
    match request["stream"].as_bool() {
        Some(true) => Said::Stream(events(request, &content, usage)),
        _ => {
            let message = json!({"role": "assistant", "content": content});
            let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
            let mut answer = base(request, "chat.completion", json!([choice]));
            answer["usage"] = usage;
            Said::Json(StatusCode::OK, answer)
        }
    }
}

fn base(request: &Value, object: &str, choices: Value) -> Value {
    json!({"id": ID, "object": object, "created": now(), "model": model(request),
        "system_fingerprint": FINGERPRINT, "choices": choices})
}

fn events(request: &Value, content: &str, usage: Value) -> Vec<Value> {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        base(request, "chat.completion.chunk", json!([choice]))
    };
    let mut events = vec![chunk(
        json!({"role": "assistant", "content": ""}),
        Value::Null,
    )];
    let pieces = content.split_inclusive(' ');
    events.extend(pieces.map(|piece| chunk(json!({"content": piece}), Value::Null)));
    events.push(chunk(json!({}), json!("stop")));
    if request["stream_options"]["include_usage"] == json!(true) {
        let mut last = base(request, "chat.completion.chunk", json!([]));
        last["usage"] = usage;
        events.push(last);
    }
    events
}
