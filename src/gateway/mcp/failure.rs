//! What goes wrong with MCP, in the real proxy's words (facts 9.8).

use http::StatusCode;
use http::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use serde_json::Value;

use super::message::Message;
use crate::gateway::record::Record;
use crate::gateway::refusal::Refusal;

/// Why a message did not get to a server, or its answer not back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The server's own refusal, with what it asks of clients that are to show who they are.
    #[error("http upstream error: http request failed with code: {0}")]
    Status(StatusCode, Option<HeaderValue>),
    #[error("http upstream error: http request failed: {0}")]
    Http(String),
    #[error("invalid request: {0}")]
    Invalid(String),
    #[error("unsupported method: {0}")]
    Method(String),
    #[error("method {0} is unsupported with multiplexing")]
    Multiplexed(String),
    #[error("upstream closed on send")]
    Closed,
    /// A rule hides it: it is not said that it exists.
    #[error("unknown {0}: {1}")]
    Hidden(&'static str, String),
}

const JSON: &str = "application/json";

impl Failure {
    /// The answer to the request with this id; null for a message that has none.
    pub fn refusal(self, id: Value, record: &mut Record) -> Refusal {
        let internal = StatusCode::INTERNAL_SERVER_ERROR;
        match self {
            Failure::Status(status, challenge) => {
                let mut refusal = refuse(status, &format!("upstream error: {status}"));
                let challenge = challenge.map(|value| (WWW_AUTHENTICATE, value));
                refusal.headers.extend(challenge);
                refusal
            }
            Failure::Hidden(kind, name) => {
                let text = format!("Unknown {kind}: {name}");
                record.fail("MCP", format!("mcp: {text}"));
                answer(internal, JSON, Message::error(id, -32602, &text).text())
            }
            other => {
                record.fail("MCP", format!("mcp: send error: {other}"));
                let text = format!("failed to send message: send error: {other}");
                let body = match id {
                    Value::Null => text,
                    id => Message::error(id, -32603, &text).text(),
                };
                answer(internal, JSON, body)
            }
        }
    }
}

/// `mcp: ...`
pub(super) fn refuse(status: StatusCode, text: &str) -> Refusal {
    let body = format!("mcp: {text}");
    Refusal {
        reason: "MCP",
        ..answer(status, "text/plain", body)
    }
}

/// An answer that the log says nothing more about.
pub(super) fn answer(status: StatusCode, content: &'static str, body: String) -> Refusal {
    let headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    Refusal {
        status,
        reason: "",
        body,
        headers,
        content: Some(content),
    }
}

pub(super) fn method_not_allowed() -> Refusal {
    let text = "method not allowed; must be GET, POST, or DELETE";
    refuse(StatusCode::METHOD_NOT_ALLOWED, text)
}

pub(super) fn not_acceptable() -> Refusal {
    let text = "client must accept both application/json and text/event-stream";
    refuse(StatusCode::NOT_ACCEPTABLE, text)
}

pub(super) fn content_type() -> Refusal {
    let text = "client must send application/json";
    refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
}

pub(super) fn unreadable(cause: &str) -> Refusal {
    let text = format!("fail to deserialize request body: {cause}");
    refuse(StatusCode::BAD_REQUEST, &text)
}

pub(super) fn no_session() -> Refusal {
    let text = "session header is required for non-initialize requests";
    refuse(StatusCode::UNPROCESSABLE_ENTITY, text)
}

pub(super) fn no_session_id() -> Refusal {
    refuse(StatusCode::UNPROCESSABLE_ENTITY, "session ID is required")
}

pub(super) fn no_session_query() -> Refusal {
    let text = "failed to process session_id query parameter";
    refuse(StatusCode::UNPROCESSABLE_ENTITY, text)
}

pub(super) fn unknown_session() -> Refusal {
    refuse(StatusCode::NOT_FOUND, "session not found")
}
