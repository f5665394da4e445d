//! Which tool of an MCP server a proof calls, and with what. Pure.

use serde_json::{Map, Value, json};

/// A tool that its server marks as one that only reads, and what it is called with: first one that
/// wants nothing. `None` where none is marked, all want what can't be made up, or what is left may tell
/// secrets: its answer would stand in reports and logs.
pub fn harmless(tools: &[Value]) -> Option<(String, Value)> {
    let marked = tools
        .iter()
        .filter(|tool| is_marked(tool) && delicate(tool).is_none());
    let mut callable: Vec<(String, Map<String, Value>)> = marked
        .filter_map(|tool| {
            Some((
                tool["name"].as_str()?.to_string(),
                arguments(&tool["inputSchema"])?,
            ))
        })
        .collect();
    callable.sort_by_key(|(_, arguments)| arguments.len());
    let (name, arguments) = callable.into_iter().next()?;
    Some((name, Value::Object(arguments)))
}

fn is_marked(tool: &Value) -> bool {
    tool["annotations"]["readOnlyHint"] == true
}

/// Why no tool was called.
pub fn none(tools: &[Value]) -> String {
    let mut marked = tools.iter().filter(|tool| is_marked(tool)).peekable();
    if marked.peek().is_none() {
        return "none says that it only reads: none was called".to_string();
    }
    let told = marked.find_map(|tool| Some((tool["name"].as_str()?, delicate(tool)?)));
    match told {
        Some((name, word)) => format!("none was called: {name} speaks of {word}"),
        None => "none was called: what they want can't be made up".to_string(),
    }
}

/// What of a machine nobody wants in a report, where a tool's name or description speaks of it.
fn delicate(tool: &Value) -> Option<&'static str> {
    const PARTS: [&str; 5] = ["environment", "secret", "password", "passwd", "credential"];
    const WORDS: [(&str, &str); 9] = [
        ("env", "environment"),
        ("envs", "environment"),
        ("key", "keys"),
        ("keys", "keys"),
        ("apikey", "keys"),
        ("apikeys", "keys"),
        ("token", "tokens"),
        ("tokens", "tokens"),
        ("pwd", "password"),
    ];
    let said = ["name", "title", "description"].map(|field| tool[field].as_str().unwrap_or(""));
    let title = tool["annotations"]["title"].as_str().unwrap_or("");
    let said = [said.join(" ").as_str(), title].join(" ");
    let whole = said.to_lowercase();
    let part = PARTS.iter().find(|part| whole.contains(**part)).copied();
    part.or_else(|| {
        let words = words(&said);
        let known = WORDS
            .iter()
            .find(|(word, _)| words.iter().any(|w| w == word));
        known.map(|(_, what)| *what)
    })
}

/// `printEnv` and `print_env` are two words each.
fn words(text: &str) -> Vec<String> {
    let mut apart = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if before.is_lowercase() && c.is_uppercase() {
            apart.push(' ');
        }
        apart.push(if c.is_alphanumeric() { c } else { ' ' });
        before = c;
    }
    apart.split_whitespace().map(str::to_lowercase).collect()
}

/// What a tool can't be called without, made up from its schema.
fn arguments(schema: &Value) -> Option<Map<String, Value>> {
    let required = schema["required"].as_array();
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let made = names.map(|name| {
        let property = &schema["properties"][name];
        let value = match (property["enum"].get(0), property["type"].as_str()?) {
            (Some(first), _) => first.clone(),
            (None, "string") => json!("ping"),
            (None, "integer" | "number") => property.get("minimum").cloned().unwrap_or(json!(1)),
            (None, "boolean") => json!(false),
            (None, "array") => json!([]),
            (None, _) => return None,
        };
        Some((name.to_string(), value))
    });
    made.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tool_that_says_it_only_reads_is_called() {
        let tool = |name: &str, reads: bool, schema: Value| json!({"name": name, "annotations": {"readOnlyHint": reads}, "inputSchema": schema});
        let wants = json!({"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string"}, "b": {"enum": ["x"], "type": "string"}}});
        let writes = tool("write", false, json!({}));
        let reads = tool("read", true, wants);
        let deep = tool(
            "deep",
            true,
            json!({"required": ["o"], "properties": {"o": {"type": "object"}}}),
        );
        assert_eq!(harmless(&[writes.clone(), deep.clone()]), None);
        let called = harmless(&[writes.clone(), deep, reads.clone()]);
        assert_eq!(
            called,
            Some(("read".into(), json!({"a": "ping", "b": "x"})))
        );
        let free = tool("free", true, json!({"type": "object"}));
        assert_eq!(harmless(&[reads, free]), Some(("free".into(), json!({}))));
    }

    #[test]
    fn a_tool_that_may_tell_secrets_is_not_called() {
        let tool = |name: &str, about: &str| json!({"name": name, "description": about, "annotations": {"readOnlyHint": true}, "inputSchema": {}});
        let named = |tools: &[Value]| harmless(tools).map(|(name, _)| name);
        let echo = json!({"name": "echo", "annotations": {"readOnlyHint": true},
            "inputSchema": {"required": ["m"], "properties": {"m": {"type": "string"}}}});
        for (name, about, word) in [
            ("printEnv", "", "environment"),
            ("print_env", "", "environment"),
            ("list", "Prints all environment variables", "environment"),
            ("getApiKey", "", "keys"),
            ("whoami", "Shows the Token of the session", "tokens"),
            ("vault", "Reads secrets", "secret"),
            ("login", "Needs no password", "password"),
            ("aws-credentials", "", "credential"),
        ] {
            let delicate = tool(name, about);
            // It wants nothing, and the other one is called all the same.
            assert_eq!(
                named(&[delicate.clone(), echo.clone()]),
                Some("echo".to_string())
            );
            assert_eq!(named(std::slice::from_ref(&delicate)), None);
            let why = format!("none was called: {name} speaks of {word}");
            assert_eq!(none(&[delicate]), why);
        }
        for (name, about) in [("monkey", "Envies the keyboard"), ("tokenize", "a keynote")] {
            assert_eq!(named(&[tool(name, about)]), Some(name.to_string()));
        }
    }
}
