//! A Converse request, in the order of recording `cloud-bedrock-chat`.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Context;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub model_id: String,
    pub messages: Vec<Turn>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<Block>,
    pub inference_config: Inference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_config: Option<ToolConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardrail_config: Option<GuardrailConfig>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub additional_model_request_fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub request_metadata: Map<String, Value>,
}

#[derive(Serialize)]
pub struct Turn {
    pub role: &'static str,
    pub content: Vec<Block>,
}

/// A piece of a message, or of the system's prompt.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Block {
    Text(String),
    Image(Image),
    ToolUse(ToolUse),
    ToolResult(ToolResult),
    ReasoningContent(Reasoning),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
pub struct Image {
    pub format: String,
    pub source: ImageSource,
}

#[derive(Serialize)]
pub struct ImageSource {
    /// Base64.
    pub bytes: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse {
    pub tool_use_id: String,
    pub name: String,
    pub input: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    pub tool_use_id: String,
    pub content: Vec<Block>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reasoning {
    pub reasoning_text: ReasoningText,
}

#[derive(Serialize)]
pub struct ReasoningText {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

#[derive(Serialize)]
pub struct CachePoint {
    pub r#type: &'static str,
}

pub const CACHE_POINT: CachePoint = CachePoint { r#type: "default" };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inference {
    pub max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
}

/// Bedrock refuses an empty list of tools.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolConfig {
    pub tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tool {
    ToolSpec(ToolSpec),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSpec {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub input_schema: Schema,
}

#[derive(Serialize)]
pub struct Schema {
    pub json: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ToolChoice {
    Any {},
    Auto {},
    Tool { name: String },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardrailConfig {
    guardrail_identifier: String,
    guardrail_version: String,
    trace: &'static str,
}

impl GuardrailConfig {
    pub fn of(context: &Context<'_>) -> Option<GuardrailConfig> {
        let guardrail = context.guardrail?;
        Some(GuardrailConfig {
            guardrail_identifier: guardrail.identifier.clone(),
            guardrail_version: guardrail.version.clone(),
            trace: "enabled",
        })
    }
}

impl ToolConfig {
    /// The `tools` and `tool_choice` of either of OpenAI's APIs; `function` is where a function's name
    /// and parameters stand in a tool, and its name in a choice. Converse has no word for `none`.
    pub fn of_openai(
        fields: &Map<String, Value>,
        function: fn(&Value) -> &Value,
    ) -> Option<ToolConfig> {
        let given = fields.get("tools")?.as_array()?;
        let functions = given.iter().filter(|tool| tool["type"] == "function");
        let specs = functions.map(function);
        let tools: Vec<_> = specs
            .filter_map(|spec| ToolSpec::of(spec, &spec["parameters"]))
            .collect();
        let choice = |choice: &Value| match choice.as_str() {
            Some("auto") => Some(ToolChoice::Auto {}),
            Some("required") => Some(ToolChoice::Any {}),
            Some(_) => None,
            None => {
                let name = function(choice)["name"].as_str()?.to_string();
                Some(ToolChoice::Tool { name })
            }
        };
        let tool_choice = fields.get("tool_choice").and_then(choice);
        (!tools.is_empty()).then_some(ToolConfig { tools, tool_choice })
    }
}

impl ToolSpec {
    /// A function's `name`, `description` and schema.
    pub fn of(function: &Value, schema: &Value) -> Option<Tool> {
        Some(Tool::ToolSpec(ToolSpec {
            name: function["name"].as_str()?.to_string(),
            description: function["description"].as_str().map(str::to_string),
            input_schema: Schema {
                json: match schema {
                    Value::Null => json!({"type": "object"}),
                    schema => schema.clone(),
                },
            },
        }))
    }
}

impl Image {
    /// `media_type` is `image/png` or alike, `data` base64.
    pub fn of(media_type: &str, data: &str) -> Block {
        let format = media_type.strip_prefix("image/").unwrap_or(media_type);
        Block::Image(Image {
            format: format.to_string(),
            source: ImageSource {
                bytes: data.to_string(),
            },
        })
    }

    /// An image in a `data:` address; Converse takes no others.
    pub fn of_url(url: &str) -> Option<Block> {
        let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
        Some(Image::of(kind.strip_suffix(";base64")?, data))
    }
}

/// Plain values of the header `x-bedrock-metadata`, which a policy may have set, over the request's own.
pub fn metadata(own: Map<String, Value>, context: &Context<'_>) -> Map<String, Value> {
    let given = context.header("x-bedrock-metadata");
    let given = given.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let mut metadata = Map::new();
    for (key, value) in own.into_iter().chain(given.into_iter().flatten()) {
        match value {
            Value::String(_) => drop(metadata.insert(key, value)),
            Value::Number(_) | Value::Bool(_) => {
                metadata.insert(key, value.to_string().into());
            }
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }
    metadata
}

/// `thinking`, as Anthropic's models take it.
pub fn thinking(budget: u64) -> Value {
    json!({"type": "enabled", "budget_tokens": budget})
}
