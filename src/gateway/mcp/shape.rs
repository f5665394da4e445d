//! Which fields the real proxy's answers keep, and in which order.

use serde_json::{Map, Value};

/// What a value looks like when the real proxy has read it into its types and written it again.
enum Shape {
    /// Kept as it is.
    Any,
    /// These fields in this order, and no others; one that is null is left out.
    Object(&'static [(&'static str, &'static Shape)]),
    Each(&'static Shape),
}

static ANY: Shape = Shape::Any;
static ICONS: Shape = Shape::Each(&Shape::Object(&[
    ("src", &ANY),
    ("mimeType", &ANY),
    ("sizes", &ANY),
]));
static CHANGES: Shape = Shape::Object(&[("subscribe", &ANY), ("listChanged", &ANY)]);
static CAPABILITIES: Shape = Shape::Object(&[
    ("experimental", &ANY),
    ("logging", &ANY),
    ("completions", &ANY),
    ("prompts", &CHANGES),
    ("resources", &CHANGES),
    ("tools", &CHANGES),
    (
        "tasks",
        &Shape::Object(&[("requests", &ANY), ("list", &ANY), ("cancel", &ANY)]),
    ),
]);
static SERVER: Shape = Shape::Object(&[
    ("name", &ANY),
    ("title", &ANY),
    ("version", &ANY),
    ("icons", &ICONS),
    ("websiteUrl", &ANY),
]);
static INITIALIZE: Shape = Shape::Object(&[
    ("protocolVersion", &ANY),
    ("capabilities", &CAPABILITIES),
    ("serverInfo", &SERVER),
    ("instructions", &ANY),
]);
static TOOLS: Shape = Shape::Object(&[(
    "tools",
    &Shape::Each(&Shape::Object(&[
        ("name", &ANY),
        ("title", &ANY),
        ("description", &ANY),
        ("inputSchema", &ANY),
        ("outputSchema", &ANY),
        (
            "annotations",
            &Shape::Object(&[
                ("title", &ANY),
                ("readOnlyHint", &ANY),
                ("destructiveHint", &ANY),
                ("idempotentHint", &ANY),
                ("openWorldHint", &ANY),
            ]),
        ),
        ("icons", &ICONS),
        ("_meta", &ANY),
    ])),
)]);
static PROMPTS: Shape = Shape::Object(&[(
    "prompts",
    &Shape::Each(&Shape::Object(&[
        ("name", &ANY),
        ("title", &ANY),
        ("description", &ANY),
        (
            "arguments",
            &Shape::Each(&Shape::Object(&[
                ("name", &ANY),
                ("title", &ANY),
                ("description", &ANY),
                ("required", &ANY),
            ])),
        ),
        ("icons", &ICONS),
        ("_meta", &ANY),
    ])),
)]);
static RESOURCES: Shape = Shape::Object(&[(
    "resources",
    &Shape::Each(&Shape::Object(&[
        ("uri", &ANY),
        ("name", &ANY),
        ("title", &ANY),
        ("description", &ANY),
        ("mimeType", &ANY),
        ("size", &ANY),
        ("icons", &ICONS),
        ("_meta", &ANY),
        ("annotations", &ANNOTATIONS),
    ])),
)]);
static TEMPLATES: Shape = Shape::Object(&[(
    "resourceTemplates",
    &Shape::Each(&Shape::Object(&[
        ("uriTemplate", &ANY),
        ("name", &ANY),
        ("title", &ANY),
        ("description", &ANY),
        ("mimeType", &ANY),
        ("icons", &ICONS),
        ("annotations", &ANNOTATIONS),
    ])),
)]);
static ANNOTATIONS: Shape = Shape::Object(&[
    ("audience", &ANY),
    ("priority", &ANY),
    ("lastModified", &ANY),
]);
static TEXT_OR_BLOB: Shape = Shape::Object(&[
    ("uri", &ANY),
    ("mimeType", &ANY),
    ("text", &ANY),
    ("blob", &ANY),
    ("_meta", &ANY),
]);
static READ: Shape = Shape::Object(&[("contents", &Shape::Each(&TEXT_OR_BLOB))]);
static CALL: Shape = Shape::Object(&[
    (
        "content",
        // Text, image, audio, resource and link in one: none has a field that another may not have.
        &Shape::Each(&Shape::Object(&[
            ("type", &ANY),
            ("text", &ANY),
            ("data", &ANY),
            ("uri", &ANY),
            ("name", &ANY),
            ("title", &ANY),
            ("description", &ANY),
            ("mimeType", &ANY),
            ("size", &ANY),
            ("icons", &ICONS),
            ("_meta", &ANY),
            ("resource", &TEXT_OR_BLOB),
            ("annotations", &ANNOTATIONS),
        ])),
    ),
    ("structuredContent", &ANY),
    ("isError", &ANY),
    ("_meta", &ANY),
]);
static PROMPT: Shape = Shape::Object(&[("description", &ANY), ("messages", &ANY)]);
static COMPLETE: Shape = Shape::Object(&[(
    "completion",
    &Shape::Object(&[("values", &ANY), ("total", &ANY), ("hasMore", &ANY)]),
)]);

/// A result as the real proxy passes it on: it reads each into the types of rmcp 0.14 and writes it
/// again, so fields that these do not have are gone (recording policies/mcp: the server's tools have
/// `execution`, the proxy's answer has not). What is no result of that method stays as it is.
pub(super) fn result(method: &str, value: Value) -> Value {
    let (shape, needed) = match method {
        "initialize" => (&INITIALIZE, "serverInfo"),
        "tools/list" => (&TOOLS, "tools"),
        "prompts/list" => (&PROMPTS, "prompts"),
        "resources/list" => (&RESOURCES, "resources"),
        "resources/templates/list" => (&TEMPLATES, "resourceTemplates"),
        "resources/read" => (&READ, "contents"),
        "tools/call" => (&CALL, "content"),
        "prompts/get" => (&PROMPT, "messages"),
        "completion/complete" => (&COMPLETE, "completion"),
        _ => return value,
    };
    match value.get(needed) {
        Some(_) => shaped(value, shape),
        None => value,
    }
}

fn shaped(value: Value, shape: &Shape) -> Value {
    match (shape, value) {
        (Shape::Object(fields), Value::Object(mut given)) => {
            let mut kept = Map::new();
            for (name, shape) in *fields {
                match given.remove(*name) {
                    None | Some(Value::Null) => {}
                    Some(value) => drop(kept.insert((*name).to_string(), shaped(value, shape))),
                }
            }
            Value::Object(kept)
        }
        (Shape::Each(shape), Value::Array(items)) => {
            let items = items.into_iter().map(|item| shaped(item, shape));
            Value::Array(items.collect())
        }
        (Shape::Any | Shape::Object(_) | Shape::Each(_), value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tool_is_written_as_recorded() {
        // As `@modelcontextprotocol/server-everything` 2026 sends it, and recording policies/mcp has it.
        let sent = r#"{"tools":[{"name":"echo","title":"Echo Tool","description":"Echoes","inputSchema":{"b":1,"a":2},"annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false},"execution":{"taskSupport":"forbidden"},"outputSchema":{"type":"object"}}],"nextCursor":null}"#;
        let kept = r#"{"tools":[{"name":"echo","title":"Echo Tool","description":"Echoes","inputSchema":{"b":1,"a":2},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}]}"#;
        let value = serde_json::from_str(sent).unwrap();
        assert_eq!(result("tools/list", value).to_string(), kept);
    }

    #[test]
    fn what_is_no_result_of_that_method_stays_as_it_is() {
        for value in [json!({"x": 1, "y": null}), json!([1]), json!(null)] {
            assert_eq!(result("tools/list", value.clone()), value);
            assert_eq!(result("tasks/get", value.clone()), value);
        }
    }

    #[test]
    fn a_call_keeps_every_kind_of_content() {
        let content = json!({"content": [
            {"type": "text", "text": "t", "annotations": {"audience": ["user"], "priority": 0.5}},
            {"type": "image", "data": "AA==", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "a:b", "mimeType": "text/plain", "text": "x"}},
            {"type": "resource_link", "uri": "a:b", "name": "n", "mimeType": "text/plain"},
        ], "structuredContent": {"a": 1}, "isError": false});
        assert_eq!(result("tools/call", content.clone()), content);
    }
}
