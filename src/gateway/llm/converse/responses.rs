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
    /// The message's text so far, once it has any. All blocks of text are one part of one message.
    text: Option<String>,
    /// Calls of tools that are being told: their arguments so far.
    calls: BTreeMap<u64, Call>,
    /// Calls that have been told.
    told: Vec<Value>,
    reason: Option<StopReason>,
    usage: Usage,
}

struct Call {
    /// Its place among the items: the message is always the first.
    place: usize,
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
                text: None,
                calls: BTreeMap::new(),
                told: Vec::new(),
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
                let response = self.response("in_progress", Vec::new());
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

    fn response(&self, status: &str, output: Vec<Value>) -> Value {
        json!({"created_at": self.created, "id": self.id, "model": self.model,
            "object": "response", "output": output, "status": status})
    }

    fn message(&self, status: &str) -> Value {
        let content: Vec<Value> = self.text.as_deref().map(part).into_iter().collect();
        json!({"type": "message", "content": content, "id": self.message_id, "role": "assistant", "status": status})
    }

    /// Fields of an event that concerns the message's only part.
    fn of_part(&self, field: &str, value: Value) -> Value {
        let mut fields = json!({"item_id": self.message_id, "output_index": 0, "content_index": 0});
        fields[field] = value;
        fields
    }

    fn begin(&mut self, index: u64, start: Start, out: &mut Vec<u8>) {
        let Start::Tool { id, name } = start else {
            return;
        };
        let call = Call {
            place: 1 + self.told.len() + self.calls.len(),
            id,
            name,
            arguments: String::new(),
        };
        let fields = json!({"output_index": call.place, "item": call.item("in_progress")});
        self.calls.insert(index, call);
        self.write(out, "response.output_item.added", fields);
    }

    fn delta(&mut self, index: u64, delta: Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Thought(text) => {
                if self.text.is_none() {
                    let fields = self.of_part("part", part(""));
                    self.write(out, "response.content_part.added", fields);
                }
                self.text.get_or_insert_default().push_str(&text);
                let fields = self.of_part("delta", text.into());
                self.write(out, "response.output_text.delta", fields);
            }
            Delta::ToolInput(text) => {
                let Some(call) = self.calls.get_mut(&index) else {
                    return;
                };
                call.arguments.push_str(&text);
                let fields = json!({"item_id": call.id, "output_index": call.place, "delta": text});
                self.write(out, "response.function_call_arguments.delta", fields);
            }
            Delta::Signature(_) | Delta::None => {}
        }
    }

    fn finish(&mut self, index: u64, out: &mut Vec<u8>) {
        let Some(call) = self.calls.remove(&index) else {
            return;
        };
        let fields = json!({"name": call.name, "item_id": call.id, "output_index": call.place, "arguments": call.arguments});
        self.write(out, "response.function_call_arguments.done", fields);
        let item = call.item("completed");
        self.told.push(item.clone());
        let fields = json!({"output_index": call.place, "item": item});
        self.write(out, "response.output_item.done", fields);
    }

    fn end(&mut self, tokens: Option<Tokens>, out: &mut Vec<u8>) {
        if let Some(text) = &self.text {
            let done = self.of_part("text", text.as_str().into());
            let part = self.of_part("part", part(text));
            self.write(out, "response.output_text.done", done);
            self.write(out, "response.content_part.done", part);
        }
        let message = self.message("completed");
        let fields = json!({"output_index": 0, "item": message});
        self.write(out, "response.output_item.done", fields);
        let mut output = vec![message];
        output.append(&mut self.told);
        let (status, why) = self.reason.take().unwrap_or(StopReason::EndTurn).status();
        let mut response = self.response(status, output);
        if let Some((field, why)) = why {
            response[field] = why;
        }
        if let Some(tokens) = tokens {
            self.usage.input = Some(tokens.input);
            self.usage.output = Some(tokens.output);
            response["usage"] = tokens.response();
        }
        let fields = json!({"response": response});
        self.write(out, &format!("response.{status}"), fields);
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": null, "text": text})
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
        let part = |text: &str| {
            format!(r#"{{"type":"output_text","annotations":[],"logprobs":null,"text":"{text}"}}"#)
        };
        let message = format!(
            r#"{{"type":"message","content":[{}],"id":"i","role":"assistant","status":"completed"}}"#,
            part("pong")
        );
        let call = r#"{"type":"function_call","arguments":"{}","call_id":"t","name":"f","id":"t","status":"completed"}"#;
        let usage = r#"{"input_tokens":150,"input_tokens_details":{"cached_tokens":0},"output_tokens":45,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":195}"#;
        let expected = [
            r#"{"type":"response.created","sequence_number":1,"response":{"created_at":123,"id":"r","model":"m","object":"response","output":[],"status":"in_progress"}}"#.to_string(),
            r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"type":"message","content":[],"id":"i","role":"assistant","status":"in_progress"}}"#.to_string(),
            format!(r#"{{"type":"response.content_part.added","sequence_number":3,"item_id":"i","output_index":0,"content_index":0,"part":{}}}"#, part("")),
            r#"{"type":"response.output_text.delta","sequence_number":4,"item_id":"i","output_index":0,"content_index":0,"delta":"pong"}"#.to_string(),
            r#"{"type":"response.output_item.added","sequence_number":5,"output_index":1,"item":{"type":"function_call","arguments":"","call_id":"t","name":"f","id":"t","status":"in_progress"}}"#.to_string(),
            r#"{"type":"response.function_call_arguments.delta","sequence_number":6,"item_id":"t","output_index":1,"delta":"{}"}"#.to_string(),
            r#"{"type":"response.function_call_arguments.done","sequence_number":7,"name":"f","item_id":"t","output_index":1,"arguments":"{}"}"#.to_string(),
            format!(r#"{{"type":"response.output_item.done","sequence_number":8,"output_index":1,"item":{call}}}"#),
            r#"{"type":"response.output_text.done","sequence_number":9,"item_id":"i","output_index":0,"content_index":0,"text":"pong"}"#.to_string(),
            format!(r#"{{"type":"response.content_part.done","sequence_number":10,"item_id":"i","output_index":0,"content_index":0,"part":{}}}"#, part("pong")),
            format!(r#"{{"type":"response.output_item.done","sequence_number":11,"output_index":0,"item":{message}}}"#),
            format!(r#"{{"type":"response.completed","sequence_number":12,"response":{{"created_at":123,"id":"r","model":"m","object":"response","output":[{message},{call}],"status":"completed","usage":{usage}}}}}"#),
        ];
        let expected: String = expected
            .iter()
            .map(|data| format!("event: event\ndata: {data}\n\n"))
            .collect();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
