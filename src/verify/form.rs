//! The APIs in which a model is asked: the smallest body of each, and what its answers say.

use crate::provider::Provider;
use serde_json::{Value, json};

/// A form of request that v2.2 knows for models (facts 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    Completions,
    Messages,
    Responses,
    Embeddings,
    TokenCount,
}

/// What one answer came to, whatever its form.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gist {
    pub said: String,
    pub model: String,
    pub input: u64,
    pub output: u64,
}

/// Enough for a word. A model that thinks first spends it on thinking, and is given more.
const FEW: u64 = 16;
const ENOUGH_TO_THINK: u64 = 512;

impl Form {
    /// By the names of `policies.ai.routes` (facts 6).
    pub fn named(name: &str) -> Option<Form> {
        match name {
            "Completions" => Some(Form::Completions),
            "Messages" => Some(Form::Messages),
            "Responses" => Some(Form::Responses),
            "Embeddings" => Some(Form::Embeddings),
            "AnthropicTokenCount" => Some(Form::TokenCount),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Form::Completions => "completions",
            Form::Messages => "messages",
            Form::Responses => "responses",
            Form::Embeddings => "embeddings",
            Form::TokenCount => "token-count",
        }
    }

    /// As clients ask for it.
    pub fn path(self) -> &'static str {
        match self {
            Form::Completions => crate::provider::CHAT_PATH,
            Form::Messages => "/v1/messages",
            Form::Responses => "/v1/responses",
            Form::Embeddings => "/v1/embeddings",
            Form::TokenCount => "/v1/messages/count_tokens",
        }
    }

    pub fn streams(self) -> bool {
        matches!(self, Form::Completions | Form::Messages | Form::Responses)
    }

    /// Tokens in and out that a request of `body` is paid for at most.
    pub fn tokens(self, model: &str) -> (u64, u64) {
        match self {
            Form::Completions | Form::Messages | Form::Responses => (16, room(model)),
            Form::Embeddings => (4, 0),
            Form::TokenCount => (0, 0),
        }
    }

    /// The smallest request that proves the form.
    pub fn body(self, model: &str, stream: bool, provider: Provider) -> Value {
        let user = json!([{"role": "user", "content": "ping"}]);
        let mut body = match self {
            Form::Completions => {
                let limit = match takes_new_limit(model, provider) {
                    true => "max_completion_tokens",
                    false => "max_tokens",
                };
                json!({"messages": user, limit: room(model)})
            }
            Form::Messages => json!({"messages": user, "max_tokens": room(model)}),
            Form::Responses => json!({"input": "ping", "max_output_tokens": room(model)}),
            Form::Embeddings => json!({"input": "ping"}),
            Form::TokenCount => json!({"messages": user}),
        };
        if !model.is_empty() {
            body["model"] = model.into();
        }
        if stream {
            body["stream"] = true.into();
        }
        body
    }

    /// What a whole answer says.
    pub fn gist(self, answer: &Value) -> Gist {
        let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_u64);
        let (input, output) = match self {
            Form::Completions | Form::Embeddings => {
                ("/usage/prompt_tokens", "/usage/completion_tokens")
            }
            Form::Messages | Form::Responses => ("/usage/input_tokens", "/usage/output_tokens"),
            Form::TokenCount => ("/input_tokens", ""),
        };
        Gist {
            said: self.said(answer),
            model: answer["model"].as_str().unwrap_or("").to_string(),
            input: number(input).unwrap_or(0),
            output: number(output).unwrap_or(0),
        }
    }

    fn said(self, answer: &Value) -> String {
        let list = |pointer: &str| {
            let list = answer.pointer(pointer).and_then(Value::as_array);
            list.map_or(&[][..], Vec::as_slice)
        };
        match self {
            Form::Completions => spoken(&answer["choices"][0]["message"]),
            Form::Messages => list("/content").iter().map(block).collect(),
            Form::Responses => {
                let parts = list("/output").iter().flat_map(|item| {
                    let parts = item["content"].as_array().or(item["summary"].as_array());
                    parts.map_or(&[][..], Vec::as_slice)
                });
                parts.filter_map(|part| part["text"].as_str()).collect()
            }
            Form::Embeddings => match list("/data/0/embedding").len() {
                0 if answer["data"][0]["embedding"].is_string() => "a vector".to_string(),
                0 => String::new(),
                size => format!("a vector of {size}"),
            },
            Form::TokenCount => match answer["input_tokens"].as_u64() {
                Some(count) => crate::text::count(usize::try_from(count).unwrap_or(0), "token"),
                None => String::new(),
            },
        }
    }

    /// Whether an answer without counted tokens proves nothing.
    pub fn counts_output(self) -> bool {
        matches!(self, Form::Completions | Form::Messages | Form::Responses)
    }
}

