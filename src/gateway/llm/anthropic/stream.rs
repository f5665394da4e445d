//! Anthropic's stream as chunks of a completion: texts, thoughts and, where it was told, the usage. The real
//! proxy sends no reason for the end and no calls of tools, and passes `[DONE]` on (facts 9.6, 16.2).

use serde::Deserialize;

use crate::gateway::clock;
use crate::gateway::llm::Usage;
use crate::gateway::llm::answer::CompletionUsage;
use crate::gateway::llm::chunk::{Chunk, Delta};
use crate::gateway::llm::stream::{Events, Translator, write_event};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockDelta {
        delta: BlockDelta,
    },
    MessageDelta {
        usage: Tokens,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    id: String,
    model: String,
    usage: Tokens,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum BlockDelta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    /// The real proxy sends an empty delta for these.
    #[serde(rename = "input_json_delta")]
    InputJson {},
    #[serde(rename = "signature_delta")]
    Signature {},
    #[serde(rename = "citations_delta")]
    Citations {},
}

/// An event without input tokens is not understood, and so says nothing (facts 16.2).
#[derive(Deserialize)]
struct Tokens {
    input_tokens: u64,
    output_tokens: u64,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

/// From Anthropic's events to OpenAI's chunks.
pub struct Chunks {
    events: Events,
    state: State,
}

struct State {
    id: String,
    model: String,
    created: u64,
    input_tokens: u64,
    usage: Usage,
}

impl Chunks {
    pub fn new() -> Chunks {
        let state = State {
            id: "unknown".to_string(),
            model: String::new(),
            created: clock::unix(),
            input_tokens: 0,
            usage: Usage::default(),
        };
        let events = Events::default();
        Chunks { events, state }
    }
}

impl Translator for Chunks {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Chunks { events, state } = self;
        events.push(piece, |data| state.event(data, out));
    }

    fn usage(&self) -> &Usage {
        &self.state.usage
    }
}

impl State {
    fn event(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if data == b"[DONE]" {
            return write_event(out, "", data);
        }
        match serde_json::from_slice(data) {
            Ok(Event::MessageStart { message }) => self.start(message),
            Ok(Event::ContentBlockDelta { delta }) => self.chunk(delta.into()).write(out),
            Ok(Event::MessageDelta { usage }) => self.end(&usage).write(out),
            Ok(Event::Other) | Err(_) => {}
        }
    }

    fn start(&mut self, message: Start) {
        self.usage = Usage {
            model: Some(message.model.clone()),
            input: Some(message.usage.input_tokens),
            output: Some(message.usage.output_tokens),
        };
        self.input_tokens = message.usage.input_tokens;
        (self.id, self.model) = (message.id, message.model);
    }

    fn chunk(&self, delta: Delta) -> Chunk<'_> {
        Chunk::of(&self.id, &self.model, self.created).with(delta, None)
    }

    fn end(&mut self, tokens: &Tokens) -> Chunk<'_> {
        self.usage.output = Some(tokens.output_tokens);
        let usage = CompletionUsage::counted(
            self.input_tokens,
            tokens.output_tokens,
            tokens.cache_read_input_tokens,
            tokens.cache_creation_input_tokens,
        );
        Chunk::of(&self.id, &self.model, self.created).used(usage)
    }
}

impl From<BlockDelta> for Delta {
    fn from(delta: BlockDelta) -> Delta {
        match delta {
            BlockDelta::Text { text } => Delta {
                content: Some(text),
                ..Delta::default()
            },
            BlockDelta::Thinking { thinking } => Delta {
                reasoning_content: Some(thinking),
                ..Delta::default()
            },
            BlockDelta::InputJson {} | BlockDelta::Signature {} | BlockDelta::Citations {} => {
                Delta::default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    fn translated(events: &[&str]) -> (String, Usage) {
        let mut chunks = Chunks::new();
        chunks.state.created = 123;
        let mut out = Vec::new();
        for event in events {
            chunks.push(format!("event: x\ndata: {event}\n\n").as_bytes(), &mut out);
        }
        (String::from_utf8(out).unwrap(), chunks.usage().clone())
    }

    const START: &str = r#"{"type":"message_start","message":{"id":"msg_mock","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#;

    fn chunk(choices: &str, usage: &str) -> String {
        format!(
            "event: \ndata: {{\"id\":\"msg_mock\",\"choices\":[{choices}],\"created\":123,\"model\":\"m\",\"service_tier\":null,\"system_fingerprint\":null,\"object\":\"chat.completion.chunk\",\"usage\":{usage}}}\n\n"
        )
    }

    #[test]
    fn texts_thoughts_and_usage_come_through() {
        let delta =
            |delta: &str| format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#);
        let choice = |delta: &str| format!(r#"{{"index":0,"delta":{delta}}}"#);
        let pong = chunk(&choice(r#"{"content":"pong"}"#), "null");
        let usage = r#"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}"#;
        let table = [
            (delta(r#"{"type":"text_delta","text":"pong"}"#), pong),
            (
                delta(r#"{"type":"thinking_delta","thinking":"hm"}"#),
                chunk(&choice(r#"{"content":null,"reasoning_content":"hm"}"#), "null"),
            ),
            (
                delta(r#"{"type":"input_json_delta","partial_json":"{"}"#),
                chunk(&choice(r#"{"content":null}"#), "null"),
            ),
            (
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":9,"output_tokens":4}}"#.to_string(),
                chunk("", usage),
            ),
            // Recording `cloud-anthropic-chat-stream`: no input tokens, no chunk.
            (
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}"#.to_string(),
                String::new(),
            ),
            (r#"{"type":"ping"}"#.to_string(), String::new()),
            (r#"{"type":"message_stop"}"#.to_string(), String::new()),
            ("not json".to_string(), String::new()),
            // Recording `anthropic-chat-stream`.
            ("[DONE]".to_string(), "event: \ndata: [DONE]\n\n".to_string()),
        ];
        for (event, expected) in table {
            assert_eq!(translated(&[START, &event]).0, expected, "{event}");
        }
    }

    #[test]
    fn the_log_gets_what_was_said_of_the_cost() {
        let expected = Usage {
            model: Some("m".to_string()),
            input: Some(9),
            output: Some(1),
        };
        assert_eq!(translated(&[START]).1, expected);
    }

    proptest! {
        #[test]
        fn nothing_panics(pieces in vec(vec(any::<u8>(), 0..50), 0..10)) {
            let mut out = Vec::new();
            let mut chunks = Chunks::new();
            pieces.iter().for_each(|piece| chunks.push(piece, &mut out));
        }
    }
}
