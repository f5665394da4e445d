//! Providers' errors in the form of the API that the client speaks.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::{Dialect, RouteType, anthropic, converse};

/// An error of OpenAI's form, always of the same type (facts 9.6).
#[derive(Serialize)]
struct Refused<'a> {
    event_id: Option<()>,
    error: RefusedError<'a>,
}

#[derive(Serialize)]
struct RefusedError<'a> {
    r#type: &'static str,
    message: &'a str,
}

/// An error as OpenAI would write it.
pub fn openai(message: &str) -> serde_json::Result<Bytes> {
    let error = RefusedError {
        r#type: "invalid_request_error",
        message,
    };
    serde_json::to_vec(&Refused {
        event_id: None,
        error,
    })
    .map(Bytes::from)
}

/// Whether a provider's error is not in the client's form.
pub fn is_foreign(kind: RouteType, dialect: Dialect) -> bool {
    match dialect {
        // Claude's errors on Vertex go by as they are: facts 9.6 name Anthropic alone.
        Dialect::Openai | Dialect::Vertex => false,
        Dialect::Anthropic => kind == RouteType::Completions,
        Dialect::Converse => true,
    }
}

/// An error as Anthropic would write it.
pub fn anthropic(message: &str) -> Bytes {
    let error = json!({"type": "invalid_request_error", "message": message});
    json!({"type": "error", "error": error}).to_string().into()
}

/// Translates an error of a provider to the client's form.
pub fn read(kind: RouteType, dialect: Dialect, body: Bytes) -> serde_json::Result<Bytes> {
    match dialect {
        Dialect::Anthropic | Dialect::Vertex => anthropic::read_error(&body),
        Dialect::Converse => converse::read_error(kind, &body),
        Dialect::Openai => Ok(body),
    }
}
