//! What people and providers send, with a few parts changed, in every form and to every provider.

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::{any, proptest};
use proptest::sample::Index;
use serde_json::{Value, json};

use super::converse::written;
use super::{Context, Dialect, RouteType, read_answer, read_error, read_prompt, translator};
use crate::gateway::mutant::mutant;

fn prompts() -> Vec<Value> {
    let picture = "data:image/png;base64,iVBORw0KGgo=";
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    vec![
        json!({"model": "m", "stream": true, "stream_options": {"include_usage": false}, "temperature": 0.5, "top_p": 1,
            "max_tokens": 9, "max_completion_tokens": 8, "stop": ["a"], "user": "u", "reasoning_effort": "high", "seed": 3,
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}}, "metadata": {"k": "v"},
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": picture}}]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "sunny"}]}),
        json!({"model": "m", "max_tokens": 9, "stream": false, "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
            "thinking": {"type": "enabled", "budget_tokens": 1024}, "stop_sequences": ["x"], "metadata": {"user_id": "u"},
            "tools": [{"name": "f", "description": "d", "input_schema": schema}], "tool_choice": {"type": "tool", "name": "f"},
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "t"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "r"}], "is_error": true}]}]}),
        json!({"model": "m", "instructions": "i", "max_output_tokens": 9, "stream": true, "reasoning": {"effort": "low"},
            "tools": [{"type": "function", "name": "f", "parameters": schema, "strict": true}], "tool_choice": "required",
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": picture}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "r"}]}),
        json!({"model": "m", "input": ["a", "b"], "dimensions": 3, "encoding_format": "base64"}),
    ]
}

fn answers() -> Vec<Value> {
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13});
    vec![
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage, "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "pong", "tool_calls": []}}]}),
        json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use", "stop_sequence": null,
            "content": [{"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": "t"},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}],
            "usage": {"input_tokens": 9, "output_tokens": 4, "cache_read_input_tokens": 1}}),
        json!({"output": {"message": {"role": "assistant", "content": [{"text": "t"}, {"toolUse": {"toolUseId": "c", "name": "f", "input": {}}},
            {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}}]}}, "stopReason": "tool_use",
            "usage": {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}, "metrics": {"latencyMs": 1}}),
        json!({"id": "r", "object": "response", "status": "completed", "model": "m", "created_at": 1,
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "t", "annotations": []}]}],
            "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}}),
        json!({"object": "list", "model": "m", "data": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}}),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
        json!({"message": "no access", "__type": "AccessDenied"}),
        json!({"inputTokens": 7}),
    ]
}

/// Events of every kind of stream, each with the name that Converse gives it.
fn events() -> Vec<Value> {
    let message =
        json!({"id": "m", "model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}});
    let event = |name: &str, data: Value| json!({"name": name, "data": data});
    vec![
        event("", json!({"type": "message_start", "message": message})),
        event(
            "",
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "t"}}),
        ),
        event(
            "",
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 9, "output_tokens": 4}}),
        ),
        event(
            "",
            json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "t"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        ),
        event("messageStart", json!({"role": "assistant"})),
        event(
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "c", "name": "f"}}}),
        ),
        event(
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{}"}}}),
        ),
        event(
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "t", "signature": "s"}}}),
        ),
        event(
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "t"}}),
        ),
        event("contentBlockStop", json!({"contentBlockIndex": 1})),
        event("messageStop", json!({"stopReason": "max_tokens"})),
        event(
            "metadata",
            json!({"usage": {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}}),
        ),
        event("modelStreamErrorException", json!({"message": "m"})),
    ]
}

fn every_pair() -> impl Iterator<Item = (RouteType, Dialect)> {
    let kinds = RouteType::ALL.into_iter();
    kinds.flat_map(|kind| Dialect::ALL.map(|dialect| (kind, dialect)))
}

/// The whole, and what is left of it when it is cut.
fn cut(value: &Value, at: &Index) -> [Bytes; 2] {
    let whole = Bytes::from(value.to_string());
    let part = whole.slice(..at.index(whole.len() + 1));
    [whole, part]
}

proptest! {
    #[test]
    fn no_change_to_a_prompt_makes_anything_panic(prompt in mutant(prompts()), at in any::<Index>()) {
        let headers = HeaderMap::new();
        let context = Context::of(&headers);
        for body in cut(&prompt, &at) {
            for (kind, dialect) in every_pair() {
                for said_again in [false, true] {
                    let Ok(mut prompt) = read_prompt(kind, &body) else {
                        continue;
                    };
                    if said_again {
                        let said = prompt.said();
                        prompt.set_said(&said);
                    }
                    // What a provider has no place for is an error of its own.
                    let _ = prompt.into_body(dialect, &context);
                }
            }
        }
    }

    #[test]
    fn no_change_to_an_answer_makes_anything_panic(answer in mutant(answers()), at in any::<Index>()) {
        for body in cut(&answer, &at) {
            for (kind, dialect) in every_pair() {
                if let Ok(mut answer) = read_answer(kind, dialect, "m", body.clone()) {
                    let said = answer.said();
                    answer.set_said(said);
                    answer.usage();
                    let _ = answer.into_body();
                }
                let _ = read_error(kind, dialect, body.clone());
            }
        }
    }

    #[test]
    fn no_change_to_a_stream_makes_anything_panic(
        events in proptest::collection::vec(mutant(events()), 0..6), at in any::<Index>(),
    ) {
        let (mut plain, mut framed) = (Vec::new(), Vec::new());
        for event in &events {
            let data = event["data"].to_string();
            plain.extend_from_slice(format!("data: {data}\n\n").as_bytes());
            let name = event["name"].as_str().unwrap_or("metadata");
            framed.extend_from_slice(&written(name, &data));
        }
        for stream in [plain, framed] {
            let (first, second) = stream.split_at(at.index(stream.len() + 1));
            for (kind, dialect) in every_pair() {
                let Some(mut translator) = translator(kind, dialect, "m", None) else {
                    continue;
                };
                let mut out = Vec::new();
                translator.push(first, &mut out);
                translator.push(second, &mut out);
            }
        }
    }
}
