//! `traffic.transformation`: headers and bodies by expressions, of requests and of answers (facts 7.2, 17.5).

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::Value;

use crate::gateway::cel::{Expression, Facts, Needs};
use crate::gateway::object::{dig, list, text, texts};

#[derive(Debug, Default)]
pub struct Transformation {
    pub request: Option<Change>,
    pub response: Option<Change>,
}

/// What is done to one side of an exchange: add, set, remove, body, in this order.
#[derive(Debug, Default)]
pub struct Change {
    add: Vec<(Part, Expression)>,
    set: Vec<(Part, Expression)>,
    remove: Vec<HeaderName>,
    body: Option<Expression>,
}

/// A header, or what HTTP/2 calls a pseudo-header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Header(HeaderName),
    Authority,
    Method,
    Path,
    /// Nothing can be done about it: the gateway chooses how it calls an upstream.
    Scheme,
    Status,
}

/// A change with its expressions evaluated.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effect {
    add: Vec<(HeaderName, Option<HeaderValue>)>,
    set: Vec<(HeaderName, Option<HeaderValue>)>,
    remove: Vec<HeaderName>,
    pub authority: Option<HeaderValue>,
    pub method: Option<Method>,
    pub path: Option<HeaderValue>,
    pub status: Option<StatusCode>,
    pub body: Option<Bytes>,
}

impl Transformation {
    /// What the expressions that compile come to, and the controller's words on those that don't,
    /// which it leaves out (facts 4.5).
    pub(in crate::gateway) fn read(spec: &Value) -> (Option<Transformation>, Vec<String>) {
        let mut failures = Vec::new();
        let mut side = |field: &str| match dig(spec, &[field]) {
            Value::Null => None,
            change => Change::read(change, &mut failures),
        };
        let (request, response) = (side("request"), side("response"));
        let is_something = request.is_some() || response.is_some();
        let transformation = Transformation { request, response };
        (is_something.then_some(transformation), failures)
    }
}

impl Change {
    /// `None` where nothing is left to be done.
    fn read(spec: &Value, failures: &mut Vec<String>) -> Option<Change> {
        let mut change = Change {
            set: pairs(
                spec,
                "set",
                "header value is not a valid CEL expression",
                failures,
            ),
            add: pairs(spec, "add", "invalid header value", failures),
            ..Change::default()
        };
        for name in texts(spec, &["remove"]) {
            match name.parse() {
                Ok(name) => change.remove.push(name),
                Err(_) => failures.push(format!("invalid header name {name:?}")),
            }
        }
        let body = text(spec, &["body"]);
        match (body.is_empty(), Expression::compile(body)) {
            (true, _) => {}
            (false, Ok(body)) => change.body = Some(body),
            (false, Err(_)) => {
                failures.push(format!("body value is not a valid CEL expression: {body}"));
            }
        }
        let is_nothing = change.set.is_empty()
            && change.add.is_empty()
            && change.remove.is_empty()
            && change.body.is_none();
        (!is_nothing).then_some(change)
    }

    pub fn needs(&self) -> Needs {
        let headers = self.add.iter().chain(&self.set).map(|(_, value)| value);
        let all = headers.chain(&self.body);
        all.fold(Needs::default(), |needs, value| needs.and(value.needs()))
    }

    pub fn replaces_body(&self) -> bool {
        self.body.is_some()
    }

    /// Evaluates everything before anything is changed. A header whose value can't be had is
    /// removed, so that a client can't choose it; a body becomes empty.
    pub fn work_out(&self, facts: &Facts<'_>) -> Effect {
        let mut effect = Effect {
            remove: self.remove.clone(),
            body: self
                .body
                .as_ref()
                .map(|body| body.body(facts).unwrap_or_default()),
            ..Effect::default()
        };
        for (part, value) in &self.add {
            if let Part::Header(name) = part {
                effect.add.push((name.clone(), value.header(facts)));
            } else {
                effect.other(part, value, facts);
            }
        }
        for (part, value) in &self.set {
            if let Part::Header(name) = part {
                effect.set.push((name.clone(), value.header(facts)));
            } else {
                effect.other(part, value, facts);
            }
        }
        effect
    }
}

/// Headers and their expressions; those that don't compile are reported under these words.
fn pairs(
    spec: &Value,
    field: &str,
    words: &str,
    failures: &mut Vec<String>,
) -> Vec<(Part, Expression)> {
    let mut found = Vec::new();
    for pair in list(spec, &[field]) {
        let (name, value) = (text(pair, &["name"]), text(pair, &["value"]));
        match (Part::read(name), Expression::compile(value)) {
            (_, Err(_)) => failures.push(format!("{words}: {value}")),
            (None, _) => failures.push(format!("invalid header name {name:?}")),
            (Some(part), Ok(value)) => found.push((part, value)),
        }
    }
    found
}

