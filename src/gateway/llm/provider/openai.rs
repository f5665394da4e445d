//! OpenAI, and everything that speaks its API at another host.

use super::{Dialect, RouteType};

pub const NAME: &str = "openai";
pub const HOST: &str = "api.openai.com";

pub fn dialect(kind: RouteType) -> Option<Dialect> {
    path(kind).map(|_| Dialect::Openai)
}

pub fn path(kind: RouteType) -> Option<&'static str> {
    match kind {
        RouteType::Completions => Some("/v1/chat/completions"),
        RouteType::Responses => Some("/v1/responses"),
        RouteType::Embeddings => Some("/v1/embeddings"),
        RouteType::Messages
        | RouteType::AnthropicTokenCount
        | RouteType::Models
        | RouteType::Passthrough => None,
    }
}
