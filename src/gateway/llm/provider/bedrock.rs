//! Amazon Bedrock: every form is translated to its Converse API.

use super::{Dialect, RouteType};

pub const NAME: &str = "aws.bedrock";
/// Where it is unless something else is said (facts 6).
pub const REGION: &str = "us-east-1";

/// `bedrock` of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bedrock {
    pub region: String,
    pub guardrail: Option<Guardrail>,
}

/// A guardrail that Bedrock itself applies to the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guardrail {
    pub identifier: String,
    pub version: String,
}

pub fn dialect(kind: RouteType) -> Option<Dialect> {
    match kind {
        RouteType::Completions
        | RouteType::Messages
        | RouteType::Responses
        | RouteType::AnthropicTokenCount => Some(Dialect::Converse),
        RouteType::Embeddings | RouteType::Models | RouteType::Passthrough => None,
    }
}

impl Bedrock {
    pub fn host(&self) -> String {
        format!("bedrock-runtime.{}.amazonaws.com", self.region)
    }

    pub fn path(&self, kind: RouteType, model: &str, stream: bool) -> Option<String> {
        dialect(kind)?;
        let call = match (kind, stream) {
            (RouteType::AnthropicTokenCount, _) => "count-tokens",
            (_, true) => "converse-stream",
            (_, false) => "converse",
        };
        Some(format!("/model/{}/{call}", segment(model)))
    }
}

/// A model's name as one segment of a path: an inference profile's has slashes in it.
fn segment(model: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    let mut text = String::with_capacity(model.len());
    for byte in model.bytes() {
        match plain(byte) {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
