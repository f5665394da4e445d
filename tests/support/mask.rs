//! What differs from one recording to the next: ids, times, seconds that are left.

use regex::Regex;
use serde_json::{Map, Value, json};

/// An answer without what each one has of its own.
pub fn response(headers: &Value, body: &str) -> Value {
    let id = Regex::new(r#""id":"chatcmpl-\d+""#).unwrap();
    let time = Regex::new(r#""created":\d+"#).unwrap();
    let mut headers = stripped(headers, &["date", "connection", "server"]);
    if id.is_match(body) {
        headers.remove("content-length");
    }
    if let Some(seconds) = headers.get_mut("x-ratelimit-reset") {
        let left: u64 = seconds.as_str().unwrap().parse().unwrap();
        *seconds = json!((1..=3600).contains(&left));
    }
    let body = id.replace_all(body, "id");
    json!({"headers": headers, "body": time.replace_all(&body, "time")})
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

fn stripped(headers: &Value, names: &[&str]) -> Map<String, Value> {
    let mut headers = headers.as_object().unwrap().clone();
    headers.retain(|name, _| !names.contains(&name.as_str()));
    headers
}
