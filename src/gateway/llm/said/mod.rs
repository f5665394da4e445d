//! What is said in a prompt and in an answer, as guards and enrichment see it: roles and texts. A
//! conversation that is written back keeps nothing else of its messages, as in agentgateway 0.12.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::form::completions::{self, Completions};
use super::form::messages::{self, Messages};
use super::form::responses::Responses;
use super::prompt::Prompt;
use crate::gateway::guard::Said;

const SYSTEM: &str = "system";

impl Prompt {
    /// Who says what. Images and calls of tools say nothing here; what is embedded is no conversation.
    pub fn said(&self) -> Vec<Said> {
        match self {
            Prompt::Completions(request) => request.messages.iter().map(completion).collect(),
            Prompt::Messages(request) | Prompt::Count(request) => conversation(request),
            Prompt::Responses(request) => items(&request.input),
            Prompt::Embeddings(_) => Vec::new(),
        }
    }

    /// Puts other messages in the place of all that were there.
    pub fn set_said(&mut self, said: &[Said]) {
        match self {
            Prompt::Completions(request) => {
                request.messages = said.iter().map(completions_message).collect();
            }
            Prompt::Messages(request) | Prompt::Count(request) => {
                let (system, rest) = split(said);
                request.system = (!system.is_empty()).then_some(messages::Content::Blocks(system));
                request.messages = rest;
            }
            Prompt::Responses(request) => {
                request.input = Value::Array(said.iter().map(item).collect());
            }
            Prompt::Embeddings(_) => {}
        }
    }

    /// Puts messages before the client's.
    pub fn prepend(&mut self, said: &[Said]) {
        self.enrich(said, true);
    }

    /// Puts messages after the client's.
    pub fn append(&mut self, said: &[Said]) {
        self.enrich(said, false);
    }

    fn enrich(&mut self, said: &[Said], first: bool) {
        if said.is_empty() {
            return;
        }
        match self {
            Prompt::Completions(Completions { messages, .. }) => {
                let added = said.iter().map(completions_message);
                put(messages, added.collect(), first);
            }
            Prompt::Messages(request) | Prompt::Count(request) => {
                let (blocks, rest) = split(said);
                if !blocks.is_empty() {
                    let mut all = match request.system.take() {
                        None => Vec::new(),
                        Some(messages::Content::Text(text)) => vec![text_block(&text)],
                        Some(messages::Content::Blocks(blocks)) => blocks,
                    };
                    put(&mut all, blocks, first);
                    request.system = Some(messages::Content::Blocks(all));
                }
                put(&mut request.messages, rest, first);
            }
            Prompt::Responses(Responses { input, .. }) => {
                let mut all = match input.take() {
                    Value::Array(items) => items,
                    Value::String(content) => vec![item(&spoken("user", content))],
                    other => vec![other],
                };
                put(&mut all, said.iter().map(item).collect(), first);
                *input = Value::Array(all);
            }
            Prompt::Embeddings(_) => {}
        }
    }
}

fn spoken(role: &str, content: String) -> Said {
    Said {
        role: role.to_string(),
        content,
    }
}

fn put<T>(all: &mut Vec<T>, added: Vec<T>, first: bool) {
    let at = if first { 0 } else { all.len() };
    all.splice(at..at, added);
}

fn completion(message: &completions::Message) -> Said {
    let content = match &message.content {
        Some(completions::Content::Text(text)) => text.clone(),
        Some(completions::Content::Parts(parts)) => {
            joined(parts.iter().filter_map(|part| part.text.as_deref()), " ")
        }
        None => String::new(),
    };
    spoken(&message.role, content)
}

fn completions_message(said: &Said) -> completions::Message {
    completions::Message {
        role: said.role.clone(),
        name: None,
        content: Some(completions::Content::Text(said.content.clone())),
        rest: Map::new(),
    }
}

/// Anthropic's system prompt is not a message; here it is.
fn conversation(request: &Messages) -> Vec<Said> {
    let system = request.system.as_ref();
    let system = system.map(|content| content_text(content, "\n"));
    let system = system.filter(|text| !text.is_empty());
    let system = system.map(|text| spoken(SYSTEM, text));
    let messages = request.messages.iter().map(|message| {
        let content = message.content.as_ref();
        let content = content.map(|content| content_text(content, " "));
        spoken(&message.role, content.unwrap_or_default())
    });
    system.into_iter().chain(messages).collect()
}

