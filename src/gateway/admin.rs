//! The admin API on a Unix socket: how the other commands of `gw` talk to a running gateway.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::Notify;

use super::object::Id;
use super::state::{Gateway, Rejection};

/// The most that one object may take.
const OBJECT_LIMIT: usize = 4 << 20;

/// Serves until it is dropped. `stop` is notified by `POST /stop`.
/// `urls` are where tools of operation ask.
pub(super) async fn serve(
    listener: UnixListener,
    gateway: Arc<Gateway>,
    urls: Value,
    stop: Arc<Notify>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (gateway, urls, stop) = (gateway.clone(), urls.clone(), stop.clone());
        let service = service_fn(move |request| {
            let (gateway, urls, stop) = (gateway.clone(), urls.clone(), stop.clone());
            async move { Ok::<_, Infallible>(answer(&gateway, urls, &stop, request).await) }
        });
        tokio::spawn(async move {
            // A caller that hangs up is the caller's affair.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Answer = (StatusCode, Value);

async fn answer(
    gateway: &Gateway,
    urls: Value,
    stop: &Notify,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let (status, value) = match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/healthz") => health(gateway, urls).await,
        (&Method::GET, "/objects") => (StatusCode::OK, json!({"objects": gateway.objects().await})),
        (&Method::POST, "/apply") => match object(body).await {
            Ok(object) => apply(gateway, object).await,
            Err(refused) => refused,
        },
        (&Method::POST, "/delete") => match object(body).await {
            Ok(object) => delete(gateway, &object).await,
            Err(refused) => refused,
        },
        (&Method::POST, "/look") => match object(body).await.map(serde_json::from_value) {
            Ok(Ok(address)) => (
                StatusCode::OK,
                json!({"sight": gateway.look(&address).await}),
            ),
            Ok(Err(_)) => failed(StatusCode::BAD_REQUEST, "no address"),
            Err(refused) => refused,
        },
        (&Method::POST, "/stop") => {
            stop.notify_one();
            (StatusCode::OK, json!({"stopping": true}))
        }
        (method, path) => failed(
            StatusCode::NOT_FOUND,
            format!("there is no {method} {path} here"),
        ),
    };
    let mut response = Response::new(Full::new(value.to_string().into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn failed(status: StatusCode, error: impl Into<String>) -> Answer {
    (status, json!({"error": error.into()}))
}

fn rejected(rejection: Rejection) -> Answer {
    match rejection {
        Rejection::Invalid(error) => failed(StatusCode::BAD_REQUEST, error),
        Rejection::Port { taken, why } => {
            (StatusCode::CONFLICT, json!({"error": why, "port": taken}))
        }
    }
}

/// The one object in a body. The error does not quote it: it may hold keys.
async fn object(body: Incoming) -> Result<Value, Answer> {
    let Ok(body) = Limited::new(body, OBJECT_LIMIT).collect().await else {
        let error = "the object is larger than 4 MiB, or the connection broke off";
        return Err(failed(StatusCode::PAYLOAD_TOO_LARGE, error));
    };
    serde_json::from_slice(&body.to_bytes()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        failed(
            StatusCode::BAD_REQUEST,
            format!("no JSON object: mistake at line {line} column {column}"),
        )
    })
}

async fn health(gateway: &Gateway, urls: Value) -> Answer {
    let addresses = gateway.addresses().await;
    let listeners: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let health = json!({
        "pid": std::process::id(),
        "version": env!("CARGO_PKG_VERSION"),
        "listeners": listeners,
        "awaited": gateway.awaited().await,
        "urls": urls,
        "drainSeconds": gateway.drain().as_secs(),
    });
    (StatusCode::OK, health)
}

async fn apply(gateway: &Gateway, object: Value) -> Answer {
    match gateway.apply(object).await {
        Ok((change, object)) => (
            StatusCode::OK,
            json!({"change": change.name(), "object": object}),
        ),
        Err(rejection) => rejected(rejection),
    }
}

async fn delete(gateway: &Gateway, object: &Value) -> Answer {
    let id = match Id::of(object) {
        Ok(id) => id,
        Err(error) => return failed(StatusCode::BAD_REQUEST, error),
    };
    match gateway.delete(&id).await {
        Ok(deleted) => (StatusCode::OK, json!({"deleted": deleted})),
        Err(rejection) => rejected(rejection),
    }
}
