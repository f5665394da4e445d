//! Converse's stream as Anthropic's events.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::message_id;
use super::event::{Delta, Event, Start};
use super::frame::Frames;
use super::reason::StopReason;
use super::tokens::Tokens;
use crate::gateway::llm::Usage;
use crate::gateway::llm::stream::{Translator, write_event};

/// From Converse's events to those of Messages. Anthropic begins every block, Converse only some.
pub struct MessageEvents {
    frames: Frames,
    state: State,
}

struct State {
    id: String,
    model: String,
    begun: BTreeSet<u64>,
    reason: Option<StopReason>,
    usage: Usage,
}

impl MessageEvents {
    pub fn new(model: &str) -> MessageEvents {
        MessageEvents {
            frames: Frames::default(),
            state: State {
                id: message_id(),
                model: model.to_string(),
                begun: BTreeSet::new(),
                reason: None,
                usage: Usage::default(),
            },
        }
    }
}

impl Translator for MessageEvents {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let MessageEvents { frames, state } = self;
        frames.push(piece, |frame| match Event::read(frame) {
            Some(event) => state.event(event, out),
            None => write(out, "error", &json!({"type": "error", "error": {"type": "api_error", "message": "Stream processing error"}})),
        });
    }

    fn usage(&self) -> &Usage {
        &self.state.usage
    }
}

fn write(out: &mut Vec<u8>, name: &str, event: &Value) {
    write_event(out, name, event.to_string().as_bytes());
}

impl State {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::MessageStart => self.start(out),
            Event::BlockStart { index, start } => {
                self.begun.insert(index);
                begin(index, &start, out);
            }
            Event::BlockDelta { index, delta } => self.delta(index, delta, out),
            Event::BlockStop { index } => {
                self.begun.remove(&index);
                let event = json!({"type": "content_block_stop", "index": index});
                write(out, "content_block_stop", &event);
            }
            Event::MessageStop(reason) => self.reason = Some(reason),
            Event::Metadata(tokens) => self.end(tokens, out),
        }
    }

    fn start(&self, out: &mut Vec<u8>) {
        let message = json!({"id": self.id, "type": "message", "role": "assistant", "content": [], "model": self.model,
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 0, "output_tokens": 0}});
        let event = json!({"type": "message_start", "message": message});
        write(out, "message_start", &event);
    }

    fn delta(&mut self, index: u64, delta: Delta, out: &mut Vec<u8>) {
        let (start, delta) = match delta {
            Delta::Text(text) => (
                Some(Start::Text),
                json!({"type": "text_delta", "text": text}),
            ),
            Delta::Thought(text) => (
                Some(Start::Thought),
                json!({"type": "thinking_delta", "thinking": text}),
            ),
            Delta::Signature(text) => (
                Some(Start::Thought),
                json!({"type": "signature_delta", "signature": text}),
            ),
            Delta::ToolInput(text) => (
                None,
                json!({"type": "input_json_delta", "partial_json": text}),
            ),
            Delta::None => return,
        };
        if let (true, Some(start)) = (self.begun.insert(index), start) {
            begin(index, &start, out);
        }
        let event = json!({"type": "content_block_delta", "index": index, "delta": delta});
        write(out, "content_block_delta", &event);
    }

    fn end(&mut self, tokens: Option<Tokens>, out: &mut Vec<u8>) {
        if let (Some(reason), Some(tokens)) = (self.reason.take(), tokens) {
            self.usage.input = Some(tokens.input);
            self.usage.output = Some(tokens.output);
            let delta = json!({"stop_reason": reason.anthropic(), "stop_sequence": null});
            let event = json!({"type": "message_delta", "delta": delta, "usage": tokens.message()});
            write(out, "message_delta", &event);
        }
        write(out, "message_stop", &json!({"type": "message_stop"}));
    }
}

fn begin(index: u64, start: &Start, out: &mut Vec<u8>) {
    let block = match start {
        Start::Tool { id, name } => {
            json!({"type": "tool_use", "id": id, "name": name, "input": {}})
        }
        Start::Thought => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Start::Text => json!({"type": "text", "text": ""}),
    };
    let event = json!({"type": "content_block_start", "index": index, "content_block": block});
    write(out, "content_block_start", &event);
}

#[cfg(test)]
mod tests {
    use super::super::frame::written;
    use super::*;

    fn translated(frames: &[(&str, &str)]) -> String {
        let (mut events, mut out) = (MessageEvents::new("m"), Vec::new());
        events.state.id = "id".to_string();
        for (event, payload) in frames {
            events.push(&written(event, payload), &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_stream_of_texts_and_calls_is_anthropics() {
        let stream = translated(&[
            ("messageStart", r#"{"role":"assistant"}"#),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":"pong"}}"#,
            ),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
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
                r#"{"usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13}}"#,
            ),
        ]);
        let expected = [
            (
                "message_start",
                r#"{"type":"message_start","message":{"id":"id","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}"#,
            ),
            (
                "content_block_start",
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            ),
            (
                "content_block_delta",
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"pong"}}"#,
            ),
            (
                "content_block_stop",
                r#"{"type":"content_block_stop","index":0}"#,
            ),
            (
                "content_block_start",
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            ),
            (
                "content_block_delta",
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            ),
            (
                "content_block_stop",
                r#"{"type":"content_block_stop","index":1}"#,
            ),
            (
                "message_delta",
                r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":9,"output_tokens":4}}"#,
            ),
            ("message_stop", r#"{"type":"message_stop"}"#),
        ];
        let expected: String = expected
            .iter()
            .map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"))
            .collect();
        assert_eq!(stream, expected);
    }

    #[test]
    fn an_exception_is_an_error_event() {
        let stream = translated(&[("throttlingException", r#"{"message":"slow down"}"#)]);
        assert_eq!(
            stream,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Stream processing error\"}}\n\n"
        );
    }
}
