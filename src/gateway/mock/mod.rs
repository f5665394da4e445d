//! The built-in mock provider: an upstream that speaks OpenAI's API offline, and says in every answer that it is a mock.

mod chat;
mod other;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The header that every answer carries.
const MARK: HeaderName = HeaderName::from_static("x-gatewright-mock");
/// `system_fingerprint` of every answer that has one.
const FINGERPRINT: &str = "gatewright-mock";
/// The only model that is listed; any name is taken.
const MODEL: &str = "mock";
const BODY_LIMIT: usize = 4 << 20;

type Events = stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;
type MockBody = Either<Full<Bytes>, StreamBody<Events>>;

/// What to say.
enum Said {
    Json(StatusCode, Value),
    /// The data of server-sent events, in order; `[DONE]` follows.
    Stream(Vec<Value>),
}

/// Serves until `shutdown` completes; running answers are given to their end.
pub async fn serve_mock(
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut shutdown = pin!(shutdown);
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted?.0,
        };
        stream.set_nodelay(true)?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that hangs up is the client's affair.
            let _ = connection.await;
        });
    }
    graceful.shutdown().await;
    Ok(())
}

async fn answer(request: Request<Incoming>) -> Result<Response<MockBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let said = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => say(&parts.method, parts.uri.path(), &body.to_bytes()),
        Err(_) => refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "mock: the request is too large",
        ),
    };
    let (status, kind, body) = match said {
        Said::Json(status, value) => {
            let body = Either::Left(Full::new(Bytes::from(value.to_string())));
            (status, "application/json", body)
        }
        Said::Stream(events) => (
            StatusCode::OK,
            "text/event-stream",
            Either::Right(frames(events)),
        ),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(MARK, HeaderValue::from_static("true"));
    Ok(response)
}

fn frames(events: Vec<Value>) -> StreamBody<Events> {
    let data = events.into_iter().map(|event| event.to_string());
    let done = ["[DONE]".to_string()];
    let frames = data
        .chain(done)
        .map(|data| Ok(Frame::data(Bytes::from(format!("data: {data}\n\n")))));
    StreamBody::new(stream::iter(frames.collect::<Vec<_>>()))
}

fn say(method: &Method, path: &str, body: &[u8]) -> Said {
    type Form = fn(&Value) -> Said;
    let form: Form = match (method, path) {
        (&Method::GET, "/v1/models") => return other::models(),
        (&Method::POST, "/v1/chat/completions") => chat::complete,
        (&Method::POST, "/v1/embeddings") => other::embed,
        (&Method::POST, "/v1/responses") => other::respond,
        _ => {
            return refuse(
                StatusCode::NOT_FOUND,
                &format!("mock: unknown request URL: {method} {path}"),
            );
        }
    };
    match serde_json::from_slice(body) {
        Ok(request) => form(&request),
        Err(error) => refuse(
            StatusCode::BAD_REQUEST,
            &format!("mock: the body is not JSON: {error}"),
        ),
    }
}

/// An error in OpenAI's form.
fn refuse(status: StatusCode, message: &str) -> Said {
    let error =
        json!({"message": message, "type": "invalid_request_error", "param": null, "code": null});
    Said::Json(status, json!({"error": error}))
}

/// The model that was asked for, echoed.
fn model(request: &Value) -> &str {
    request
        .get("model")
        .and_then(Value::as_str)
        .unwrap_or(MODEL)
}

/// The mock's whole wit.
fn reply(text: &str) -> String {
    match text.trim() {
        "ping" => "mock: pong".to_string(),
        said => format!("mock: you said {said}"),
    }
}

/// Honest counts of a simple kind: one token a word.
fn tokens(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The text of a message's content: a string, or parts of which some have text.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts
                .iter()
                .filter_map(|part| part.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

fn now() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(method: &Method, path: &str, body: Value) -> (u16, Value) {
        match say(method, path, body.to_string().as_bytes()) {
            Said::Json(status, value) => (status.as_u16(), value),
            Said::Stream(events) => (200, Value::Array(events)),
        }
    }

    #[test]
    fn ping_gets_pong_and_honest_counts() {
        let ask = json!({"model": "m", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "ping"}]});
        let (status, answer) = said(&Method::POST, "/v1/chat/completions", ask);
        assert_eq!((status, &answer["model"]), (200, &json!("m")));
        assert_eq!(answer["choices"][0]["message"]["content"], "mock: pong");
        assert_eq!(answer["system_fingerprint"], FINGERPRINT);
        let usage = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
        assert_eq!(answer["usage"], usage);
    }

    #[test]
    fn a_stream_ends_with_its_usage_when_asked() {
        let ask = json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": [{"type": "text", "text": "good day"}]}]});
        let (_, events) = said(&Method::POST, "/v1/chat/completions", ask);
        let events = events.as_array().unwrap();
        let text: String = events
            .iter()
            .filter_map(|e| e["choices"][0]["delta"]["content"].as_str())
            .collect();
        assert_eq!(text, "mock: you said good day");
        assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 5);
        assert!(
            events
                .iter()
                .all(|event| event["system_fingerprint"] == FINGERPRINT)
        );
    }

    #[test]
    fn the_other_paths() {
        let (status, models) = said(&Method::GET, "/v1/models", Value::Null);
        assert_eq!((status, &models["data"][0]["id"]), (200, &json!("mock")));
        let (_, embeddings) = said(
            &Method::POST,
            "/v1/embeddings",
            json!({"model": "e", "input": ["a b", "c"]}),
        );
        assert_eq!(embeddings["data"].as_array().unwrap().len(), 2);
        assert_eq!(embeddings["usage"]["prompt_tokens"], 3);
        let (_, answer) = said(
            &Method::POST,
            "/v1/responses",
            json!({"model": "r", "input": "ping"}),
        );
        assert_eq!(answer["output"][0]["content"][0]["text"], "mock: pong");
        let (status, error) = said(&Method::GET, "/nothing", Value::Null);
        assert_eq!(
            (status, &error["error"]["type"]),
            (404, &json!("invalid_request_error"))
        );
        let (status, _) = said(&Method::POST, "/v1/chat/completions", json!({"model": "m"}));
        assert_eq!(status, 400);
    }
}
