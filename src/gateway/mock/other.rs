//! What the mock says besides chat: models, embeddings, responses.

use http::StatusCode;
use serde_json::{Value, json};

use super::{FINGERPRINT, MODEL, Said, model, now, refuse, reply, text_of, tokens};

pub(super) fn models() -> Said {
    let only = json!({"id": MODEL, "object": "model", "created": now(), "owned_by": FINGERPRINT});
    Said::Json(StatusCode::OK, json!({"object": "list", "data": [only]}))
}

/// Vectors that mean nothing, but are the same for the same text.
pub(super) fn embed(request: &Value) -> Said {
    let texts: Vec<&str> = match &request["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => return refuse(StatusCode::BAD_REQUEST, "mock: input is missing"),
    };
    let vector = |(index, text): (usize, &&str)| {
        let words = tokens(text) as f64;
        let letters = text.chars().count() as f64;
        let length = (words * words + letters * letters).sqrt().max(1.0);
        json!({"object": "embedding", "index": index, "embedding": [words / length, letters / length]})
    };
    let data: Vec<Value> = texts.iter().enumerate().map(vector).collect();
    let count: usize = texts.iter().map(|text| tokens(text)).sum();
    let usage = json!({"prompt_tokens": count, "total_tokens": count});
    Said::Json(
        StatusCode::OK,
        json!({"object": "list", "data": data, "model": model(request), "usage": usage, "system_fingerprint": FINGERPRINT}),
    )
}

/// The Responses API, whole answers only.
pub(super) fn respond(request: &Value) -> Said {
    if request["stream"] == json!(true) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "mock: responses are not streamed here",
        );
    }
    let asked = match &request["input"] {
        Value::String(text) => text.clone(),
        Value::Array(items) => items
            .last()
            .map_or(String::new(), |item| text_of(&item["content"])),
        _ => return refuse(StatusCode::BAD_REQUEST, "mock: input is missing"),
    };
    let text = reply(&asked);
    let (input, output) = (tokens(&asked), tokens(&text));
    let content = json!({"type": "output_text", "text": text, "annotations": []});
    let message = json!({"type": "message", "id": "msg_gatewright-mock", "role": "assistant", "status": "completed", "content": [content]});
    let answer = json!({
        "id": "resp_gatewright-mock",
        "object": "response",
        "created_at": now(),
        "status": "completed",
        "model": model(request),
        "output": [message],
        "usage": {"input_tokens": input, "output_tokens": output, "total_tokens": input + output},
        "system_fingerprint": FINGERPRINT,
    });
    Said::Json(StatusCode::OK, answer)
}
