//! OpenAI's Responses to Converse.

use serde::ser::Error as _;
use serde_json::{Map, Value, json};

use super::request::{
    Block, GuardrailConfig, Image, Inference, Request, ToolConfig, ToolResult, ToolUse, Turn,
    metadata,
};
use super::{Context, cache};
use crate::gateway::llm::form::responses::Responses;

/// As for Completions (facts 9.6).
const TOKEN_LIMIT: u64 = 4096;

type Result<T> = serde_json::Result<T>;

/// The body for Bedrock. What Converse has no place for is an error, never dropped.
pub fn translate(request: &Responses, context: &Context<'_>) -> Result<Vec<u8>> {
    let mut system = Vec::new();
    let instructions = request.rest.get("instructions").and_then(Value::as_str);
    system.extend(instructions.map(|text| Block::Text(text.to_string())));
    let mut turns = Vec::new();
    match &request.input {
        Value::Array(items) => {
            for item in items {
                add(item, &mut system, &mut turns)?;
            }
        }
        Value::String(text) => turns.push(user(vec![Block::Text(text.clone())])),
        _ => return Err(serde_json::Error::custom("input must be a text or a list")),
    }
    let own = request
        .rest
        .get("metadata")
        .and_then(Value::as_object)
        .cloned();
    let mut sent = Request {
        model_id: request.model.clone().unwrap_or_default(),
        messages: turns,
        system,
        inference_config: Inference {
            max_tokens: request.max_output_tokens.unwrap_or(TOKEN_LIMIT),
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: None,
            stop_sequences: Vec::new(),
        },
        tool_config: ToolConfig::of_openai(&request.rest, |tool| tool),
        guardrail_config: GuardrailConfig::of(context),
        additional_model_request_fields: Map::new(),
        request_metadata: metadata(own.unwrap_or_default(), context),
    };
    if let Some(caching) = context.caching {
        cache::mark(&mut sent, caching);
    }
    serde_json::to_vec(&sent)
}

fn user(content: Vec<Block>) -> Turn {
    Turn {
        role: "user",
        content,
    }
}

fn assistant(content: Vec<Block>) -> Turn {
    Turn {
        role: "assistant",
        content,
    }
}

fn add(item: &Value, system: &mut Vec<Block>, turns: &mut Vec<Turn>) -> Result<()> {
    let text = |field: &str| item[field].as_str().unwrap_or("").to_string();
    match item["type"].as_str().unwrap_or("message") {
        "message" => {
            let content = blocks(&item["content"])?;
            match item["role"].as_str() {
                _ if content.is_empty() => {}
                Some("system" | "developer") => system.extend(content),
                Some("assistant") => turns.push(assistant(content)),
                Some(_) | None => turns.push(user(content)),
            }
        }
        "function_call" => {
            let input = serde_json::from_str(&text("arguments")).unwrap_or(json!({}));
            turns.push(assistant(vec![call(item, input)]));
        }
        "custom_tool_call" => {
            turns.push(assistant(vec![call(item, json!({"input": item["input"]}))]))
        }
        "function_call_output" | "custom_tool_call_output" => {
            turns.push(user(vec![Block::ToolResult(ToolResult {
                tool_use_id: text("call_id"),
                content: blocks(&item["output"])?,
                status: Some("success"),
            })]))
        }
        // A model's thoughts are its own: they can't be given to another.
        "reasoning" | "item_reference" => {}
        kind => {
            let message = format_args!("Bedrock takes no input of type {kind:?}").to_string();
            return Err(serde_json::Error::custom(message));
        }
    }
    Ok(())
}

fn call(item: &Value, input: Value) -> Block {
    Block::ToolUse(ToolUse {
        tool_use_id: item["call_id"].as_str().unwrap_or("").to_string(),
        name: item["name"].as_str().unwrap_or("").to_string(),
        input,
    })
}

fn blocks(content: &Value) -> Result<Vec<Block>> {
    match content {
        Value::String(text) => Ok(vec![Block::Text(text.clone())]),
        Value::Array(parts) => parts.iter().map(block).collect(),
        _ => Ok(Vec::new()),
    }
}

fn block(part: &Value) -> Result<Block> {
    let refused = |what: &str| Err(serde_json::Error::custom(format!("Bedrock takes {what}")));
    match (part["type"].as_str().unwrap_or(""), part["text"].as_str()) {
        ("input_text" | "output_text", Some(text)) => Ok(Block::Text(text.to_string())),
        ("input_image", _) => match part["image_url"].as_str().and_then(Image::of_url) {
            Some(image) => Ok(image),
            None => refused("images as data: addresses only"),
        },
        (kind, _) => refused(&format!("no content of type {kind:?}")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn sent(body: Value) -> Result<Value> {
        let (request, headers) = (serde_json::from_value(body)?, HeaderMap::new());
        let context = Context::of(&headers);
        serde_json::from_slice(&translate(&request, &context)?)
    }

    #[test]
    fn a_text_is_a_users_message() {
        let sent = sent(
            json!({"model": "m", "input": "hi", "instructions": "be brief", "max_output_tokens": 5}),
        );
        let expected = json!({"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "system": [{"text": "be brief"}], "inferenceConfig": {"maxTokens": 5}});
        assert_eq!(sent.unwrap(), expected);
    }

    #[test]
    fn items_images_and_calls_are_translated() {
        let sent = sent(json!({"model": "m", "input": [
            {"role": "developer", "content": "d"},
            {"role": "user", "content": [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "data:image/png;base64,AA"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "y"}]},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": "1", "output": "r"}],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}, {"type": "web_search"}], "tool_choice": {"type": "function", "name": "f"}}));
        let expected = json!({"modelId": "m", "messages": [
                {"role": "user", "content": [{"text": "x"}, {"image": {"format": "png", "source": {"bytes": "AA"}}}]},
                {"role": "assistant", "content": [{"text": "y"}]},
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": 1}}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "r"}], "status": "success"}}]}],
            "system": [{"text": "d"}], "inferenceConfig": {"maxTokens": 4096},
            "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}], "toolChoice": {"tool": {"name": "f"}}}});
        assert_eq!(sent.unwrap(), expected);
    }

    #[test]
    fn what_converse_has_no_place_for_is_refused() {
        for input in [
            json!(5),
            json!([{"type": "computer_call"}]),
            json!([{"role": "user", "content": [{"type": "input_file"}]}]),
        ] {
            assert!(
                sent(json!({"model": "m", "input": input})).is_err(),
                "{input}"
            );
        }
    }
}
