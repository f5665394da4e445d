//! Chunks of a streamed completion that are made here, in the order of the real proxy's types
//! (recording `cloud-anthropic-chat-stream`).

use serde::Serialize;

use super::answer::CompletionUsage;
use super::stream::write_event;

#[derive(Serialize)]
pub struct Chunk<'a> {
    id: &'a str,
    choices: Vec<ChunkChoice>,
    created: u64,
    model: &'a str,
    service_tier: Option<()>,
    system_fingerprint: Option<()>,
    object: &'static str,
    usage: Option<CompletionUsage>,
}

#[derive(Serialize)]
struct ChunkChoice {
    index: u32,
    delta: Delta,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
pub struct Delta {
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<[ToolCall; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ToolCall {
    pub index: usize,
    /// Only the first piece of a call has an id, a type and a name: clients take a null for a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<&'static str>,
    pub function: Function,
}

#[derive(Debug, Serialize)]
pub struct Function {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub arguments: String,
}

impl<'a> Chunk<'a> {
    /// `created` in seconds since 1970.
    pub fn of(id: &'a str, model: &'a str, created: u64) -> Chunk<'a> {
        Chunk {
            id,
            choices: Vec::new(),
            created,
            model,
            service_tier: None,
            system_fingerprint: None,
            object: "chat.completion.chunk",
            usage: None,
        }
    }

    pub fn with(mut self, delta: Delta, finish_reason: Option<&'static str>) -> Chunk<'a> {
        self.choices.push(ChunkChoice {
            index: 0,
            delta,
            finish_reason,
        });
        self
    }

    pub fn used(mut self, usage: CompletionUsage) -> Chunk<'a> {
        self.usage = Some(usage);
        self
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        // Strings and numbers only: there is nothing that can't be written.
        if let Ok(data) = serde_json::to_vec(self) {
            write_event(out, "", &data);
        }
    }
}
