//! A client of streamable HTTP, as far as these tests need one.

use futures::StreamExt;
use serde_json::{Value, json};
use std::pin::Pin;

const SESSION: &str = "mcp-session-id";

/// The small server of these tests.
pub fn server() -> String {
    format!("{}/tests/bridge/server.sh", env!("CARGO_MANIFEST_DIR"))
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub fn hello() -> Value {
    let about = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": about});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

pub struct Client {
    url: String,
    id: Option<String>,
    client: reqwest::Client,
}

/// What came on the stream of one request.
pub struct Talk {
    pub events: Vec<Value>,
}

impl Client {
    pub fn new(url: String) -> Client {
        Client {
            url,
            id: None,
            client: client(),
        }
    }

    /// A session that has begun.
    pub async fn begin(mut self) -> Client {
        let reply = self.post(&hello()).await;
        assert_eq!(reply.status(), 200);
        let id = reply.headers()[SESSION].to_str().unwrap().to_string();
        let answer = read(reply, 1).await;
        assert!(answer["result"].is_object(), "{answer}");
        self.id = Some(id);
        let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.post(&told).await.status(), 202);
        self
    }

    pub async fn post(&self, message: &Value) -> reqwest::Response {
        let mut request = self.client.post(&self.url).json(message);
        request = request.header("accept", "application/json, text/event-stream");
        if let Some(id) = &self.id {
            request = request.header(SESSION, id);
        }
        request.send().await.unwrap()
    }

    pub async fn answer(&self, message: &Value) -> Value {
        let reply = self.post(message).await;
        assert_eq!(reply.status(), 200);
        read(reply, message["id"].as_u64().unwrap()).await
    }

    /// The answer to a call of a tool.
    pub async fn call(&self, tool: &str) -> Value {
        self.ask(tool).await
    }

    pub async fn ask(&self, tool: &str) -> Value {
        let mut talk = self.talk(tool, None).await;
        talk.events.pop().unwrap()
    }

    pub async fn talk(&self, tool: &str, token: Option<&str>) -> Talk {
        let mut params = json!({"name": tool, "arguments": {}});
        if let Some(token) = token {
            params["_meta"] = json!({"progressToken": token});
        }
        let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params});
        let reply = self.post(&call).await;
        assert_eq!(reply.status(), 200);
        Talk {
            events: events(&reply.text().await.unwrap()),
        }
    }

    /// The stream of what the server says unasked.
    pub async fn listen(&self) -> Stream {
        let request = self
            .client
            .get(&self.url)
            .header("accept", "text/event-stream");
        let request = request.header(SESSION, self.id.as_ref().unwrap());
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), 200);
        Box::pin(reply.bytes_stream())
    }

    pub async fn end(&self) -> u16 {
        let request = self.client.delete(&self.url);
        let request = request.header(SESSION, self.id.as_ref().unwrap());
        request.send().await.unwrap().status().as_u16()
    }
}

pub type Stream = Pin<Box<dyn futures::Stream<Item = reqwest::Result<bytes::Bytes>>>>;

/// The next event of a stream; each comes in one piece.
pub async fn next(stream: &mut Stream) -> Value {
    let piece = stream.next().await.unwrap().unwrap();
    events(&String::from_utf8_lossy(&piece)).remove(0)
}

/// The answer with this id, from a stream that ends with it.
pub async fn read(reply: reqwest::Response, id: u64) -> Value {
    let text = reply.text().await.unwrap();
    let found = events(&text).into_iter().find(|event| event["id"] == id);
    found.unwrap_or_else(|| panic!("no answer {id}: {text}"))
}

fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}
