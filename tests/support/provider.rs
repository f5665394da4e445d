//! A provider on this machine that takes one key, counts its calls and answers in OpenAI's form.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone)]
pub struct Provider {
    pub port: u16,
    key: Arc<Mutex<String>>,
    seen: Arc<Mutex<Vec<String>>>,
}

#[allow(dead_code, reason = "each test program uses a part of it")]
impl Provider {
    pub fn start(key: &str) -> Provider {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let provider = Provider {
            port: listener.local_addr().unwrap().port(),
            key: Arc::new(Mutex::new(key.to_string())),
            seen: Arc::default(),
        };
        let serving = provider.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let provider = serving.clone();
                std::thread::spawn(move || provider.serve(stream.unwrap()));
            }
        });
        provider
    }

    /// From now on only this key is taken.
    pub fn take(&self, key: &str) {
        *self.key.lock().unwrap() = key.to_string();
    }

    /// `POST /v1/chat/completions` and the like, in order.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            lines.push(line.trim().to_string());
        }
        let Some(first) = lines.first() else { return };
        let called: Vec<&str> = first.split(' ').take(2).collect();
        self.seen.lock().unwrap().push(called.join(" "));
        let header = |name: &str| {
            let found = lines.iter().filter_map(|line| line.split_once(": "));
            let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_string())
        };
        let length = header("content-length").and_then(|n| n.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let key = header("authorization").unwrap_or_default();
        let good = key == format!("Bearer {}", self.key.lock().unwrap());
        let asked = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let (status, kind, text) = match good {
            true if asked["stream"] == true => ("200 OK", "text/event-stream", events(&asked)),
            true => ("200 OK", "application/json", answer(&asked).to_string()),
            // Some providers repeat what they were given.
            false => (
                "401 Unauthorized",
                "application/json",
                json!({"error": {"message": format!("Incorrect API key provided: {key}")}})
                    .to_string(),
            ),
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        );
    }
}

fn answer(asked: &Value) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
        "data": [{"id": "served", "object": "model"}],
    })
}

/// The same answer as OpenAI streams it, with its usage in the last chunk.
fn events(asked: &Value) -> String {
    let whole = answer(asked);
    let chunk = |delta: Value, end: Value, usage: Value| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "delta": delta, "finish_reason": end}], "usage": usage,
        })
    };
    let said = chunk(
        json!({"role": "assistant", "content": "pong"}),
        Value::Null,
        Value::Null,
    );
    let end = chunk(json!({}), json!("stop"), whole["usage"].clone());
    format!("data: {said}\n\ndata: {end}\n\ndata: [DONE]\n\n")
}
