//! Completions to Converse.

use serde::ser::Error as _;
use serde_json::{Map, Value, json};

use super::request::{
    Block, GuardrailConfig, Image, Inference, Request, ToolConfig, ToolResult, ToolUse, Turn,
    metadata, thinking,
};
use super::{Context, cache};
use crate::gateway::llm::form::completions::{Completions, Content, Message, Part};

/// As for Anthropic (facts 9.6).
const TOKEN_LIMIT: u64 = 4096;

type Result<T> = serde_json::Result<T>;

/// The body for Bedrock. What Converse has no place for is an error, never dropped.
pub fn translate(request: &Completions, context: &Context<'_>) -> Result<Vec<u8>> {
    let mut own = Map::new();
    if let Some(user) = request.rest.get("user") {
        own.insert("user_id".to_string(), user.clone());
    }
    own.extend(strings(request.rest.get("metadata")));
    let budget = request.thinking_budget();
    let additional = budget.map(|budget| ("thinking".to_string(), thinking(budget)));
    let mut sent = Request {
        model_id: request.model.clone().unwrap_or_default(),
        messages: turns(&request.messages)?,
        system: system(&request.messages),
        inference_config: Inference {
            max_tokens: request.token_limit().unwrap_or(TOKEN_LIMIT),
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: None,
            stop_sequences: request.stop_sequences(),
        },
        tool_config: ToolConfig::of_openai(&request.rest, |tool| &tool["function"]),
        guardrail_config: GuardrailConfig::of(context),
        additional_model_request_fields: additional.into_iter().collect(),
        request_metadata: metadata(own, context),
    };
    if let Some(caching) = context.caching {
        cache::mark(&mut sent, caching);
    }
    serde_json::to_vec(&sent)
}

/// The fields of an object that are strings.
fn strings(given: Option<&Value>) -> impl Iterator<Item = (String, Value)> + '_ {
    let fields = given.and_then(Value::as_object).into_iter().flatten();
    let strings = fields.filter(|(_, value)| value.is_string());
    strings.map(|(key, value)| (key.clone(), value.clone()))
}

/// All system messages in one text (facts 9.6).
fn system(messages: &[Message]) -> Vec<Block> {
    let systems = messages.iter().filter(|message| message.role == "system");
    let texts: Vec<&str> = systems.flat_map(texts).collect();
    match texts.join("\n") {
        text if text.is_empty() => Vec::new(),
        text => vec![Block::Text(text)],
    }
}

fn texts(message: &Message) -> Vec<&str> {
    match &message.content {
        Some(Content::Text(text)) => vec![text],
        Some(Content::Parts(parts)) => parts
            .iter()
            .filter_map(|part| part.text.as_deref())
            .collect(),
        None => Vec::new(),
    }
}

fn turns(messages: &[Message]) -> Result<Vec<Turn>> {
    let mut turns: Vec<Turn> = Vec::new();
    for message in messages.iter().filter(|message| message.role != "system") {
        let content = blocks(message)?;
        let role = match message.role.as_str() {
            "assistant" => "assistant",
            _ => "user",
        };
        match turns.last_mut() {
            _ if content.is_empty() => {}
            // The results of one turn's calls must come in one message.
            Some(last) if message.role == "tool" && is_result(last) => last.content.extend(content),
            _ => turns.push(Turn { role, content }),
        }
    }
    Ok(turns)
}

fn is_result(turn: &Turn) -> bool {
    matches!(turn.content.first(), Some(Block::ToolResult(_)))
}

fn blocks(message: &Message) -> Result<Vec<Block>> {
    let mut blocks = match &message.content {
        // Bedrock refuses a text of spaces alone; the real proxy leaves it out.
        Some(Content::Text(text)) if text.trim().is_empty() => Vec::new(),
        Some(Content::Text(text)) => vec![Block::Text(text.clone())],
        Some(Content::Parts(parts)) => parts.iter().map(part).collect::<Result<_>>()?,
        None => Vec::new(),
    };
    let calls = message.rest.get("tool_calls").and_then(Value::as_array);
    blocks.extend(calls.into_iter().flatten().filter_map(call));
    if message.role == "tool" {
        let id = message.rest.get("tool_call_id").and_then(Value::as_str);
        return Ok(vec![Block::ToolResult(ToolResult {
            tool_use_id: id.unwrap_or_default().to_string(),
            content: blocks,
            status: None,
        })]);
    }
    Ok(blocks)
}

