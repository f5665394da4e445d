//! Anthropic's Messages to Converse.

use serde_json::{Map, Value, json};

use super::Context;
use super::request::{
    Block, CACHE_POINT, GuardrailConfig, Image, Inference, Reasoning, ReasoningText, Request, Tool,
    ToolChoice, ToolConfig, ToolResult, ToolSpec, ToolUse, Turn, metadata,
};
use crate::gateway::llm::form::messages::{Content, Message, Messages};

/// Bedrock takes no more points at which it may cache.
const CACHE_POINTS: usize = 4;

/// How many points are left.
struct CachePoints(usize);

/// The body for Bedrock.
pub fn translate(request: &Messages, context: &Context<'_>) -> serde_json::Result<Vec<u8>> {
    let mut points = CachePoints(CACHE_POINTS);
    let system = match &request.system {
        Some(content) => blocks(content, &mut points),
        None => Vec::new(),
    };
    let messages = request
        .messages
        .iter()
        .map(|message| turn(message, &mut points))
        .collect();
    let rest = &request.rest;
    let thinks = rest.contains_key("thinking");
    let own = rest.get("metadata").and_then(Value::as_object).cloned();
    serde_json::to_vec(&Request {
        model_id: request.model.clone().unwrap_or_default(),
        messages,
        system,
        inference_config: inference(request, thinks),
        tool_config: tools(rest, thinks, &mut points),
        guardrail_config: GuardrailConfig::of(context),
        additional_model_request_fields: additional(rest, context),
        request_metadata: metadata(own.unwrap_or_default(), context),
    })
}

/// A model that thinks takes no other settings.
fn inference(request: &Messages, thinks: bool) -> Inference {
    let stop = request.rest.get("stop_sequences").and_then(Value::as_array);
    let stop = stop.into_iter().flatten().filter_map(Value::as_str);
    let top_k = request.rest.get("top_k").and_then(Value::as_u64);
    Inference {
        max_tokens: request.max_tokens.unwrap_or(4096),
        temperature: request.temperature.filter(|_| !thinks),
        top_p: request.top_p.filter(|_| !thinks),
        top_k: top_k.filter(|_| !thinks),
        stop_sequences: stop.map(str::to_string).collect(),
    }
}

fn turn(message: &Message, points: &mut CachePoints) -> Turn {
    let role = match message.role.as_str() {
        "assistant" => "assistant",
        _ => "user",
    };
    let content = message
        .content
        .as_ref()
        .map(|content| blocks(content, points));
    Turn {
        role,
        content: content.unwrap_or_default(),
    }
}

fn blocks(content: &Content, points: &mut CachePoints) -> Vec<Block> {
    let given = match content {
        Content::Text(text) => return vec![Block::Text(text.clone())],
        Content::Blocks(given) => given,
    };
    let mut blocks = Vec::with_capacity(given.len());
    for part in given {
        // What Converse has no place for the real proxy leaves out.
        let Some(translated) = block(part) else {
            continue;
        };
        blocks.push(translated);
        if points.take(part) {
            blocks.push(Block::CachePoint(CACHE_POINT));
        }
    }
    blocks
}

impl CachePoints {
    fn take(&mut self, part: &Value) -> bool {
        let wanted = !part["cache_control"].is_null() && self.0 > 0;
        self.0 -= usize::from(wanted);
        wanted
    }
}

fn block(part: &Value) -> Option<Block> {
    let text = |field: &str| part[field].as_str().map(str::to_string);
    match part["type"].as_str()? {
        "text" => text("text").map(Block::Text),
        "image" => image(&part["source"]),
        "tool_use" => Some(Block::ToolUse(ToolUse {
            tool_use_id: text("id")?,
            name: text("name")?,
            input: part["input"].clone(),
        })),
        "tool_result" => Some(Block::ToolResult(ToolResult {
            tool_use_id: text("tool_use_id")?,
            content: result(&part["content"]),
            status: part["is_error"]
                .as_bool()
                .map(|failed| if failed { "error" } else { "success" }),
        })),
        "thinking" => Some(Block::ReasoningContent(Reasoning {
            reasoning_text: ReasoningText {
                text: text("thinking")?,
                signature: text("signature"),
            },
        })),
        _ => None,
    }
}

fn image(source: &Value) -> Option<Block> {
    let (kind, data) = (source["media_type"].as_str()?, source["data"].as_str()?);
    Some(Image::of(kind, data))
}

