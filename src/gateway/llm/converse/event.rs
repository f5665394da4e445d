//! The events of a Converse stream.

use serde::Deserialize;

use super::frame::Frame;
use super::reason::StopReason;
use super::tokens::Tokens;

#[derive(Debug)]
pub enum Event {
    MessageStart,
    BlockStart { index: u64, start: Start },
    BlockDelta { index: u64, delta: Delta },
    BlockStop { index: u64 },
    MessageStop(StopReason),
    Metadata(Option<Tokens>),
}

/// What a block begins as; a text or a thought begins with nothing.
#[derive(Debug)]
pub enum Start {
    Tool { id: String, name: String },
    Thought,
    Text,
}

#[derive(Debug)]
pub enum Delta {
    Text(String),
    Thought(String),
    Signature(String),
    ToolInput(String),
    None,
}

/// A thought that the provider hides, as the real proxy shows it.
const REDACTED: &str = "[REDACTED]";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStart {
    content_block_index: u64,
    #[serde(default)]
    start: Option<RawBlock>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBlock {
    tool_use: Option<RawTool>,
    reasoning_content: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTool {
    tool_use_id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDelta {
    content_block_index: u64,
    #[serde(default)]
    delta: RawChange,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawChange {
    text: Option<String>,
    tool_use: Option<RawInput>,
    reasoning_content: Option<RawReasoning>,
}

#[derive(Deserialize)]
struct RawInput {
    input: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReasoning {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStop {
    content_block_index: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEnd {
    stop_reason: StopReason,
}

#[derive(Deserialize)]
struct RawMetadata {
    usage: Option<Tokens>,
}

impl Event {
    /// None is an exception, a frame that can't be read, or an event that is not known.
    pub fn read(frame: Option<Frame<'_>>) -> Option<Event> {
        let frame = frame?;
        let payload = frame.payload;
        match frame.event? {
            "messageStart" => Some(Event::MessageStart),
            "contentBlockStart" => {
                let raw: RawStart = serde_json::from_slice(payload).ok()?;
                let index = raw.content_block_index;
                let start = start(raw.start);
                Some(Event::BlockStart { index, start })
            }
            "contentBlockDelta" => {
                let raw: RawDelta = serde_json::from_slice(payload).ok()?;
                let index = raw.content_block_index;
                let delta = delta(raw.delta);
                Some(Event::BlockDelta { index, delta })
            }
            "contentBlockStop" => {
                let raw: RawStop = serde_json::from_slice(payload).ok()?;
                let index = raw.content_block_index;
                Some(Event::BlockStop { index })
            }
            "messageStop" => {
                let raw: RawEnd = serde_json::from_slice(payload).ok()?;
                Some(Event::MessageStop(raw.stop_reason))
            }
            "metadata" => {
                let raw: RawMetadata = serde_json::from_slice(payload).ok()?;
                Some(Event::Metadata(raw.usage))
            }
            _ => None,
        }
    }
}

fn start(raw: Option<RawBlock>) -> Start {
    match raw {
        Some(RawBlock {
            tool_use: Some(tool),
            ..
        }) => Start::Tool {
            id: tool.tool_use_id,
            name: tool.name,
        },
        Some(RawBlock {
            reasoning_content: Some(_),
            ..
        }) => Start::Thought,
        Some(_) | None => Start::Text,
    }
}

fn delta(raw: RawChange) -> Delta {
    match (raw.text, raw.tool_use, raw.reasoning_content) {
        (Some(text), _, _) => Delta::Text(text),
        (_, Some(tool), _) => Delta::ToolInput(tool.input),
        (
            _,
            _,
            Some(RawReasoning {
                text: Some(text), ..
            }),
        ) => Delta::Thought(text),
        (
            _,
            _,
            Some(RawReasoning {
                signature: Some(signature),
                ..
            }),
        ) => Delta::Signature(signature),
        (
            _,
            _,
            Some(RawReasoning {
                redacted_content: Some(_),
                ..
            }),
        ) => Delta::Thought(REDACTED.to_string()),
        (None, None, _) => Delta::None,
    }
}