fn part(part: &Part) -> Result<Block> {
    let image = || Image::of_url(part.rest.get("image_url")?["url"].as_str()?);
    match (part.r#type.as_str(), &part.text) {
        ("text", Some(text)) => Ok(Block::Text(text.clone())),
        ("image_url", _) => image().ok_or_else(|| {
            serde_json::Error::custom("Bedrock takes images as data: addresses only")
        }),
        (kind, _) => Err(serde_json::Error::custom(format_args!(
            "Bedrock takes no content of type {kind:?}"
        ))),
    }
}

fn call(call: &Value) -> Option<Block> {
    let function = call.get("function")?;
    let arguments = function["arguments"].as_str().unwrap_or("");
    Some(Block::ToolUse(ToolUse {
        tool_use_id: call["id"].as_str()?.to_string(),
        name: function["name"].as_str()?.to_string(),
        input: serde_json::from_str(arguments).unwrap_or(json!({})),
    }))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::gateway::llm::provider::Guardrail;

    fn sent(body: &str) -> Result<Value> {
        let (request, headers) = (serde_json::from_str(body)?, HeaderMap::new());
        let context = Context::of(&headers);
        serde_json::from_slice(&translate(&request, &context)?)
    }

    #[test]
    fn a_text_is_sent_as_recorded() {
        // Recording `cloud-bedrock-chat`.
        let body = r#"{"messages":[{"role":"user","content":"ping"}],"model":"m"}"#;
        assert_eq!(
            sent(body).unwrap().to_string(),
            r#"{"modelId":"m","messages":[{"role":"user","content":[{"text":"ping"}]}],"inferenceConfig":{"maxTokens":4096}}"#
        );
    }

    #[test]
    fn system_settings_and_metadata_have_their_places() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-bedrock-metadata",
            r#"{"n": 1, "deep": {}}"#.parse().unwrap(),
        );
        let guardrail = Guardrail {
            identifier: "g".to_string(),
            version: "1".to_string(),
        };
        let context = Context {
            guardrail: Some(&guardrail),
            ..Context::of(&headers)
        };
        let request = serde_json::from_str(
            r#"{"messages":[{"role":"system","content":"a"},{"role":"system","content":"b"},{"role":"user","content":" "}],"model":"m",
            "max_completion_tokens":5,"max_tokens":9,"temperature":0.5,"top_p":0.25,"stop":"X","user":"u","metadata":{"k":"v"},"reasoning_effort":"low"}"#,
        );
        let body = translate(&request.unwrap(), &context).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"modelId":"m","messages":[],"system":[{"text":"a\nb"}],"inferenceConfig":{"maxTokens":5,"temperature":0.5,"topP":0.25,"stopSequences":["X"]},"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled"},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}},"requestMetadata":{"user_id":"u","k":"v","n":"1"}}"#
        );
    }

    #[test]
    fn images_calls_and_their_results_are_translated() {
        let sent = sent(
            r#"{"model":"m","messages":[
            {"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"2","type":"function","function":{"name":"g","arguments":""}}]},
            {"role":"tool","tool_call_id":"1","content":"one"},{"role":"tool","tool_call_id":"2","content":"two"}],
            "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},{"type":"function","function":{"name":"g"}}],"tool_choice":"required"}"#,
        )
        .unwrap();
        let expected = json!([
            {"role": "user", "content": [{"text": "see"}, {"image": {"format": "png", "source": {"bytes": "AAAA"}}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "f", "input": {"x": 1}}}, {"toolUse": {"toolUseId": "2", "name": "g", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "one"}]}}, {"toolResult": {"toolUseId": "2", "content": [{"text": "two"}]}}]},
        ]);
        assert_eq!(sent["messages"], expected);
        let tools = json!({"tools": [
            {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}},
            {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object"}}}},
        ], "toolChoice": {"any": {}}});
        assert_eq!(sent["toolConfig"], tools);
    }

    #[test]
    fn what_converse_has_no_place_for_is_refused() {
        for part in [
            r#"{"type":"image_url","image_url":{"url":"https://example.com/x.png"}}"#,
            r#"{"type":"input_audio","input_audio":{}}"#,
        ] {
            let body =
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#);
            assert!(
                sent(&body)
                    .unwrap_err()
                    .to_string()
                    .starts_with("Bedrock takes ")
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(role in any::<String>(), text in any::<String>(), arguments in any::<String>()) {
            let body = json!({"messages": [{"role": role, "content": [{"type": "image_url", "image_url": {"url": text}}],
                "tool_calls": [{"id": text, "function": {"name": role, "arguments": arguments}}]}], "tools": [text], "tool_choice": text});
            let _ = sent(&body.to_string());
        }
    }
}