/// What a message or a delta says; a model that thinks first may spend a small answer on thinking
/// alone (`reasoning` in Ollama's answers, `reasoning_content` in others').
pub fn spoken(message: &Value) -> String {
    let parts = ["content", "reasoning", "reasoning_content"];
    let texts = parts.iter().filter_map(|part| message[*part].as_str());
    texts.filter(|text| !text.is_empty()).take(1).collect()
}

fn block(block: &Value) -> &str {
    let text = block["text"].as_str().or(block["thinking"].as_str());
    text.unwrap_or("")
}

/// Models that think before they speak, and count that: OpenAI's o-series and GPT-5, Gemini from 2.5.
fn thinks(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let openai = takes_new_name(name);
    let gemini = name
        .strip_prefix("gemini-")
        .and_then(|rest| rest.split(['-', '.']).next()?.parse::<u32>().ok())
        .is_some_and(|major| major > 2 || name.starts_with("gemini-2.5"));
    let open = ["deepseek-r", "qwq", "gpt-oss", "magistral"];
    openai || gemini || open.iter().any(|stem| name.starts_with(stem))
}

fn takes_new_name(name: &str) -> bool {
    let series = |letter: char| {
        let rest = name.strip_prefix(letter).unwrap_or("");
        rest.starts_with(|c: char| c.is_ascii_digit())
    };
    series('o') || (name.starts_with("gpt-5") && !name.starts_with("gpt-5-chat"))
}

/// OpenAI's thinking models refuse `max_tokens`; other servers may not know the newer name.
fn takes_new_limit(model: &str, provider: Provider) -> bool {
    matches!(provider, Provider::OpenAi | Provider::AzureOpenAi) && takes_new_name(model)
}

/// The floor of output tokens under which a model may say nothing and be well.
fn room(model: &str) -> u64 {
    match thinks(model) {
        true => ENOUGH_TO_THINK,
        false => FEW,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_thinks_is_given_room_and_openai_its_own_word_for_it() {
        let table = [
            ("gpt-4o-mini", Provider::OpenAi, "max_tokens", 16),
            ("o3-mini", Provider::OpenAi, "max_completion_tokens", 512),
            (
                "gpt-5-mini",
                Provider::AzureOpenAi,
                "max_completion_tokens",
                512,
            ),
            ("gemini-2.5-flash", Provider::Gemini, "max_tokens", 512),
            ("gemini-2.0-flash", Provider::Gemini, "max_tokens", 16),
            ("gpt-oss:20b", Provider::Ollama, "max_tokens", 512),
            ("orca-mini", Provider::Ollama, "max_tokens", 16),
        ];
        for (model, provider, field, room) in table {
            let body = Form::Completions.body(model, false, provider);
            assert_eq!(body[field], room, "{model}");
        }
    }

    #[test]
    fn the_gist_is_read_from_every_form() {
        let table = [
            (
                Form::Completions,
                json!({"model": "m", "choices": [{"message": {"content": "", "reasoning": "hm"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
                ("hm", 1, 2),
            ),
            (
                Form::Messages,
                json!({"model": "m", "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 3, "output_tokens": 4}}),
                ("hi", 3, 4),
            ),
            (
                Form::Responses,
                json!({"model": "m", "output": [{"type": "reasoning", "summary": []}, {"type": "message", "content": [{"type": "output_text", "text": "yes"}]}], "usage": {"input_tokens": 5, "output_tokens": 6}}),
                ("yes", 5, 6),
            ),
            (
                Form::Embeddings,
                json!({"model": "m", "data": [{"embedding": [0.1, 0.2]}], "usage": {"prompt_tokens": 1}}),
                ("a vector of 2", 1, 0),
            ),
            (
                Form::TokenCount,
                json!({"input_tokens": 7}),
                ("7 tokens", 7, 0),
            ),
        ];
        for (form, answer, (said, input, output)) in table {
            let gist = form.gist(&answer);
            assert_eq!(
                (gist.said.as_str(), gist.input, gist.output),
                (said, input, output)
            );
        }
    }
}
