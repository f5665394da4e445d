//! What the mock was sent, for whoever wants proof of it: the last requests, without their keys.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};

use super::place::Place;
use crate::gateway::redact::{hidden, query};

/// How many requests are kept.
const KEPT: usize = 256;
/// A longer body is only counted.
const BODY: usize = 64 << 10;
const SECRET: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "x-amz-security-token",
    "mcp-session-id",
];

#[derive(Default)]
pub(super) struct Seen {
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    requests: VecDeque<Value>,
    /// How many there were in all; the number of the last one.
    count: u64,
}

impl Seen {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn keep(&self, parts: &Parts, place: &Place, body: &[u8], status: u16) {
        let body = match body.len() {
            0 => Value::Null,
            1..=BODY => serde_json::from_slice(body)
                .unwrap_or_else(|_| json!(String::from_utf8_lossy(body))),
            length => json!({"bytes": length}),
        };
        let mut request = json!({
            "number": 0, "provider": place.dialect.name(), "method": parts.method.as_str(), "path": parts.uri.path(),
            "query": parts.uri.query().map(query), "headers": headers(&parts.headers), "body": body, "status": status,
        });
        let mut ring = self.ring();
        ring.count += 1;
        request["number"] = json!(ring.count);
        if ring.requests.len() >= KEPT {
            ring.requests.pop_front();
        }
        ring.requests.push_back(request);
    }

    pub fn list(&self) -> Value {
        let ring = self.ring();
        json!({"count": ring.count, "requests": ring.requests})
    }

    pub fn clear(&self) {
        *self.ring() = Ring::default();
    }
}

/// Names and values; several values of one name are joined as HTTP joins them.
fn headers(headers: &HeaderMap) -> Value {
    let mut list = Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            redacted(name, &text)
        });
        let values: Vec<String> = values.collect();
        list.insert(name.to_string(), json!(values.join(", ")));
    }
    Value::Object(list)
}

/// A key becomes a mark that is the same for the same key; what stands before it stays.
fn redacted(name: &HeaderName, value: &str) -> String {
    if !SECRET.contains(&name.as_str()) {
        return value.to_string();
    }
    if let Some((before, signature)) = value.rsplit_once("Signature=") {
        return format!("{before}Signature={}", hidden(signature));
    }
    match value.split_once(' ') {
        Some((scheme, key)) if name.as_str().ends_with("authorization") => {
            format!("{scheme} {}", hidden(key))
        }
        _ => hidden(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, Request};

    fn keep(seen: &Seen, path: &str, given: &[(&str, &str)], body: &str) {
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in given {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let place = Place::of(&Method::POST, parts.uri.path(), &parts.headers).unwrap();
        seen.keep(&parts, &place, body.as_bytes(), 200);
    }

    #[test]
    fn a_request_is_kept_without_its_keys() {
        let seen = Seen::default();
        let keys = [
            ("authorization", "Bearer secret-1"),
            ("x-api-key", "secret-2"),
            ("x-other", "plain"),
        ];
        keep(
            &seen,
            "/v1/chat/completions?key=secret-3&a=b",
            &keys,
            r#"{"model":"m"}"#,
        );
        let signed = "AWS4-HMAC-SHA256 Credential=AKID/d/r/bedrock/aws4_request, SignedHeaders=host, Signature=secret-4";
        keep(
            &seen,
            "/model/m/converse",
            &[("authorization", signed)],
            "not json",
        );
        let list = seen.list();
        assert!(!list.to_string().contains("secret"), "{list}");
        let first = &list["requests"][0];
        assert_eq!(
            (&first["headers"]["x-other"], &first["body"]["model"]),
            (&json!("plain"), &json!("m"))
        );
        // echo -n secret-1 | sha256sum
        assert_eq!(
            first["headers"]["authorization"],
            "Bearer sha256:f7e7c36e458e"
        );
        assert!(
            list["requests"][1]["headers"]["authorization"]
                .as_str()
                .unwrap()
                .contains("Credential=AKID/d/r/bedrock")
        );
        assert_eq!(list["requests"][1]["body"], "not json");
    }

    #[test]
    fn the_oldest_requests_are_forgotten() {
        let seen = Seen::default();
        for _ in 0..KEPT + 3 {
            keep(&seen, "/v1/embeddings", &[], "{}");
        }
        let list = seen.list();
        assert_eq!(
            (
                list["requests"].as_array().unwrap().len(),
                &list["requests"][0]["number"]
            ),
            (KEPT, &json!(4))
        );
        keep(&seen, "/v1/embeddings", &[], &"x".repeat(BODY + 1));
        assert_eq!(
            seen.list()["requests"][KEPT - 1]["body"],
            json!({"bytes": BODY + 1})
        );
        seen.clear();
        assert_eq!(seen.list(), json!({"count": 0, "requests": []}));
    }
}
