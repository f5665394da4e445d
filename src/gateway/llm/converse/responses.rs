//! Converse's stream as the events of OpenAI's Responses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::event::{Delta, Event, Start};
use super::frame::Frames;
use super::reason::StopReason;
use super::tokens::Tokens;
use crate::gateway::clock;
use crate::gateway::llm::Usage;
use crate::gateway::llm::stream::{Translator, write_event};

/// From Converse's events to those of Responses, in the order of the real proxy's.
pub struct ResponseEvents {
    frames: Frames,
    state: State,
}

struct State {
    id: String,
    message_id: String,
    model: String,
    created: u64,
    number: u64,
    /// Calls of tools that are being told: their arguments so far.
    calls: BTreeMap<u64, Call>,
    reason: Option<StopReason>,
    usage: Usage,
}

struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl ResponseEvents {
    pub fn new(model: &str) -> ResponseEvents {
        ResponseEvents {
            frames: Frames::default(),
            state: State {
                id: format!("resp_{:016x}", rand::random::<u64>()),
                message_id: format!("msg_{:016x}", rand::random::<u64>()),
                model: model.to_string(),
                created: clock::unix(),
                number: 0,
                calls: BTreeMap::new(),
                reason: None,
                usage: Usage::default(),
            },
        }
    }
}

impl Translator for ResponseEvents {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let ResponseEvents { frames, state } = self;
        frames.push(piece, |frame| match Event::read(frame) {
            Some(event) => state.event(event, out),
            None => {
                let fields =
                    json!({"code": null, "message": "Stream processing error", "param": null});
                state.write(out, "error", fields);
            }
        });
    }

    fn usage(&self) -> &Usage {
        &self.state.usage
    }
}

impl State {
    /// Every event begins with its type and number. Its name is the same for all in the real proxy.
    fn write(&mut self, out: &mut Vec<u8>, kind: &str, fields: Value) {
        self.number += 1;
        let mut event = Map::new();
        event.insert("type".to_string(), kind.into());
        event.insert("sequence_number".to_string(), self.number.into());
        if let Value::Object(fields) = fields {
            event.extend(fields);
        }
        let name = if kind == "error" { "error" } else { "event" };
        write_event(out, name, Value::Object(event).to_string().as_bytes());
    }

    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::MessageStart => {
                let response = self.response("in_progress", None, None);
                self.write(out, "response.created", json!({"response": response}));
                let item = self.message("in_progress");
                self.write(
                    out,
                    "response.output_item.added",
                    json!({"output_index": 0, "item": item}),
                );
            }
            Event::BlockStart { index, start } => self.begin(index, start, out),
            Event::BlockDelta { index, delta } => self.delta(index, delta, out),
            Event::BlockStop { index } => self.finish(index, out),
            Event::MessageStop(reason) => self.reason = Some(reason),
            Event::Metadata(tokens) => self.end(tokens, out),
        }
    }

    fn response(&self, status: &str, why: Option<(&str, Value)>, usage: Option<Value>) -> Value {
        let mut response = json!({"created_at": self.created, "id": self.id, "model": self.model,
            "object": "response", "output": [], "status": status});
        for (field, value) in why.into_iter().chain(usage.map(|usage| ("usage", usage))) {
            response[field] = value;
        }
        response
    }

    fn message(&self, status: &str) -> Value {
        json!({"type": "message", "content": [], "id": self.message_id, "role": "assistant", "status": status})
    }

    fn begin(&mut self, index: u64, start: Start, out: &mut Vec<u8>) {
        let Start::Tool { id, name } = start else {
            let part =
                json!({"type": "output_text", "annotations": [], "logprobs": null, "text": ""});
            let fields = json!({"item_id": self.message_id, "output_index": index, "content_index": 0, "part": part});
            return self.write(out, "response.content_part.added", fields);
        };
        let call = Call {
            id,
            name,
            arguments: String::new(),
        };
        let item = call.item("in_progress");
        self.calls.insert(index, call);
        self.write(
            out,
            "response.output_item.added",
            json!({"output_index": index, "item": item}),
        );
    }

    fn delta(&mut self, index: u64, delta: Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Thought(text) => {
                let fields = json!({"item_id": self.message_id, "output_index": index, "content_index": 0, "delta": text});
                self.write(out, "response.output_text.delta", fields);
            }
            Delta::ToolInput(text) => {
                let Some(call) = self.calls.get_mut(&index) else {
                    return;
                };
                call.arguments.push_str(&text);
                let fields = json!({"item_id": call.id, "output_index": index, "delta": text});
                self.write(out, "response.function_call_arguments.delta", fields);
            }
            Delta::Signature(_) | Delta::None => {}
        }
    }

    fn finish(&mut self, index: u64, out: &mut Vec<u8>) {
        let Some(call) = self.calls.remove(&index) else {
            return;
        };
        let fields = json!({"name": call.name, "item_id": call.id, "output_index": index, "arguments": call.arguments});
        self.write(out, "response.function_call_arguments.done", fields);
        let item = call.item("completed");
        self.write(
            out,
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
    }

    fn end(&mut self, tokens: Option<Tokens>, out: &mut Vec<u8>) {
        let item = self.message("completed");
        self.write(
            out,
            "response.output_item.done",
            json!({"output_index": 0, "item": item}),
        );
        if let Some(tokens) = tokens {
            self.usage.input = Some(tokens.input);
            self.usage.output = Some(tokens.output);
        }
        let (status, why) = self.reason.take().unwrap_or(StopReason::EndTurn).status();
        let response = self.response(status, why, tokens.map(Tokens::response));
        self.write(
            out,
            &format!("response.{status}"),
            json!({"response": response}),
        );
    }
}

