//! MCP servers of the recordings: streamable HTTP on `/mcp`, the transport of 2024 on `/sse`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::client;

/// The result of a method with these parameters; none is an error of an unknown method.
pub type Script = Arc<dyn Fn(&str, &Value) -> Option<Value> + Send + Sync>;

/// One server: what it was asked, and its streams.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Script,
    seen: Mutex<Vec<Value>>,
    sessions: Mutex<Vec<String>>,
    /// Streams of the transport of 2024 by their session, and what a GET on `/mcp` opened.
    streams: Mutex<HashMap<String, UnboundedSender<String>>>,
}

impl Server {
    pub async fn start(script: Script) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script,
            seen: Mutex::default(),
            sessions: Mutex::default(),
            streams: Mutex::default(),
        });
        let served = shared.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = served.clone();
                let service = service_fn(move |request| {
                    let shared = shared.clone();
                    async move { Ok::<_, Infallible>(shared.answer(request).await) }
                });
                tokio::spawn(async move {
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Server { address, shared }
    }

    /// Every request so far: method, path, headers, body.
    pub fn seen(&self) -> Vec<Value> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Sessions that have been begun and not ended.
    pub fn sessions(&self) -> Vec<String> {
        self.shared.sessions.lock().unwrap().clone()
    }

    /// Streams that are open.
    pub fn streams(&self) -> usize {
        let mut streams = self.shared.streams.lock().unwrap();
        streams.retain(|_, stream| !stream.is_closed());
        streams.len()
    }

    /// Says something on every open stream.
    pub fn say(&self, message: &Value) {
        for stream in self.shared.streams.lock().unwrap().values() {
            stream.unbounded_send(event(message)).unwrap();
        }
    }
}

fn event(message: &Value) -> String {
    format!("event: message\r\ndata: {message}\r\n\r\n")
}

type Body = BoxBody<Bytes, Infallible>;

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let message: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.seen.lock().unwrap().push(json!({
            "method": parts.method.as_str(),
            "path": parts.uri.path_and_query().unwrap().as_str(),
            "headers": client::headers(&parts.headers),
            "body": message,
        }));
        let session = parts.headers.get("mcp-session-id");
        let session = session.and_then(|id| id.to_str().ok()).map(str::to_string);
        match (&parts.method, parts.uri.path()) {
            (&Method::POST, "/mcp") => self.streamable(&message, session),
            (&Method::GET, "/mcp") => self.stream(session.unwrap_or_default(), String::new()),
            (&Method::DELETE, "/mcp") => {
                let mut sessions = self.sessions.lock().unwrap();
                sessions.retain(|id| Some(id) != session.as_ref());
                empty(StatusCode::OK)
            }
            (&Method::GET, "/sse") => {
                let id = format!("s{}", self.streams.lock().unwrap().len());
                let endpoint =
                    format!("event: endpoint\r\ndata: /messages/?session_id={id}\r\n\r\n");
                self.stream(id, endpoint)
            }
            (&Method::POST, "/messages/") => {
                let id = parts.uri.query().unwrap_or("").replace("session_id=", "");
                if let Some(answer) = self.reply(&message) {
                    let streams = self.streams.lock().unwrap();
                    streams[&id].unbounded_send(event(&answer)).unwrap();
                }
                empty(StatusCode::ACCEPTED)
            }
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    fn streamable(&self, message: &Value, session: Option<String>) -> Response<Body> {
        let mut sessions = self.sessions.lock().unwrap();
        let id = match (message["method"] == "initialize", session) {
            (true, _) => {
                let id = format!("9c4848fc6ba143d3b05a9e4c1cb7abe{}", sessions.len());
                sessions.push(id.clone());
                id
            }
            (false, Some(id)) if sessions.contains(&id) => id,
            (false, Some(_)) => return empty(StatusCode::NOT_FOUND),
            (false, None) => return empty(StatusCode::BAD_REQUEST),
        };
        drop(sessions);
        match self.reply(message) {
            None => empty(StatusCode::ACCEPTED),
            Some(answer) => Response::builder()
                .header("content-type", "text/event-stream")
                .header("mcp-session-id", id)
                .body(Full::new(event(&answer).into()).boxed())
                .unwrap(),
        }
    }

    fn stream(&self, id: String, first: String) -> Response<Body> {
        let (sender, receiver) = unbounded();
        sender.unbounded_send(first).unwrap();
        self.streams.lock().unwrap().insert(id, sender);
        let frames = receiver.map(|text| Ok(Frame::data(Bytes::from(text))));
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(BodyExt::boxed(StreamBody::new(frames)))
            .unwrap()
    }

    fn reply(&self, message: &Value) -> Option<Value> {
        let id = message.get("id")?;
        let method = message["method"].as_str()?;
        Some(match (self.script)(method, &message["params"]) {
            Some(result) => json!({"result": result, "jsonrpc": "2.0", "id": id}),
            None => {
                let error = json!({"code": -32601, "message": "Method not found"});
                json!({"jsonrpc": "2.0", "id": id, "error": error})
            }
        })
    }
}

