//! MCP: a client's session in one of the two transports, relayed to one or several servers in either (facts 9.8).
//!
//! Messages are JSON values, not `rmcp`'s types: what a message is to the gateway is its method, its
//! id and a name or two, and all else passes as it came, so a newer client and a newer server still
//! understand each other. The real proxy reads every answer into the types of rmcp 0.14 and drops what
//! these lack; `shape` does the same to the answers that clients look at, from a table that is smaller
//! than the dependency and its pinned version.
//!
//! A request comes in by `streamable` or `sse`, finds its `session`, is spread by `relay` to an
//! `upstream` for each server (streamable HTTP, or `legacy`), and what these say is brought back as a
//! `stream`, `merge`d where there are several.

mod authentication;
mod caller;
mod failure;
mod legacy;
mod merge;
mod message;
mod note;
mod relay;
mod rules;
mod session;
mod shape;
mod sse;
mod stream;
mod streamable;
mod target;
mod upstream;

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};

pub use authentication::Authentication;
pub(super) use note::Note;
pub(super) use session::Sessions;
pub use target::{Protocol, Servers, Target};

use super::body::{self, AnyBody, ReadError};
use super::exchange::{Exchange, Reply, ReplyBody};
use super::record::short;
use super::refusal::Refusal;
use caller::{Caller, EVENTS};
use message::Message;
use relay::Relay;
use rules::Access;
use session::Session;

/// The most that a client's message may take.
const BODY_LIMIT: usize = 2 << 20;

/// Serves one request of an MCP client. Which transport it speaks is in its path (facts 9.8).
pub(super) async fn serve(
    mut exchange: Exchange<'_>,
    servers: &Arc<Servers>,
) -> Result<Reply, Refusal> {
    exchange.record.mcp = Some(Note::default());
    let wider = exchange.mcp.authentication.clone();
    if let Some(authentication) = servers.authentication.as_ref().or(wider.as_ref()) {
        if let Some(reply) = Box::pin(authentication.check(&mut exchange)).await? {
            return Ok(reply);
        }
    } else if let Some(only) = servers.only()
        && exchange.path.contains("/.well-known/")
    {
        // How to get at tokens is the server's to say.
        return Box::pin(exchange.relay(&only.origin, only.auth.as_ref())).await;
    }
    let visit = Visit {
        caller: Caller::of(&exchange),
        access: Access::of(&exchange, servers),
        servers,
        exchange,
    };
    match visit.exchange.path == "/sse" {
        true => Box::pin(sse::serve(visit)).await,
        false => Box::pin(streamable::serve(visit)).await,
    }
}

/// One request on its way through here.
struct Visit<'a> {
    exchange: Exchange<'a>,
    servers: &'a Arc<Servers>,
    caller: Caller,
    access: Access,
}

impl Visit<'_> {
    fn sessions(&self) -> &Arc<Sessions> {
        self.exchange.plane.mcp()
    }

    fn relay<'s>(&'s self, session: &'s Arc<Session>) -> Relay<'s> {
        Relay {
            session,
            servers: self.servers,
            caller: &self.caller,
            access: self.access.clone(),
        }
    }

    /// The message in the request's body.
    async fn message(&mut self) -> Result<Message, Refusal> {
        let body = std::mem::replace(&mut self.exchange.body, AnyBody::whole(""));
        let bytes = match body::read(body, BODY_LIMIT).await {
            Ok(bytes) => bytes,
            Err(ReadError::TooLarge) => return Err(failure::unreadable("length limit exceeded")),
            Err(ReadError::Broken(error)) => return Err(failure::unreadable(&error.to_string())),
        };
        let message = Message::parse(&bytes).map_err(|cause| failure::unreadable(&cause))?;
        if !message.method().is_empty() {
            self.note().method = Some(short(message.method()));
        }
        Ok(message)
    }

    fn note(&mut self) -> &mut Note {
        self.exchange.record.mcp.get_or_insert_default()
    }
}

/// An answer that says no more than that a message was taken.
fn accepted() -> Reply {
    reply(
        StatusCode::ACCEPTED,
        HeaderMap::new(),
        ReplyBody::Whole(Bytes::new()),
    )
}

/// An answer that is a stream of events.
fn events(body: AnyBody) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply(StatusCode::OK, headers, ReplyBody::Passing(body, None))
}

fn reply(status: StatusCode, headers: HeaderMap, body: ReplyBody) -> Reply {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    parts.headers = headers;
    Reply { parts, body }
}