impl Call {
    fn item(&self, status: &str) -> Value {
        json!({"type": "function_call", "arguments": self.arguments, "call_id": self.id, "name": self.name,
            "id": self.id, "status": status})
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::written;
    use super::*;

    #[test]
    fn a_call_of_a_tool_is_told_as_openai_tells_it() {
        let (mut events, mut out) = (ResponseEvents::new("m"), Vec::new());
        events.state.id = "r".to_string();
        events.state.message_id = "i".to_string();
        events.state.created = 123;
        for (event, payload) in [
            ("messageStart", r#"{"role":"assistant"}"#),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":"pong"}}"#,
            ),
            (
                "contentBlockStart",
                r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#,
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}}"#,
            ),
            ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
            ("messageStop", r#"{"stopReason":"tool_use"}"#),
            (
                "metadata",
                r#"{"usage":{"inputTokens":150,"outputTokens":45,"totalTokens":195}}"#,
            ),
        ] {
            events.push(&written(event, payload), &mut out);
        }
        let expected = [
            r#"{"type":"response.created","sequence_number":1,"response":{"created_at":123,"id":"r","model":"m","object":"response","output":[],"status":"in_progress"}}"#,
            r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"type":"message","content":[],"id":"i","role":"assistant","status":"in_progress"}}"#,
            r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"i","output_index":0,"content_index":0,"delta":"pong"}"#,
            r#"{"type":"response.output_item.added","sequence_number":4,"output_index":1,"item":{"type":"function_call","arguments":"","call_id":"t","name":"f","id":"t","status":"in_progress"}}"#,
            r#"{"type":"response.function_call_arguments.delta","sequence_number":5,"item_id":"t","output_index":1,"delta":"{}"}"#,
            r#"{"type":"response.function_call_arguments.done","sequence_number":6,"name":"f","item_id":"t","output_index":1,"arguments":"{}"}"#,
            r#"{"type":"response.output_item.done","sequence_number":7,"output_index":1,"item":{"type":"function_call","arguments":"{}","call_id":"t","name":"f","id":"t","status":"completed"}}"#,
            r#"{"type":"response.output_item.done","sequence_number":8,"output_index":0,"item":{"type":"message","content":[],"id":"i","role":"assistant","status":"completed"}}"#,
            r#"{"type":"response.completed","sequence_number":9,"response":{"created_at":123,"id":"r","model":"m","object":"response","output":[],"status":"completed","usage":{"input_tokens":150,"input_tokens_details":{"cached_tokens":0},"output_tokens":45,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":195}}}"#,
        ];
        let expected: String = expected
            .iter()
            .map(|data| format!("event: event\ndata: {data}\n\n"))
            .collect();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
