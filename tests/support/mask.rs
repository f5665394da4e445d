//! What differs from one recording to the next: ids, times, seconds that are left.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use serde_json::{Map, Value, json};

/// An answer without what each one has of its own.
pub fn response(headers: &Value, body: &str) -> Value {
    let id = Regex::new(r#""id": ?"(chatcmpl|bedrock)-\d+""#).unwrap();
    let time = Regex::new(r#""created": ?\d+"#).unwrap();
    let mut headers = stripped(headers, &["date", "connection", "server"]);
    if id.is_match(body) {
        headers.remove("content-length");
    }
    if let Some(id) = headers.get_mut("mcp-session-id") {
        *id = session(id.as_str().unwrap());
    }
    if let Some(seconds) = headers.get_mut("x-ratelimit-reset") {
        let left: u64 = seconds.as_str().unwrap().parse().unwrap();
        *seconds = json!((1..=3600).contains(&left));
    }
    let body = id.replace_all(body, "id");
    json!({"headers": headers, "body": time.replace_all(&body, "time")})
}

/// An answer without the time and the id that the proxy itself put in. The recorded upstream's own
/// are fixed, and stay.
pub fn made(mut body: Value) -> Value {
    if let Some(created) = body.get_mut("created").filter(|c| **c != 1_700_000_000) {
        *created = json!(created.is_u64());
    }
    if let Some(id) = body.get_mut("id")
        && id.as_str().is_some_and(|id| id.starts_with("bedrock-"))
    {
        *id = json!(id.as_str().unwrap().len());
    }
    body
}

/// Requests as an upstream saw them, without what the clients themselves had in them and without keys.
pub fn requests(seen: &Value) -> Vec<String> {
    let seen = seen.as_array().into_iter().flatten();
    seen.map(|request| {
        let own = [
            "accept-encoding",
            "user-agent",
            "connection",
            "authorization",
        ];
        let mut headers = stripped(&request["headers"], &own);
        headers.sort_keys();
        let (method, path) = (&request["method"], &request["path"]);
        format!("{method} {path} {} {}", json!(headers), request["body"])
    })
    .collect()
}

/// What an upstream saw, without the time of an AWS signature and what depends on it.
pub fn signature(mut seen: Value) -> Value {
    let time = Regex::new(r"\d{8}T\d{6}Z").unwrap();
    let date = Regex::new(r"/\d{8}/").unwrap();
    let signature = Regex::new("Signature=[0-9a-f]{64}").unwrap();
    for request in seen.as_array_mut().into_iter().flatten() {
        for (_, value) in request["headers"].as_object_mut().unwrap() {
            let text = time.replace_all(value.as_str().unwrap(), "time");
            if text.starts_with("AWS4-HMAC-SHA256 ") || text == "time" {
                let text = date.replace_all(&text, "/date/");
                *value = json!(signature.replace_all(&text, "signature"));
            }
        }
    }
    seen
}

fn stripped(headers: &Value, names: &[&str]) -> Map<String, Value> {
    let mut headers = headers.as_object().unwrap().clone();
    headers.retain(|name, _| !names.contains(&name.as_str()));
    headers
}

/// What kind of session an MCP session's id stands for, without what each one has of its own.
fn session(id: &str) -> Value {
    let uuid = Regex::new("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").unwrap();
    if uuid.is_match(id) {
        return json!("uuid");
    }
    let blob = URL_SAFE_NO_PAD.decode(id).unwrap();
    let blob = Regex::new(r#""(s|b)":"[^"]*""#)
        .unwrap()
        .replace_all(std::str::from_utf8(&blob).unwrap(), "\"$1\"")
        .into_owned();
    json!(blob)
}
