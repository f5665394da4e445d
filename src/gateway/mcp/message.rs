//! One JSON-RPC message of MCP, kept as it came but for the order of its fields.

use serde_json::{Map, Value, json};

use super::shape;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Notification,
    Result,
    Error,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub kind: Kind,
    fields: Map<String, Value>,
}

/// The real proxy's word for JSON that is no message.
const NO_MESSAGE: &str = "data did not match any variant of untagged enum JsonRpcMessage";

impl Message {
    /// Reads a message; the error is serde's, or that of the real proxy's types.
    pub fn parse(bytes: &[u8]) -> Result<Message, String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let Value::Object(fields) = value else {
            return Err(NO_MESSAGE.to_string());
        };
        let id = fields.get("id");
        let has_id = id.is_some_and(|id| id.is_string() || id.is_i64() || id.is_u64());
        let has_method = fields.get("method").is_some_and(Value::is_string);
        let kind = match (has_id, has_method) {
            (true, true) => Kind::Request,
            (true, false) if fields.contains_key("result") => Kind::Result,
            (true, false) if fields.get("error").is_some_and(Value::is_object) => Kind::Error,
            (false, true) if id.is_none_or(Value::is_null) => Kind::Notification,
            _ => return Err(NO_MESSAGE.to_string()),
        };
        match fields.get("jsonrpc") == Some(&json!("2.0")) {
            true => Ok(Message { kind, fields }),
            false => Err(NO_MESSAGE.to_string()),
        }
    }

    fn of(kind: Kind, fields: Value) -> Message {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Message { kind, fields }
    }

    pub fn request(id: Value, method: &str, params: Value) -> Message {
        Message::of(
            Kind::Request,
            json!({"id": id, "method": method, "params": params}),
        )
    }

    pub fn notification(method: &str) -> Message {
        Message::of(Kind::Notification, json!({"method": method}))
    }

    pub fn result(id: Value, result: Value) -> Message {
        Message::of(Kind::Result, json!({"id": id, "result": result}))
    }

    pub fn error(id: Value, code: i64, message: &str) -> Message {
        let error = json!({"code": code, "message": message});
        Message::of(Kind::Error, json!({"id": id, "error": error}))
    }

    pub fn id(&self) -> Value {
        self.fields.get("id").cloned().unwrap_or(Value::Null)
    }

    pub fn method(&self) -> &str {
        let method = self.fields.get("method").and_then(Value::as_str);
        method.unwrap_or("")
    }

    /// The text of a parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.fields.get("params")?.get(name)?.as_str()
    }

    pub fn set_param(&mut self, name: &str, value: Value) {
        if let Some(Value::Object(params)) = self.fields.get_mut("params") {
            params.insert(name.to_string(), value);
        }
    }

    /// Whether the client opens a session: the real proxy's types take nothing less for it.
    pub fn is_initialize(&self) -> bool {
        let params = self.fields.get("params");
        let has = |path: &[&str], fits: fn(&Value) -> bool| {
            let found = path
                .iter()
                .try_fold(params?, |value, name| value.get(name))?;
            fits(found).then_some(())
        };
        self.kind == Kind::Request
            && self.method() == "initialize"
            && has(&["protocolVersion"], Value::is_string).is_some()
            && has(&["capabilities"], Value::is_object).is_some()
            && has(&["clientInfo", "name"], Value::is_string).is_some()
            && has(&["clientInfo", "version"], Value::is_string).is_some()
    }

    /// Takes away a capability that the client offers in `initialize`.
    pub fn drop_capability(&mut self, name: &str) {
        let params = self.fields.get_mut("params");
        let capabilities = params.and_then(|params| params.get_mut("capabilities"));
        if let Some(Value::Object(capabilities)) = capabilities {
            capabilities.shift_remove(name);
        }
    }

    pub fn into_result(mut self) -> Value {
        self.fields.remove("result").unwrap_or(Value::Null)
    }

    /// The result in the form that the real proxy gives to answers of this method.
    pub fn shaped(mut self, method: &str) -> Message {
        if self.kind == Kind::Result
            && let Some(result) = self.fields.get_mut("result")
        {
            *result = shape::result(method, std::mem::take(result));
        }
        self
    }

    /// As JSON, in the order of the real proxy's types.
    pub fn text(&self) -> String {
        let mut text = String::from(r#"{"jsonrpc":"2.0""#);
        for name in ["id", "method", "params", "result"] {
            if let Some(value) = self.fields.get(name)
                && (name != "id" || self.kind != Kind::Notification)
            {
                text.push_str(&format!(",\"{name}\":{value}"));
            }
        }
        if let Some(error) = self.fields.get("error") {
            let mut parts = Map::new();
            for name in ["code", "message", "data"] {
                if let Some(value) = error.get(name).filter(|value| !value.is_null()) {
                    parts.insert(name.to_string(), value.clone());
                }
            }
            text.push_str(&format!(",\"error\":{}", Value::Object(parts)));
        }
        text.push('}');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    #[test]
    fn messages_are_told_apart() {
        let table = [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#,
                Ok(Kind::Request),
            ),
            (
                r#"{"jsonrpc":"2.0","id":"a","method":"m","params":{}}"#,
                Ok(Kind::Request),
            ),
            (r#"{"jsonrpc":"2.0","method":"m"}"#, Ok(Kind::Notification)),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Ok(Kind::Result)),
            (
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
                Ok(Kind::Error),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#,
                Err(NO_MESSAGE),
            ),
            (r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#, Err(NO_MESSAGE)),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"m"}]"#,
                Err(NO_MESSAGE),
            ),
            (r#"{"jsonrpc":"2.0","id":1}"#, Err(NO_MESSAGE)),
            ("", Err("EOF while parsing a value at line 1 column 0")),
            ("{", Err("EOF while parsing an object at line 1 column 1")),
        ];
        for (text, expected) in table {
            let kind = Message::parse(text.as_bytes()).map(|message| message.kind);
            assert_eq!(kind, expected.map_err(str::to_string), "{text}");
        }
    }

    #[test]
    fn fields_go_out_in_the_recorded_order() {
        let sent = r#"{"result":{"content":[],"z":1},"jsonrpc":"2.0","id":3}"#;
        let message = Message::parse(sent.as_bytes()).unwrap();
        assert_eq!(
            message.shaped("tools/call").text(),
            r#"{"jsonrpc":"2.0","id":3,"result":{"content":[]}}"#
        );
        let error = Message::error(json!("a"), -32602, "Unknown tool: x");
        assert_eq!(
            error.text(),
            r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"Unknown tool: x"}}"#
        );
    }

    #[test]
    fn only_a_whole_initialize_opens_a_session() {
        let whole = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "n", "version": "0"}}});
        let is = |value: &Value| {
            Message::parse(value.to_string().as_bytes())
                .unwrap()
                .is_initialize()
        };
        assert!(is(&whole));
        for part in ["protocolVersion", "capabilities", "clientInfo"] {
            let mut less = whole.clone();
            less["params"].as_object_mut().unwrap().remove(part);
            assert!(!is(&less), "{part}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&bytes);
        }

        #[test]
        fn nothing_panics_on_any_field(field in "[a-z]{1,8}", value in "[\\[\\]{}0-9a-z\":,]{0,30}", method in "[a-z/]{0,12}") {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","{field}":{value}}}"#);
            if let Ok(message) = Message::parse(text.as_bytes()) {
                let _ = message.is_initialize();
                let _ = message.shaped(&method).text();
            }
        }
    }
}
