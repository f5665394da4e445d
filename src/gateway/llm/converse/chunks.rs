//! Converse's stream as chunks of a completion.

use super::event::{Delta as Change, Event, Start};
use super::frame::Frames;
use crate::gateway::clock;
use crate::gateway::llm::Usage;
use crate::gateway::llm::chunk::{Chunk, Delta, Function, ToolCall};
use crate::gateway::llm::stream::Translator;

/// From Converse's events to OpenAI's chunks. What is no event says nothing, as in the real proxy.
pub struct Chunks {
    frames: Frames,
    state: State,
}

struct State {
    id: String,
    model: String,
    created: u64,
    /// Blocks that are calls of tools, in order: OpenAI's clients count these alone.
    calls: Vec<u64>,
    usage: Usage,
}

impl Chunks {
    /// `id` is the provider's own for the request.
    pub fn new(id: String, model: &str) -> Chunks {
        Chunks {
            frames: Frames::default(),
            state: State {
                id,
                model: model.to_string(),
                created: clock::unix(),
                calls: Vec::new(),
                usage: Usage::default(),
            },
        }
    }
}

impl Translator for Chunks {
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Chunks { frames, state } = self;
        frames.push(piece, |frame| {
            if let Some(event) = Event::read(frame) {
                state.event(event, out);
            }
        });
    }

    fn usage(&self) -> &Usage {
        &self.state.usage
    }
}

impl State {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        let chunk = Chunk::of(&self.id, &self.model, self.created);
        match event {
            Event::MessageStart => {
                let role = Some("assistant");
                chunk
                    .with(
                        Delta {
                            role,
                            ..Delta::default()
                        },
                        None,
                    )
                    .write(out);
            }
            Event::BlockStart {
                index,
                start: Start::Tool { id, name },
            } => {
                self.calls.push(index);
                let call = tool_call(self.calls.len() - 1, Some((id, name)), String::new());
                chunk.with(call, None).write(out);
            }
            Event::BlockDelta { index, delta } => {
                let call = self.calls.iter().position(|block| *block == index);
                chunk.with(change(call, delta), None).write(out);
            }
            Event::MessageStop(reason) => chunk
                .with(Delta::default(), Some(reason.finish()))
                .write(out),
            Event::Metadata(Some(tokens)) => {
                self.usage.input = Some(tokens.input);
                self.usage.output = Some(tokens.output);
                chunk.used(tokens.completion()).write(out);
            }
            Event::BlockStart { .. } | Event::BlockStop { .. } | Event::Metadata(None) => {}
        }
    }
}

fn change(call: Option<usize>, delta: Change) -> Delta {
    match delta {
        Change::Text(text) => Delta {
            content: Some(text),
            ..Delta::default()
        },
        Change::Thought(text) => Delta {
            reasoning_content: Some(text),
            ..Delta::default()
        },
        Change::ToolInput(input) => {
            call.map_or_else(Delta::default, |call| tool_call(call, None, input))
        }
        Change::Signature(_) | Change::None => Delta::default(),
    }
}

fn tool_call(index: usize, begun: Option<(String, String)>, arguments: String) -> Delta {
    let is_first = begun.is_some();
    let (id, name) = begun.unzip();
    let call = ToolCall {
        index,
        id,
        r#type: is_first.then_some("function"),
        function: Function { name, arguments },
    };
    Delta {
        tool_calls: Some([call]),
        ..Delta::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::super::frame::written;
    use super::*;

    #[test]
    fn each_event_is_a_chunk_of_the_real_proxys_form() {
        let line = |choices: &str, usage: &str| {
            format!(
                "event: \ndata: {{\"id\":\"r\",\"choices\":[{choices}],\"created\":123,\"model\":\"m\",\"service_tier\":null,\"system_fingerprint\":null,\"object\":\"chat.completion.chunk\",\"usage\":{usage}}}\n\n"
            )
        };
        let choice = |delta: &str| line(&format!(r#"{{"index":0,"delta":{delta}}}"#), "null");
        let table = [
            (
                "messageStart",
                r#"{"role":"assistant"}"#,
                choice(r#"{"content":null,"role":"assistant"}"#),
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":"pong"}}"#,
                choice(r#"{"content":"pong"}"#),
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}"#,
                choice(r#"{"content":null,"reasoning_content":"hm"}"#),
            ),
            (
                "contentBlockStart",
                r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#,
                choice(
                    r#"{"content":null,"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]}"#,
                ),
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}}"#,
                choice(
                    r#"{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
                ),
            ),
            (
                "contentBlockStop",
                r#"{"contentBlockIndex":1}"#,
                String::new(),
            ),
            (
                "messageStop",
                r#"{"stopReason":"tool_use"}"#,
                line(
                    r#"{"index":0,"delta":{"content":null},"finish_reason":"tool_calls"}"#,
                    "null",
                ),
            ),
            (
                "metadata",
                r#"{"usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13},"metrics":{"latencyMs":1}}"#,
                line(
                    "",
                    r#"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}"#,
                ),
            ),
            (
                "throttlingException",
                r#"{"message":"slow down"}"#,
                String::new(),
            ),
        ];
        let mut chunks = Chunks::new("r".to_string(), "m");
        chunks.state.created = 123;
        for (event, payload, expected) in table {
            let mut out = Vec::new();
            chunks.push(&written(event, payload), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{event}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(event in "[a-zA-Z]{0,20}", payload in vec(any::<char>(), 0..50)) {
            let payload: String = payload.into_iter().collect();
            for event in [event.as_str(), "contentBlockDelta", "contentBlockStart", "metadata"] {
                Chunks::new(String::new(), "m").push(&written(event, &payload), &mut Vec::new());
            }
        }
    }
}
