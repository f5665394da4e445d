//! The upstream of the recordings: a model server that speaks OpenAI's API and notes what it saw.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::client;
use super::python::dumps;

/// Requests as the recordings write them down.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<Value>>>);

impl Seen {
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// What to answer a request with: its path, its headers and its body.
pub type Script = fn(&str, &HeaderMap, &Value) -> Said;

pub enum Said {
    Json(u16, Value),
    /// Status, content type, body.
    Text(u16, &'static str, String),
    /// A status alone.
    Empty(u16),
    Events(Vec<Value>),
    /// 429 with these seconds to wait.
    Busy(u64),
    /// Events with names, as Anthropic sends them.
    NamedEvents(Vec<Value>),
}

pub async fn start(script: Script, tls: Option<TlsAcceptor>, seen: Seen) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, seen) = (tls.clone(), seen.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, script, seen).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => serve(stream, script, seen).await,
                        Err(error) => eprintln!("TLS: {error}"),
                    },
                }
            });
        }
    });
    address
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, script: Script, seen: Seen) {
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move { Ok::<_, Infallible>(answer(request, script, seen).await) }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    script: Script,
    seen: Seen,
) -> Response<BoxBody<Bytes, Infallible>> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    seen.0.lock().unwrap().push(json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path_and_query().unwrap().as_str(),
        "headers": client::headers(&parts.headers),
        "body": body,
    }));
    if body.to_string().contains("SLOW") {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let (status, kind, body) = match script(parts.uri.path(), &parts.headers, &body) {
        Said::Json(status, value) => (status, "application/json", full(dumps(&value))),
        Said::Text(status, kind, text) => (status, kind, full(text)),
        Said::Busy(seconds) => {
            let response = Response::builder()
                .status(429)
                .header("retry-after", seconds);
            return response.body(full(String::new())).unwrap();
        }
        Said::Empty(status) => {
            let response = Response::builder().status(status);
            return response.body(full(String::new())).unwrap();
        }
        Said::Events(events) => {
            let data = events
                .iter()
                .map(|event| format!("data: {}\n\n", dumps(event)));
            stream(data.chain(["data: [DONE]\n\n".to_string()]))
        }
        Said::NamedEvents(events) => stream(events.iter().map(|event| {
            let name = event["type"].as_str().unwrap();
            format!("event: {name}\ndata: {}\n\n", dumps(event))
        })),
    };
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body)
        .unwrap()
}

fn stream(pieces: impl Iterator<Item = String>) -> (u16, &'static str, BoxBody<Bytes, Infallible>) {
    let frames: Vec<_> = pieces
        .map(|piece| Ok(Frame::data(Bytes::from(piece))))
        .collect();
    let body = StreamBody::new(futures::stream::iter(frames));
    (200, "text/event-stream", BodyExt::boxed(body))
}

fn full(text: String) -> BoxBody<Bytes, Infallible> {
    Full::new(Bytes::from(text)).boxed()
}

/// The upstream that the proxy was recorded against.
pub fn recorded(path: &str, _: &HeaderMap, body: &Value) -> Said {
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13});
    let model = &body["model"];
    if body.to_string().contains("FAIL500") {
        return Said::Json(
            500,
            json!({"error": {"message": "mock upstream failure", "type": "server_error"}}),
        );
    }
    let base = |object: &str, choice: Value| json!({"id": "chatcmpl-mock", "created": 1_700_000_000, "model": model, "object": object, "choices": [choice]});
    if path.ends_with("/chat/completions") && body["stream"] == true {
        let chunk = "chat.completion.chunk";
        let first = base(
            chunk,
            json!({"index": 0, "delta": {"role": "assistant", "content": "pong"}, "finish_reason": null}),
        );
        let mut last = base(
            chunk,
            json!({"index": 0, "delta": {}, "finish_reason": "stop"}),
        );
        last["usage"] = usage;
        return Said::Events(vec![first, last]);
    }
    if path.ends_with("/chat/completions") {
        let message = json!({"role": "assistant", "content": "pong"});
        let mut answer = base(
            "chat.completion",
            json!({"index": 0, "message": message, "finish_reason": "stop"}),
        );
        answer["usage"] = usage;
        return Said::Json(200, answer);
    }
    if path.ends_with("/messages") {
        return anthropic(model, body["stream"] == true);
    }
    if path.ends_with("/messages/count_tokens") {
        return Said::Json(200, json!({"input_tokens": 11}));
    }
    if path.ends_with("/converse") {
        let message = json!({"role": "assistant", "content": [{"text": "pong"}]});
        return Said::Json(
            200,
            json!({"output": {"message": message}, "stopReason": "end_turn",
            "usage": {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}}),
        );
    }
    if path.ends_with("/responses") {
        let content = json!({"type": "output_text", "text": "pong", "annotations": []});
        let message = json!({"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [content]});
        return Said::Json(
            200,
            json!({"id": "resp_mock", "object": "response", "created_at": 1_700_000_000, "status": "completed", "model": model,
            "output": [message], "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}}),
        );
    }
    if path.ends_with("/embeddings") {
        let data = json!([{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]);
        return Said::Json(
            200,
            json!({"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": 3, "total_tokens": 3}}),
        );
    }
    if path.ends_with("/models") {
        let only = json!({"id": "mock-model", "object": "model", "created": 1_700_000_000, "owned_by": "mock"});
        return Said::Json(200, json!({"object": "list", "data": [only]}));
    }
    Said::Json(
        404,
        json!({"error": {"message": format!("mock: no such path {path}")}}),
    )
}

/// Anthropic's answer, whole or in events.
fn anthropic(model: &Value, is_stream: bool) -> Said {
    let mut message = json!({"id": "msg_mock", "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 1}});
    if is_stream {
        return Said::NamedEvents(vec![
            json!({"type": "message_start", "message": message}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "pong"}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 4}}),
            json!({"type": "message_stop"}),
        ]);
    }
    message["content"] = json!([{"type": "text", "text": "pong"}]);
    message["stop_reason"] = json!("end_turn");
    message["usage"]["output_tokens"] = json!(4);
    Said::Json(200, message)
}
