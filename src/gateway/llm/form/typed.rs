//! What a completion must be to be translated: the real proxy reads it once more, into types that know
//! every field (`async-openai`'s), and says of what does not fit what serde says.

use serde::de::Error as _;
use serde_json::Value;

use super::completions::{Completions, Message};

const ROLES: &[&str] = &[
    "developer",
    "system",
    "user",
    "assistant",
    "tool",
    "function",
];

type Result = serde_json::Result<()>;

/// Whether a request can be translated at all.
pub fn check(request: &Completions) -> Result {
    request.messages.iter().try_for_each(message)?;
    match request.rest.get("tools") {
        Some(Value::Array(tools)) => tools.iter().try_for_each(tool),
        _ => Ok(()),
    }
}

fn missing(field: &'static str) -> serde_json::Error {
    serde_json::Error::missing_field(field)
}

fn message(message: &Message) -> Result {
    let content = message.content.as_ref().map(drop);
    match message.role.as_str() {
        "developer" | "system" | "user" => content.ok_or_else(|| missing("content")),
        "tool" => {
            content.ok_or_else(|| missing("content"))?;
            has(message.rest.get("tool_call_id"), "tool_call_id")
        }
        "function" => has(message.name.as_ref(), "name"),
        "assistant" => match message.rest.get("tool_calls") {
            Some(Value::Array(calls)) => calls.iter().try_for_each(call),
            _ => Ok(()),
        },
        other => Err(serde_json::Error::unknown_variant(other, ROLES)),
    }
}

fn has<T>(field: Option<T>, name: &'static str) -> Result {
    field.map(drop).ok_or_else(|| missing(name))
}

fn call(call: &Value) -> Result {
    has(call.get("id"), "id")?;
    has(call.get("type"), "type")?;
    let function = call.get("function").ok_or_else(|| missing("function"))?;
    has(function.get("name"), "name")?;
    has(function.get("arguments"), "arguments")
}

fn tool(tool: &Value) -> Result {
    has(tool.get("type"), "type")?;
    let function = tool.get("function").ok_or_else(|| missing("function"))?;
    has(function.get("name"), "name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_real_proxys_types_lack_is_told() {
        let call =
            json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let table = [
            (json!({"role": "user", "content": "x"}), json!([]), ""),
            (
                json!({"role": "assistant"}),
                json!([{"type": "function", "function": {"name": "f"}}]),
                "",
            ),
            (
                json!({"role": "assistant", "tool_calls": [call]}),
                json!(null),
                "",
            ),
            (
                json!({"role": "user"}),
                json!([]),
                "missing field `content`",
            ),
            (
                json!({"role": "tool", "content": "x"}),
                json!([]),
                "missing field `tool_call_id`",
            ),
            (
                json!({"role": "assistant", "tool_calls": [{"id": "c"}]}),
                json!([]),
                "missing field `type`",
            ),
            (
                json!({"role": "assistant"}),
                json!([{"name": "f", "input_schema": {}}]),
                "missing field `type`",
            ),
            (
                json!({"role": "assistant"}),
                json!([{"type": "function"}]),
                "missing field `function`",
            ),
            (
                json!({"role": "robot", "content": "x"}),
                json!([]),
                "unknown variant `robot`, expected one of `developer`, `system`, `user`, `assistant`, `tool`, `function`",
            ),
        ];
        for (message, tools, expected) in table {
            let request = json!({"messages": [message], "tools": tools});
            let request = serde_json::from_value(request).unwrap();
            let told = check(&request).map_or_else(|error| error.to_string(), |()| String::new());
            assert_eq!(told, expected, "{message}");
        }
    }
}
