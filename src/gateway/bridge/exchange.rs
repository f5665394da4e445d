//! One request of streamable HTTP, from its bytes to its answer.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::message::{self, Kind};
use super::session::Session;
use super::settings::Server;
use super::{Bridge, message::event};
use crate::gateway::host::{authority, host_only, is_local};
use crate::plan::alias::PRODUCTS;
use crate::provider::mock::MCP_PATH;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const BODY_LIMIT: usize = 32 << 20;
const HELLO: &str = "gatewright's bridge to MCP servers that are programs\n";

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;
type Answer = Response<Body>;

impl Bridge {
    pub(super) async fn answer(self: &Arc<Self>, request: Request<Incoming>, port: u16) -> Answer {
        let (parts, body) = request.into_parts();
        if parts.uri.path() == "/" {
            return whole(StatusCode::OK, "text/plain", HELLO.into());
        }
        if is_foreign(&parts, port) {
            let what = "this host is not served here; ask the gateway";
            return refuse(StatusCode::FORBIDDEN, what);
        }
        let name = parts.uri.path().strip_prefix(MCP_PATH);
        let name = name.and_then(|rest| rest.strip_prefix('/')).unwrap_or("");
        let Some(server) = self.servers.get(name).cloned() else {
            return refuse(
                StatusCode::NOT_FOUND,
                "there is no such MCP server; run: gw up",
            );
        };
        match parts.method {
            Method::POST => {
                if let Some(refusal) = unfit(&parts.headers) {
                    return refusal;
                }
                match Limited::new(body, BODY_LIMIT).collect().await {
                    Ok(body) => self.post(&parts.headers, &server, &body.to_bytes()).await,
                    Err(_) => refuse(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "the request is too large, or broke off",
                    ),
                }
            }
            Method::GET => self.listen(&parts.headers, &server),
            Method::DELETE => match self.session(&parts.headers, &server) {
                Ok(session) => {
                    self.close(&session.id);
                    empty(StatusCode::OK)
                }
                Err(refusal) => *refusal,
            },
            _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed."),
        }
    }

    async fn post(
        self: &Arc<Self>,
        headers: &HeaderMap,
        server: &Arc<Server>,
        body: &[u8],
    ) -> Answer {
        let messages = serde_json::from_slice(body).map(message::messages);
        let messages = messages.unwrap_or_default();
        if messages.is_empty() || messages.iter().any(|m| message::kind(m).is_none()) {
            let what = "Parse error: Invalid JSON-RPC message";
            return refuse(StatusCode::BAD_REQUEST, what);
        }
        let begins = messages.iter().any(|m| message::is(m, "initialize"));
        let session = match begins {
            true => self
                .begin(server)
                .map_err(|why| Box::new(failed(&messages, &why))),
            false => self.session(headers, server),
        };
        let session = match session {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        let mut answer = match session.send(&messages).await {
            Ok(Some(answers)) => live(answers),
            Ok(None) => empty(StatusCode::ACCEPTED),
            Err(why) => {
                // Told once; a session that is unknown then is begun again by its client.
                self.forget(&session.id);
                return failed(&messages, &why);
            }
        };
        if begins && let Ok(id) = HeaderValue::from_str(&session.id) {
            answer.headers_mut().insert(SESSION, id);
        }
        answer
    }

    fn listen(&self, headers: &HeaderMap, server: &Server) -> Answer {
        if !accepts(headers, EVENTS) {
            let what = "Not Acceptable: Client must accept text/event-stream";
            return refuse(StatusCode::NOT_ACCEPTABLE, what);
        }
        match self.session(headers, server) {
            Ok(session) => live(session.listen()),
            Err(refusal) => *refusal,
        }
    }

    fn session(&self, headers: &HeaderMap, server: &Server) -> Result<Arc<Session>, Box<Answer>> {
        let id = headers.get(SESSION).and_then(|id| id.to_str().ok());
        let Some(id) = id else {
            let what = "Bad Request: Mcp-Session-Id header is required";
            return Err(Box::new(refuse(StatusCode::BAD_REQUEST, what)));
        };
        let session = self.find(id, &server.name);
        session.ok_or_else(|| Box::new(refuse(StatusCode::NOT_FOUND, "Session not found")))
    }
}

/// A page from anywhere can point its own name at this address (DNS rebinding): its browser then
/// names this very port. Through the gateway a host names another, or is one that only a cluster or a
/// container engine knows; `.internal` and `.local` as a whole are anybody's on a network.
fn is_foreign(parts: &Parts, port: u16) -> bool {
    let authority = authority(parts);
    let host = host_only(authority);
    let is_near = is_local(&host)
        || PRODUCTS.contains(&host.as_str())
        || host.ends_with(".svc.cluster.local");
    !is_near && authority.ends_with(&format!(":{port}"))
}

/// What a POST must say of itself. The content type also keeps pages out: they can't send this one to
/// another origin without asking first, and nobody answers that here.
fn unfit(headers: &HeaderMap) -> Option<Answer> {
    if !(accepts(headers, JSON) && accepts(headers, EVENTS)) {
        let what = "Not Acceptable: Client must accept both application/json and text/event-stream";
        return Some(refuse(StatusCode::NOT_ACCEPTABLE, what));
    }
    let kind = headers.get(CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
    (!is_json).then(|| {
        let what = "Unsupported Media Type: Content-Type must be application/json";
        refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, what)
    })
}

fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let mut values = values.filter_map(|value| value.to_str().ok());
    values.any(|value| value.contains(kind) || value.contains("*/*"))
}

/// The answer to requests that no program takes: a status that is no success would keep the words
/// from the client, for a gateway passes on the status alone (facts 9.8).
fn failed(messages: &[Value], why: &str) -> Answer {
    let ids = messages
        .iter()
        .filter_map(|message| match message::kind(message) {
            Some(Kind::Request(id)) => Some(id),
            _ => None,
        });
    let events: Vec<Bytes> = ids.map(|id| event(&message::error(&id, why))).collect();
    match events.is_empty() {
        true => refuse(StatusCode::NOT_FOUND, why),
        false => {
            let mut answer = whole(StatusCode::OK, EVENTS, events.concat().into());
            let headers = answer.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            answer
        }
    }
}

fn refuse(status: StatusCode, what: &str) -> Answer {
    let code = match status {
        StatusCode::NOT_FOUND => -32001,
        _ => -32000,
    };
    let error = json!({"code": code, "message": what});
    let body = json!({"jsonrpc": "2.0", "error": error, "id": null});
    whole(status, JSON, body.to_string().into())
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default().boxed_unsync());
    *answer.status_mut() = status;
    answer
}

fn whole(status: StatusCode, kind: &'static str, bytes: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(bytes).boxed_unsync());
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// Events as they come, until nothing more will.
fn live(events: Receiver<Bytes>) -> Answer {
    let frames = stream::unfold(events, |mut events| async {
        let event = events.recv().await?;
        Some((Ok(Frame::data(event)), events))
    });
    let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
