//! JSON-RPC as far as a bridge looks into it: what goes which way, and which answer belongs to which
//! request. All else passes as it came.

use bytes::Bytes;
use serde_json::{Value, json};

/// Of errors that are the bridge's own (JSON-RPC 2.0, section 5.1: -32000 to -32099 are a server's).
const FAILED: i32 = -32000;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Request(Value),
    Notification,
    /// An answer, or an error, to the request with this id.
    Answer(Value),
}

/// `None` for what is no JSON-RPC 2.0 message.
pub(super) fn kind(message: &Value) -> Option<Kind> {
    if message.get("jsonrpc") != Some(&json!("2.0")) {
        return None;
    }
    let id = message.get("id").filter(|id| !id.is_null());
    match (message.get("method"), id) {
        (Some(Value::String(_)), Some(id)) => Some(Kind::Request(id.clone())),
        (Some(Value::String(_)), None) => Some(Kind::Notification),
        (Some(_), _) => None,
        (None, _) if message.get("result").is_none() && message.get("error").is_none() => None,
        (None, id) => Some(Kind::Answer(id.cloned().unwrap_or(Value::Null))),
    }
}

/// One message, or a batch as the protocol of 2025-03-26 has them.
pub(super) fn messages(value: Value) -> Vec<Value> {
    match value {
        Value::Array(batch) => batch,
        one => vec![one],
    }
}

pub(super) fn is(message: &Value, method: &str) -> bool {
    message.get("method").and_then(Value::as_str) == Some(method)
}

/// Under which the progress of a request is told (MCP 2025-06-18, Progress).
pub(super) fn progress_token(request: &Value) -> Option<&Value> {
    request.pointer("/params/_meta/progressToken")
}

/// Which request a message of the server is about, by its progress token.
pub(super) fn progress_of(message: &Value) -> Option<&Value> {
    match is(message, "notifications/progress") {
        true => message.pointer("/params/progressToken"),
        false => None,
    }
}

/// Which request is not to be answered any more.
pub(super) fn cancelled(message: &Value) -> Option<&Value> {
    match is(message, "notifications/cancelled") {
        true => message.pointer("/params/requestId"),
        false => None,
    }
}

pub(super) fn error(id: &Value, text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": FAILED, "message": text}})
}

/// As it goes to the program: one line, in which a message must have no line end.
pub(super) fn line(message: &Value) -> String {
    format!("{message}\n")
}

/// As it goes to the client.
pub(super) fn event(message: &Value) -> Bytes {
    Bytes::from(format!("event: message\ndata: {message}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// JSON-RPC 2.0, sections 4 and 5.
    #[test]
    fn requests_notifications_and_answers_are_told_apart() {
        let table = [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
                Some(Kind::Request(json!(1))),
            ),
            (
                r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#,
                Some(Kind::Request(json!("a"))),
            ),
            (
                r#"{"jsonrpc":"2.0","method":"x"}"#,
                Some(Kind::Notification),
            ),
            (
                r#"{"jsonrpc":"2.0","id":2,"result":{}}"#,
                Some(Kind::Answer(json!(2))),
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"error":{}}"#,
                Some(Kind::Answer(Value::Null)),
            ),
            (r#"{"jsonrpc":"2.0","id":2}"#, None),
            (r#"{"jsonrpc":"2.0","id":2,"method":3}"#, None),
            (r#"{"jsonrpc":"1.0","id":2,"method":"x"}"#, None),
            (r#""x""#, None),
        ];
        for (text, expected) in table {
            assert_eq!(
                kind(&serde_json::from_str(text).unwrap()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_message_with_line_ends_is_one_line() {
        let message = json!({"jsonrpc": "2.0", "method": "x", "params": {"text": "a\nb\r\nc"}});
        let line = line(&message);
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), message);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in r#"\{("(jsonrpc|id|method|params|result)":("[a-z/0-9.]*"|[0-9]|null|\{\}|\[\]),?)*\}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = (kind(&value), progress_token(&value), progress_of(&value), cancelled(&value));
            }
        }
    }
}
