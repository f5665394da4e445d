//! Counting tokens: Bedrock counts what a call to the model itself would be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Context;
use crate::gateway::llm::form::messages::Messages;

/// The body of `count-tokens`.
pub fn from_messages(request: &Messages, context: &Context<'_>) -> serde_json::Result<Vec<u8>> {
    let version = context.header("anthropic-version").unwrap_or("2023-06-01");
    let mut fields: Map<String, Value> = serde_json::from_slice(&serde_json::to_vec(request)?)?;
    // The path names the model; a call must have a limit, and the least is enough to count.
    fields.swap_remove("model");
    fields.entry("max_tokens").or_insert(1.into());
    fields.entry("anthropic_version").or_insert(version.into());
    let call = STANDARD.encode(serde_json::to_vec(&fields)?);
    serde_json::to_vec(&json!({"input": {"invokeModel": {"body": call}}}))
}

#[derive(Deserialize)]
struct Counted {
    #[serde(alias = "inputTokens")]
    input_tokens: u64,
}

/// The count as Anthropic would tell it.
pub fn read(body: &[u8]) -> serde_json::Result<Bytes> {
    let count: Counted = serde_json::from_slice(body)?;
    let body = json!({"input_tokens": count.input_tokens});
    Ok(body.to_string().into())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_call_is_wrapped_and_its_count_unwrapped() {
        let request = serde_json::from_value(json!({"model": "m", "messages": []})).unwrap();
        let headers = HeaderMap::new();
        let context = Context::of(&headers);
        let body: Value =
            serde_json::from_slice(&from_messages(&request, &context).unwrap()).unwrap();
        let call = STANDARD
            .decode(body["input"]["invokeModel"]["body"].as_str().unwrap())
            .unwrap();
        assert_eq!(
            String::from_utf8(call).unwrap(),
            r#"{"messages":[],"max_tokens":1,"anthropic_version":"2023-06-01"}"#
        );
        assert_eq!(
            read(br#"{"inputTokens":7}"#).unwrap(),
            r#"{"input_tokens":7}"#
        );
    }
}