fn result(content: &Value) -> Vec<Block> {
    match content {
        Value::String(text) => vec![Block::Text(text.clone())],
        Value::Array(parts) => parts.iter().filter_map(block).collect(),
        _ => Vec::new(),
    }
}

fn tools(rest: &Map<String, Value>, thinks: bool, points: &mut CachePoints) -> Option<ToolConfig> {
    let mut tools = Vec::new();
    for tool in rest.get("tools")?.as_array()? {
        tools.extend(ToolSpec::of(tool, &tool["input_schema"]));
        if points.take(tool) {
            tools.push(Tool::CachePoint(CACHE_POINT));
        }
    }
    let tool_choice = choice(rest.get("tool_choice").unwrap_or(&Value::Null), thinks);
    (!tools.is_empty()).then_some(ToolConfig { tools, tool_choice })
}

/// A model that thinks may not be held to one tool.
fn choice(choice: &Value, thinks: bool) -> Option<ToolChoice> {
    match choice["type"].as_str() {
        Some("any") => Some(ToolChoice::Any {}),
        _ if thinks => Some(ToolChoice::Any {}),
        Some("auto") => Some(ToolChoice::Auto {}),
        Some("tool") => {
            let name = choice["name"].as_str()?.to_string();
            Some(ToolChoice::Tool { name })
        }
        Some(_) | None => None,
    }
}

/// Fields that are the model's own: how it thinks, and what is tried out with it.
fn additional(rest: &Map<String, Value>, context: &Context<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(thinking) = rest.get("thinking") {
        fields.insert("thinking".to_string(), thinking.clone());
    }
    let given = context.headers.get_all("anthropic-beta").iter();
    let features: Vec<&str> = given
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|feature| !feature.is_empty())
        .collect();
    if !features.is_empty() {
        fields.insert("anthropic_beta".to_string(), json!(features));
    }
    fields
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn sent(body: Value, headers: &HeaderMap) -> Value {
        let request = serde_json::from_value(body).unwrap();
        let context = Context::of(headers);
        serde_json::from_slice(&translate(&request, &context).unwrap()).unwrap()
    }

    #[test]
    fn messages_with_images_tools_and_results_are_translated() {
        let body = json!({"model": "m", "max_tokens": 9, "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "1", "is_error": true, "content": [{"type": "text", "text": "r"}]},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA"}},
                    {"type": "document", "source": {}}]}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "tool", "name": "f"},
            "stop_sequences": ["X"], "top_k": 3, "temperature": 0.5, "metadata": {"user_id": "u"}});
        let expected = json!({"modelId": "m", "messages": [
                {"role": "user", "content": [{"text": "hi"}]},
                {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "x"}}}, {"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": 1}}}]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "1", "content": [{"text": "r"}], "status": "error"}},
                    {"image": {"format": "jpeg", "source": {"bytes": "AA"}}}]}],
            "system": [{"text": "s"}, {"cachePoint": {"type": "default"}}],
            "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topK": 3, "stopSequences": ["X"]},
            "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}], "toolChoice": {"tool": {"name": "f"}}},
            "requestMetadata": {"user_id": "u"}});
        assert_eq!(sent(body, &HeaderMap::new()), expected);
    }

    #[test]
    fn thinking_takes_the_place_of_other_settings() {
        let mut headers = HeaderMap::new();
        headers.insert("anthropic-beta", "a, b".parse().unwrap());
        let body = json!({"model": "m", "max_tokens": 9, "messages": [], "temperature": 0.5, "top_p": 0.5,
            "thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": [{"name": "f", "input_schema": {}}]});
        let sent = sent(body, &headers);
        assert_eq!(sent["inferenceConfig"], json!({"maxTokens": 9}));
        assert_eq!(sent["toolConfig"]["toolChoice"], json!({"any": {}}));
        let additional = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "anthropic_beta": ["a", "b"]});
        assert_eq!(sent["additionalModelRequestFields"], additional);
    }

    #[test]
    fn no_more_points_are_cached_than_bedrock_takes() {
        let block = json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}});
        let body = json!({"model": "m", "messages": [{"role": "user", "content": vec![block; 6]}]});
        let sent = sent(body, &HeaderMap::new()).to_string();
        assert_eq!(sent.matches("cachePoint").count(), 4);
    }
}
