//! Bedrock's errors.

use bytes::Bytes;
use serde::Deserialize;

use crate::gateway::llm::{RouteType, failure};

#[derive(Deserialize)]
#[serde(expecting = "struct ConverseErrorResponse")]
struct Failure {
    #[serde(alias = "Message")]
    message: String,
}

/// Reads an error of Bedrock's in the form of the client's API.
pub fn read(kind: RouteType, body: &[u8]) -> serde_json::Result<Bytes> {
    let failure: Failure = serde_json::from_slice(body)?;
    match kind {
        RouteType::Messages | RouteType::AnthropicTokenCount => {
            Ok(failure::anthropic(&failure.message))
        }
        _ => failure::openai(&failure.message),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn an_error_is_in_the_clients_form() {
        let body = br#"{"message":"no access"}"#;
        let table = [
            (
                RouteType::Completions,
                r#"{"event_id":null,"error":{"type":"invalid_request_error","message":"no access"}}"#,
            ),
            (
                RouteType::Messages,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"no access"}}"#,
            ),
        ];
        for (kind, expected) in table {
            assert_eq!(read(kind, body).unwrap(), expected);
        }
        assert!(read(RouteType::Completions, b"<html>").is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
            let _ = read(RouteType::Messages, &bytes);
        }
    }
}
