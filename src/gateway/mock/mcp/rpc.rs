//! JSON-RPC of MCP: two tools that only read, a resource, a prompt.

use serde_json::{Value, json};

use super::super::text::field;

const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const RESOURCE: &str = "mock://about";
const ABOUT: &str =
    "mock: this is the mock MCP server of gatewright; nothing that it says is true.";

/// Whether a value is a JSON-RPC 2.0 message: a request, a notification or an answer.
pub(super) fn is_message(value: &Value) -> bool {
    let has = |name| value.get(name).is_some();
    let is_call = value.get("method").is_some_and(Value::is_string);
    value.get("jsonrpc") == Some(&json!("2.0")) && (is_call || has("result") || has("error"))
}

/// The answer to a request; notifications and answers have none.
pub(super) fn reply(message: &Value) -> Option<Value> {
    let id = message.get("id")?;
    let method = message.get("method")?.as_str()?;
    let params = message.get("params").unwrap_or(&Value::Null);
    Some(match answer(method, params) {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err((code, message)) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
    })
}

type Answered = Result<Value, (i32, String)>;

fn answer(method: &str, params: &Value) -> Answered {
    Ok(match method {
        "initialize" => initialize(params),
        "ping" | "logging/setLevel" => json!({}),
        "tools/list" => json!({"tools": tools()}),
        "tools/call" => return call(params),
        "resources/list" => {
            json!({"resources": [{"uri": RESOURCE, "name": "about", "mimeType": "text/plain",
            "description": "What this server is"}]})
        }
        "resources/templates/list" => json!({"resourceTemplates": []}),
        "resources/read" if field(params, "uri") == RESOURCE => {
            json!({"contents": [{"uri": RESOURCE, "mimeType": "text/plain", "text": ABOUT}]})
        }
        "resources/read" => {
            return Err((
                -32002,
                format!("Resource not found: {}", field(params, "uri")),
            ));
        }
        "prompts/list" => json!({"prompts": [{"name": "greet", "description": "Greets somebody",
            "arguments": [{"name": "name", "description": "Whom to greet", "required": false}]}]}),
        "prompts/get" if field(params, "name") == "greet" => greet(params),
        "prompts/get" => {
            return Err((-32602, format!("Unknown prompt: {}", field(params, "name"))));
        }
        _ => return Err((-32601, "Method not found".to_string())),
    })
}

fn initialize(params: &Value) -> Value {
    let asked = field(params, "protocolVersion");
    let known = VERSIONS.iter().find(|version| **version == asked);
    let newest = VERSIONS[VERSIONS.len() - 1];
    json!({"protocolVersion": known.unwrap_or(&newest),
        "capabilities": {"tools": {"listChanged": false}, "resources": {}, "prompts": {}, "logging": {}},
        "serverInfo": {"name": "gatewright-mock", "title": "gatewright's mock MCP server", "version": env!("CARGO_PKG_VERSION")},
        "instructions": ABOUT})
}

fn tools() -> Value {
    let reads = json!({"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false});
    let number = json!({"type": "number"});
    json!([
        {"name": "echo", "title": "Echo", "description": "Says again what it is told",
            "inputSchema": {"type": "object", "properties": {"message": {"type": "string", "description": "What to say"}}, "required": ["message"]},
            "annotations": reads},
        {"name": "add", "title": "Add", "description": "Adds two numbers",
            "inputSchema": {"type": "object", "properties": {"a": number, "b": number}, "required": ["a", "b"]},
            "outputSchema": {"type": "object", "properties": {"sum": number}, "required": ["sum"]},
            "annotations": reads},
    ])
}

fn call(params: &Value) -> Answered {
    let none = Value::Null;
    let arguments = params.get("arguments").unwrap_or(&none);
    let text = |text: String, is_error: bool| json!({"content": [{"type": "text", "text": text}], "isError": is_error});
    Ok(match field(params, "name") {
        "echo" => match arguments.get("message").and_then(Value::as_str) {
            Some(message) => text(format!("mock: {message}"), false),
            None => text("mock: message is missing".to_string(), true),
        },
        "add" => {
            let number = |name| arguments.get(name).and_then(Value::as_f64);
            match number("a").zip(number("b")) {
                Some((a, b)) => {
                    let mut result = text(format!("mock: {a} + {b} = {}", a + b), false);
                    result["structuredContent"] = json!({"sum": a + b});
                    result
                }
                None => text("mock: a and b must be numbers".to_string(), true),
            }
        }
        other => return Err((-32602, format!("Unknown tool: {other}"))),
    })
}

fn greet(params: &Value) -> Value {
    let name = params
        .pointer("/arguments/name")
        .and_then(Value::as_str)
        .unwrap_or("world");
    let content = json!({"type": "text", "text": format!("mock: hello, {name}")});
    json!({"description": "Greets somebody", "messages": [{"role": "user", "content": content}]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(method: &str, params: Value) -> Value {
        reply(&json!({"jsonrpc": "2.0", "id": "a", "method": method, "params": params})).unwrap()
    }

    #[test]
    fn tools_resources_and_prompts_answer() {
        let table = [
            (
                ask(
                    "tools/call",
                    json!({"name": "echo", "arguments": {"message": "hi"}}),
                ),
                "/result/content/0/text",
                json!("mock: hi"),
            ),
            (
                ask(
                    "tools/call",
                    json!({"name": "add", "arguments": {"a": 2, "b": 0.5}}),
                ),
                "/result/structuredContent/sum",
                json!(2.5),
            ),
            (
                ask("tools/call", json!({"name": "add"})),
                "/result/isError",
                json!(true),
            ),
            (
                ask("tools/call", json!({"name": "x"})),
                "/error/code",
                json!(-32602),
            ),
            (
                ask("tools/list", json!({})),
                "/result/tools/1/annotations/readOnlyHint",
                json!(true),
            ),
            (
                ask("resources/read", json!({"uri": RESOURCE})),
                "/result/contents/0/text",
                json!(ABOUT),
            ),
            (
                ask(
                    "prompts/get",
                    json!({"name": "greet", "arguments": {"name": "you"}}),
                ),
                "/result/messages/0/content/text",
                json!("mock: hello, you"),
            ),
            (ask("nothing", json!({})), "/error/code", json!(-32601)),
            (
                ask("initialize", json!({"protocolVersion": "1999"})),
                "/result/protocolVersion",
                json!("2025-11-25"),
            ),
            (ask("ping", json!({})), "/id", json!("a")),
        ];
        for (answer, path, expected) in table {
            assert_eq!(answer.pointer(path), Some(&expected), "{answer}");
        }
    }

    #[test]
    fn notifications_and_answers_are_not_answered() {
        assert_eq!(
            reply(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})),
            None
        );
        assert_eq!(
            reply(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})),
            None
        );
    }

    proptest! {
        #[test]
        fn any_bytes_that_are_json_are_answered_or_not(text in r#"\{("(jsonrpc|id|method|params|name|arguments)":("[a-z/0-9.]*"|[0-9]|null|\{\}|\[\]),?)*\}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                is_message(&value);
                reply(&value);
            }
        }
    }
}