fn content_text(content: &messages::Content, separator: &str) -> String {
    match content {
        messages::Content::Text(text) => text.clone(),
        messages::Content::Blocks(blocks) => {
            let texts = blocks
                .iter()
                .filter_map(|block| block.get("text")?.as_str());
            joined(texts, separator)
        }
    }
}

/// System prompts and the messages that are none.
fn split(said: &[Said]) -> (Vec<Value>, Vec<messages::Message>) {
    let mut system = Vec::new();
    let mut rest = Vec::new();
    for said in said {
        match said.role.as_str() {
            SYSTEM => system.push(text_block(&said.content)),
            role => rest.push(messages::Message {
                role: role.to_string(),
                content: Some(messages::Content::Text(said.content.clone())),
                rest: Map::new(),
            }),
        }
    }
    (system, rest)
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn items(input: &Value) -> Vec<Said> {
    let said = |item: &Value| {
        let role = item.get("role")?.as_str()?;
        let content = match item.get("content")? {
            Value::String(text) => text.clone(),
            Value::Array(parts) => joined(parts.iter().filter_map(part_text), "\n"),
            _ => return None,
        };
        Some(spoken(role, content))
    };
    match input {
        Value::String(text) => vec![spoken("user", text.clone())],
        Value::Array(items) => items.iter().filter_map(said).collect(),
        _ => Vec::new(),
    }
}

fn part_text(part: &Value) -> Option<&str> {
    match part.get("type")?.as_str()? {
        "input_text" | "output_text" => part.get("text")?.as_str(),
        _ => None,
    }
}

fn item(said: &Said) -> Value {
    let text = said.content.as_str();
    let parts = json!([{"type": "input_text", "text": text}]);
    match said.role.as_str() {
        role @ "assistant" => json!({"type": "message", "role": role, "content": text}),
        role @ ("system" | "developer") => {
            json!({"type": "message", "content": parts, "role": role})
        }
        _ => json!({"type": "message", "content": parts, "role": "user"}),
    }
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>, separator: &str) -> String {
    let mut all = String::new();
    for text in texts {
        if !all.is_empty() {
            all.push_str(separator);
        }
        all.push_str(text);
    }
    all
}

impl Answer {
    /// What the model says, one entry a choice.
    pub fn said(&self) -> Vec<Said> {
        let assistant = |content| spoken("assistant", content);
        match self {
            Answer::Completion(answer) => {
                let said = answer.choices.iter().map(|choice| Said {
                    role: choice.message.role.clone().unwrap_or_default(),
                    content: choice.message.content.clone().unwrap_or_default(),
                });
                said.collect()
            }
            Answer::Message(answer) => {
                let texts = answer.content.iter().map(|part| part.text.clone());
                let texts = texts.map(|text| text.unwrap_or_default());
                texts.map(assistant).collect()
            }
            Answer::Response(answer) => {
                let parts = answer.output.iter().filter_map(message_parts);
                let texts = parts.map(|parts| joined(parts.iter().filter_map(part_text), "\n"));
                texts.map(assistant).collect()
            }
            Answer::Raw(..) => Vec::new(),
        }
    }

    /// Puts other texts in the place of what the model said; false when they are more or fewer.
    pub fn set_said(&mut self, said: Vec<Said>) -> bool {
        if self.said().len() != said.len() {
            return false;
        }
        let texts = said.into_iter().map(|said| said.content);
        match self {
            Answer::Completion(answer) => {
                for (choice, text) in answer.choices.iter_mut().zip(texts) {
                    choice.message.content = Some(text);
                }
            }
            Answer::Message(answer) => {
                for (part, text) in answer.content.iter_mut().zip(texts) {
                    part.text = Some(text);
                }
            }
            Answer::Response(answer) => {
                let messages = answer.output.iter_mut();
                let messages = messages.filter(|item| message_parts(item).is_some());
                for (item, text) in messages.zip(texts) {
                    item["content"] = json!([{"type": "output_text", "annotations": [], "logprobs": null, "text": text}]);
                }
            }
            Answer::Raw(..) => {}
        }
        true
    }
}

fn message_parts(item: &Value) -> Option<&Vec<Value>> {
    match item.get("type")?.as_str()? {
        "message" => item.get("content")?.as_array(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
