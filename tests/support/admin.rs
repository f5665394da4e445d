//! The private channel of the embedded gateway.

use super::home::Home;
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// One call on the private channel of the embedded gateway, behind the back of `gw`.
#[allow(dead_code, reason = "each test program uses a part of it")]
pub fn admin(home: &Home, path: &str, body: &Value) -> Value {
    let mut stream = UnixStream::connect(home.environment().join("gateway.sock")).unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(body).unwrap_or(Value::Null)
}

/// An object as the embedded gateway has it.
#[allow(dead_code, reason = "each test program uses a part of it")]
pub fn kept_object(home: &Home, kind: &str, name: &str) -> Value {
    let mut stream = UnixStream::connect(home.environment().join("gateway.sock")).unwrap();
    stream
        .write_all(b"GET /objects HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let objects = body["objects"].as_array().unwrap();
    let is_it = |o: &&Value| o["kind"] == kind && o["metadata"]["name"] == name;
    let mut found = objects.iter().find(is_it).unwrap().clone();
    found.as_object_mut().unwrap().remove("status");
    found
}
