//! OpenAI's chat completions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Serialize, Deserialize)]
#[serde(expecting = "struct Request")]
pub struct Completions {
    pub messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u64>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(expecting = "struct RequestMessage")]
pub struct Message {
    pub role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Part {
    pub r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: bool,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Message {
    /// The content, where it is one text: what the real proxy translates (facts 9.6).
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Some(Content::Text(text)) => Some(text),
            Some(Content::Parts(_)) | None => None,
        }
    }
}

impl Completions {
    /// The newer name of the limit wins.
    pub fn token_limit(&self) -> Option<u64> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    pub fn stop_sequences(&self) -> Vec<String> {
        match self.rest.get("stop") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => several
                .iter()
                .filter_map(|stop| stop.as_str().map(str::to_string))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Tokens to think with, from `reasoning_effort`. The amounts are the real proxy's; Anthropic's
    /// least is 1024.
    pub fn thinking_budget(&self) -> Option<u64> {
        match self.rest.get("reasoning_effort").and_then(Value::as_str)? {
            "minimal" | "low" => Some(1024),
            "medium" => Some(2048),
            "high" | "xhigh" => Some(4096),
            _ => None,
        }
    }

    /// A stream is made to end with its usage (facts 9.6), unless the client has said what it wants.
    pub fn ask_for_usage(&mut self) {
        if self.stream == Some(true) && self.stream_options.is_none() {
            self.stream_options.get_or_insert_default().include_usage = true;
        }
    }
}