impl Part {
    fn read(name: &str) -> Option<Part> {
        Some(match name {
            ":authority" => Part::Authority,
            ":method" => Part::Method,
            ":path" => Part::Path,
            ":scheme" => Part::Scheme,
            ":status" => Part::Status,
            name => Part::Header(name.parse().ok()?),
        })
    }
}

impl Effect {
    fn other(&mut self, part: &Part, value: &Expression, facts: &Facts<'_>) {
        match part {
            Part::Authority => self.authority = value.header(facts),
            Part::Path => self.path = value.header(facts),
            Part::Method => {
                let method = value.header(facts);
                self.method = method.and_then(|m| Method::from_bytes(m.as_bytes()).ok());
            }
            Part::Status => {
                let code = value
                    .number(facts)
                    .and_then(|code| u16::try_from(code).ok());
                self.status = code.and_then(|code| StatusCode::from_u16(code).ok());
            }
            Part::Header(_) | Part::Scheme => {}
        }
    }

    pub fn change_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.add {
            match value {
                Some(value) => drop(headers.append(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
        for (name, value) in &self.set {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
        for name in &self.remove {
            headers.remove(name);
        }
        if self.body.is_some() {
            headers.remove(CONTENT_LENGTH);
            headers.remove(CONTENT_ENCODING);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn effect(side: Value) -> (HeaderMap, Effect) {
        let (transformation, failures) = Transformation::read(&json!({"request": side}));
        assert_eq!(failures, Vec::<String>::new());
        let change = transformation.unwrap().request.unwrap();
        let effect = change.work_out(&Facts::default());
        let mut headers = HeaderMap::new();
        headers.insert("x-old", "1".parse().unwrap());
        headers.insert("content-length", "5".parse().unwrap());
        effect.change_headers(&mut headers);
        (headers, effect)
    }

    fn header(name: &str, value: &str) -> Value {
        json!({"name": name, "value": value})
    }

    #[test]
    fn headers_are_added_then_set_then_removed() {
        let (headers, _) = effect(json!({
            "add": [header("x-old", "'2'"), header("x-new", "'a'")],
            "set": [header("x-new", "'b'"), header("x-gone", "'c'")],
            "remove": ["x-gone"],
        }));
        let old: Vec<_> = headers.get_all("x-old").iter().collect();
        assert_eq!(old, ["1", "2"]);
        assert_eq!(headers["x-new"], "b");
        assert!(!headers.contains_key("x-gone"));
        assert_eq!(headers["content-length"], "5");
    }

    #[test]
    fn a_header_without_a_value_is_removed() {
        for field in ["add", "set"] {
            let (headers, _) = effect(json!({field: [header("x-old", "jwt.sub")]}));
            assert!(!headers.contains_key("x-old"), "{field}");
        }
    }

    #[test]
    fn bodies_and_pseudo_headers() {
        let (headers, effect) = effect(json!({
            "set": [header(":path", "'/x'"), header(":method", "'PUT'"), header(":status", "200 + 1"),
                header(":authority", "'h'"), header(":scheme", "'https'")],
            "body": "{'a': 1}",
        }));
        assert!(!headers.contains_key("content-length"));
        assert_eq!(effect.body.as_deref(), Some(&br#"{"a":1}"#[..]));
        assert_eq!(effect.path.as_ref().unwrap(), "/x");
        assert_eq!(effect.authority.as_ref().unwrap(), "h");
        assert_eq!(effect.method, Some(Method::PUT));
        assert_eq!(effect.status, Some(StatusCode::CREATED));
        let (_, failed) = super::tests::effect(json!({"body": "jwt.sub"}));
        assert_eq!(failed.body.as_deref(), Some(&b""[..]));
    }

    #[test]
    fn mistakes_are_told_in_the_controllers_words_and_left_out() {
        let bad = "invalid.cel.expression.(";
        let (transformation, failures) = Transformation::read(&json!({
            "request": {"set": [header("x-a", bad), header("x-b", "'b'")], "add": [header("x-c", bad)]},
            "response": {"body": bad},
        }));
        assert_eq!(
            failures,
            [
                format!("header value is not a valid CEL expression: {bad}"),
                format!("invalid header value: {bad}"),
                format!("body value is not a valid CEL expression: {bad}"),
            ]
        );
        let transformation = transformation.unwrap();
        assert_eq!(transformation.request.unwrap().set.len(), 1);
        assert!(transformation.response.is_none());
        let (nothing, _) = Transformation::read(&json!({"request": {"body": bad}}));
        assert!(nothing.is_none());
    }
}
