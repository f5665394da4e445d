//! Anthropic: Messages, and OpenAI's Completions translated to them.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{Dialect, RouteType};

pub const NAME: &str = "anthropic";
pub const HOST: &str = "api.anthropic.com";

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

pub fn dialect(kind: RouteType) -> Option<Dialect> {
    path(kind).map(|_| Dialect::Anthropic)
}

pub fn path(kind: RouteType) -> Option<&'static str> {
    match kind {
        RouteType::Completions | RouteType::Messages => Some("/v1/messages"),
        RouteType::AnthropicTokenCount => Some("/v1/messages/count_tokens"),
        RouteType::Responses
        | RouteType::Embeddings
        | RouteType::Models
        | RouteType::Passthrough => None,
    }
}

/// Moves a bearer key to where Anthropic looks for it. A client's own `x-api-key` stays as it is (facts 5).
pub fn present_key(headers: &mut HeaderMap) {
    let given = headers.get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok()?.split_once(' '));
    let Some((_, key)) = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")) else {
        return;
    };
    let Ok(mut key) = HeaderValue::from_str(key.trim_start()) else {
        return;
    };
    key.set_sensitive(true);
    headers.insert(API_KEY, key);
    headers.insert(VERSION, HeaderValue::from_static("2023-06-01"));
    headers.remove(header::AUTHORIZATION);
}