fn empty(status: StatusCode) -> Response<Body> {
    let response = Response::builder().status(status);
    response.body(Full::new(Bytes::new()).boxed()).unwrap()
}

/// The FastMCP server of the recordings, of this name.
pub fn fast(name: &'static str) -> Script {
    let schema = |title: &str, fields: &[(&str, &str, &str)]| {
        let mut properties = json!({});
        for (field, title, kind) in fields {
            properties[field] = json!({"title": title, "type": kind});
        }
        let required: Vec<&str> = fields.iter().map(|(field, ..)| *field).collect();
        json!({"properties": properties, "required": required, "title": title, "type": "object"})
    };
    let tool = |name: &str, description: &str, input: Value, output: Value| json!({"name": name, "description": description, "inputSchema": input, "outputSchema": output});
    let tools = json!([
        tool(
            "echo",
            "Say it back.",
            schema("echoArguments", &[("text", "Text", "string")]),
            schema("echoOutput", &[("result", "Result", "string")]),
        ),
        tool(
            "add",
            "Sum of two numbers.",
            schema(
                "addArguments",
                &[("a", "A", "integer"), ("b", "B", "integer")]
            ),
            schema("addOutput", &[("result", "Result", "integer")]),
        ),
    ]);
    let text = |text: String| json!([{"type": "text", "text": text}]);
    Arc::new(move |method, params| match method {
        "initialize" => Some(json!({
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"experimental": {}, "prompts": {"listChanged": false},
                "resources": {"subscribe": false, "listChanged": false}, "tools": {"listChanged": false}},
            "serverInfo": {"name": name, "version": "1.30.0"},
        })),
        "ping" => Some(json!({})),
        "tools/list" => Some(json!({"tools": tools})),
        "prompts/list" => Some(json!({"prompts": [{"name": "greet", "description": null}]})),
        "resources/list" => Some(json!({"resources": [{"name": "r", "uri": "memo://r"}]})),
        "tools/call" if params["name"] == "echo" => {
            let said = format!("{name}: {}", params["arguments"]["text"].as_str().unwrap());
            Some(
                json!({"content": text(said.clone()), "structuredContent": {"result": said}, "isError": false}),
            )
        }
        "tools/call" => {
            let unknown = format!("Unknown tool: {}", params["name"].as_str().unwrap());
            Some(json!({"content": text(unknown), "isError": true}))
        }
        _ => None,
    })
}

/// A server that answers each method as it once did, in its own order of fields and with those that
/// the real proxy does not pass on.
pub fn once(results: HashMap<String, Value>) -> Script {
    Arc::new(move |method, _| {
        let mut result = results.get(method)?.clone();
        for tool in result["tools"].as_array_mut().into_iter().flatten() {
            let tool = tool.as_object_mut().unwrap();
            tool.insert("execution".into(), json!({"taskSupport": "forbidden"}));
            if let Some(schema) = tool.shift_remove("outputSchema") {
                tool.insert("outputSchema".into(), schema);
            }
        }
        Some(result)
    })
}
