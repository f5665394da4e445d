//! A Completions request as Messages. Only texts survive, as in the real proxy (facts 9.6).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::gateway::llm::form::completions::{Completions, Message};

/// What Anthropic must be told and OpenAI's clients may leave out (facts 9.6).
const TOKEN_LIMIT: u64 = 4096;
/// The version of Messages that Vertex AI speaks (recording `vertex-claude-chat`).
const VERTEX_VERSION: &str = "vertex-2023-10-16";

#[derive(Serialize)]
struct Request<'a> {
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<Tool<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: [Text<'a>; 1],
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "text")]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: &'a Value,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToolChoice<'a> {
    Auto,
    Any,
    None,
    Tool { name: &'a str },
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "enabled")]
struct Thinking {
    budget_tokens: u64,
}

/// The body for Anthropic.
pub fn from_completions(request: &Completions) -> serde_json::Result<Vec<u8>> {
    let is_system = |message: &&Message| message.role == "system";
    let systems = request.messages.iter().filter(is_system);
    let systems: Vec<&str> = systems.filter_map(Message::text).collect();
    let system = systems.join("\n");
    let turns = request
        .messages
        .iter()
        .filter(|message| !is_system(message));
    let rest = &request.rest;
    let user = rest.get("user").and_then(Value::as_str);
    serde_json::to_vec(&Request {
        messages: turns.filter_map(turn).collect(),
        system: Some(system).filter(|system| !system.is_empty()),
        model: request.model.as_deref().unwrap_or(""),
        max_tokens: request.token_limit().unwrap_or(TOKEN_LIMIT),
        stop_sequences: request.stop_sequences(),
        stream: request.stream == Some(true),
        temperature: request.temperature,
        top_p: request.top_p,
        tools: rest
            .get("tools")
            .and_then(Value::as_array)
            .map(|given| given.iter().filter_map(tool).collect()),
        tool_choice: rest.get("tool_choice").and_then(tool_choice),
        metadata: user.map(|user_id| Metadata { user_id }),
        thinking: request
            .thinking_budget()
            .map(|budget_tokens| Thinking { budget_tokens }),
    })
}

fn turn(message: &Message) -> Option<Turn<'_>> {
    let role = match message.role.as_str() {
        "assistant" => "assistant",
        _ => "user",
    };
    let content = [Text {
        text: message.text()?,
    }];
    Some(Turn { role, content })
}

fn tool(tool: &Value) -> Option<Tool<'_>> {
    let function = tool
        .get("function")
        .filter(|_| tool["type"] == "function")?;
    Some(Tool {
        name: function["name"].as_str()?,
        description: function["description"].as_str(),
        input_schema: &function["parameters"],
    })
}

fn tool_choice(choice: &Value) -> Option<ToolChoice<'_>> {
    match choice.as_str() {
        Some("auto") => Some(ToolChoice::Auto),
        Some("required") => Some(ToolChoice::Any),
        Some("none") => Some(ToolChoice::None),
        Some(_) => None,
        None => choice["function"]["name"]
            .as_str()
            .map(|name| ToolChoice::Tool { name }),
    }
}

/// A body of Messages for Vertex AI: the model is in the path, the version takes its place (facts 16.4).
pub fn for_vertex(body: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body)?;
    fields.insert("anthropic_version".to_string(), VERTEX_VERSION.into());
    // The last field moves to where the model was: the real proxy's order.
    fields.swap_remove("model");
    serde_json::to_vec(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(body: &str) -> String {
        let request: Completions = serde_json::from_str(body).unwrap();
        String::from_utf8(from_completions(&request).unwrap()).unwrap()
    }

    const PING: &str = r#"{"role":"user","content":[{"type":"text","text":"ping"}]}"#;

    #[test]
    fn completions_become_messages_in_the_recorded_order() {
        let table = [
            // Recording `cloud-anthropic-chat`.
            (
                r#"{"messages":[{"role":"user","content":"ping"}],"model":"m"}"#,
                format!(r#"{{"messages":[{PING}],"model":"m","max_tokens":4096}}"#),
            ),
            // Recording `cloud-anthropic-chat-full`.
            (
                r#"{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"ping"}],"model":"m","max_tokens":50,"temperature":0.2,"stop":["X"]}"#,
                format!(
                    r#"{{"messages":[{PING}],"system":"be brief","model":"m","max_tokens":50,"stop_sequences":["X"],"temperature":0.2}}"#
                ),
            ),
            // Recording `cloud-anthropic-chat-stream`.
            (
                r#"{"messages":[{"role":"user","content":"ping"}],"model":"m","stream":true}"#,
                format!(r#"{{"messages":[{PING}],"model":"m","max_tokens":4096,"stream":true}}"#),
            ),
            // Facts 9.6: parts and the history of calls are dropped, system texts are joined.
            (
                r#"{"messages":[{"role":"system","content":"a"},{"role":"system","content":"b"},{"role":"user","content":[{"type":"text","text":"x"}]},{"role":"assistant","content":null,"tool_calls":[]}],"model":"m"}"#,
                r#"{"messages":[],"system":"a\nb","model":"m","max_tokens":4096}"#.to_string(),
            ),
        ];
        for (from, expected) in table {
            assert_eq!(translated(from), expected, "{from}");
        }
    }

    #[test]
    fn tools_and_the_choice_among_them_are_translated() {
        let request = |choice: &str| {
            format!(
                r#"{{"messages":[],"model":"m","tools":[{{"type":"function","function":{{"name":"f","description":"d","parameters":{{"type":"object"}}}}}}],"tool_choice":{choice},"user":"u","reasoning_effort":"medium"}}"#
            )
        };
        let table = [
            (r#""auto""#, r#"{"type":"auto"}"#),
            (r#""required""#, r#"{"type":"any"}"#),
            (r#""none""#, r#"{"type":"none"}"#),
            (
                r#"{"type":"function","function":{"name":"f"}}"#,
                r#"{"type":"tool","name":"f"}"#,
            ),
        ];
        for (choice, expected) in table {
            assert_eq!(
                translated(&request(choice)),
                format!(
                    r#"{{"messages":[],"model":"m","max_tokens":4096,"tools":[{{"name":"f","description":"d","input_schema":{{"type":"object"}}}}],"tool_choice":{expected},"metadata":{{"user_id":"u"}},"thinking":{{"type":"enabled","budget_tokens":2048}}}}"#
                )
            );
        }
    }

    #[test]
    fn vertex_gets_a_version_where_the_model_was() {
        // Recording `vertex-claude-chat`.
        let body = format!(r#"{{"messages":[{PING}],"model":"m","max_tokens":4096}}"#);
        let sent = for_vertex(body.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(sent).unwrap(),
            format!(
                r#"{{"messages":[{PING}],"anthropic_version":"vertex-2023-10-16","max_tokens":4096}}"#
            )
        );
    }
}
