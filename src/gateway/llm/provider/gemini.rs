//! Gemini, by its endpoint that speaks OpenAI's API.

use super::{Dialect, RouteType};

pub const NAME: &str = "gcp.gemini";
pub const HOST: &str = "generativelanguage.googleapis.com";

pub fn dialect(kind: RouteType) -> Option<Dialect> {
    path(kind).map(|_| Dialect::Openai)
}

pub fn path(kind: RouteType) -> Option<&'static str> {
    match kind {
        RouteType::Completions => Some("/v1beta/openai/chat/completions"),
        RouteType::Messages
        | RouteType::Responses
        | RouteType::Embeddings
        | RouteType::AnthropicTokenCount
        | RouteType::Models
        | RouteType::Passthrough => None,
    }
}
