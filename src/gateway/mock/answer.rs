//! What the mock says, before it is bytes on a wire.

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

pub(super) const JSON: &str = "application/json";
pub(super) const EVENTS: &str = "text/event-stream";

/// A whole answer of any dialect.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub content: Content,
}

pub(super) enum Content {
    Empty,
    Json(Value),
    Text(&'static str),
    /// A stream whose pieces are known; each is sent by itself.
    Pieces {
        kind: &'static str,
        pieces: Vec<Bytes>,
    },
    /// Events as they come, until the sender is gone.
    Live(Receiver<Bytes>),
}

impl Answer {
    pub fn new(status: StatusCode, content: Content) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            content,
        }
    }

    pub fn ok(value: Value) -> Answer {
        Answer::new(StatusCode::OK, Content::Json(value))
    }

    pub fn json(status: StatusCode, value: Value) -> Answer {
        Answer::new(status, Content::Json(value))
    }

    pub fn empty(status: StatusCode) -> Answer {
        Answer::new(status, Content::Empty)
    }

    /// Server-sent events.
    pub fn events(pieces: Vec<Bytes>) -> Answer {
        Answer::pieces(EVENTS, pieces)
    }

    pub fn pieces(kind: &'static str, pieces: Vec<Bytes>) -> Answer {
        Answer::new(StatusCode::OK, Content::Pieces { kind, pieces })
    }

    /// With one more header; a value that can't be one is left out.
    pub fn with(mut self, name: &'static str, value: &str) -> Answer {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}

/// `data: ...` alone, as OpenAI and Gemini have it.
pub(super) fn data(value: &str) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// `event: ...` with its data, as Anthropic, the Responses API and MCP have it.
pub(super) fn event(name: &str, value: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {value}\n\n"))
}
