//! Calls to MCP servers on behalf of a client.

use std::sync::Arc;

use futures::future::Either;
use http::header::{
    self, ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::uri::PathAndQuery;
use http::{Method, Request, Response};

use super::failure::Failure;
use super::message::Message;
use super::target::Target;
use crate::gateway::body::AnyBody;
use crate::gateway::config::{Auth, Origin};
use crate::gateway::exchange::Exchange;
use crate::gateway::header::remove_hop_by_hop;
use crate::gateway::host;
use crate::gateway::transport::Transport;

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const EVENTS: &str = "text/event-stream";
pub(super) const JSON: &str = "application/json";

/// Who asks, as far as servers get to see it: the client's headers go on to them (facts 9.8).
pub(super) struct Caller {
    transport: Arc<Transport>,
    headers: HeaderMap,
    /// A hostname that a filter set.
    hostname: Option<HeaderValue>,
    /// The client's own Host.
    asked: Option<HeaderValue>,
    /// The header of a token that was verified.
    token: Option<HeaderValue>,
}

/// One call: what differs from one to the next.
pub(super) struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub accept: Option<&'static str>,
    pub session: Option<&'a str>,
    pub message: Option<&'a Message>,
    /// Which address of several; a session stays with the one that it was begun with.
    pub address: usize,
}

impl Caller {
    pub fn of(exchange: &Exchange<'_>) -> Caller {
        let mut headers = exchange.parts.headers.clone();
        remove_hop_by_hop(&mut headers);
        for name in [
            CONTENT_LENGTH,
            CONTENT_ENCODING,
            CONTENT_TYPE,
            ACCEPT,
            // A compressed answer could not be read.
            ACCEPT_ENCODING,
            header::EXPECT,
            HOST,
            SESSION,
        ] {
            headers.remove(name);
        }
        Caller {
            transport: exchange.plane.transport().clone(),
            headers,
            hostname: exchange.hostname.clone(),
            asked: HeaderValue::from_str(host::authority(&exchange.parts)).ok(),
            token: exchange.caller.token().cloned(),
        }
    }

    /// Sends a call; an answer that is no success is a failure.
    pub async fn call(
        &self,
        target: &Target,
        call: Call<'_>,
    ) -> Result<Response<AnyBody>, Failure> {
        let http = |cause: &dyn std::fmt::Display| Failure::Http(cause.to_string());
        let path: PathAndQuery = call.path.parse().map_err(|error| http(&error))?;
        let body = match call.message {
            Some(message) => AnyBody::whole(message.text()),
            None => AnyBody::whole(""),
        };
        let mut request = Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = path.into();
        *request.headers_mut() = self.head(target, &call);
        let pinned;
        let origin = match target.origin.dial.get(call.address) {
            Some(address) if target.origin.dial.len() > 1 => {
                pinned = Origin {
                    dial: vec![address.clone()],
                    ..target.origin.clone()
                };
                &pinned
            }
            _ => &target.origin,
        };
        let send = Box::pin(self.transport.send(origin, request));
        let sent = match target.timeout {
            None => Either::Left(async { Ok(send.await) }),
            Some(limit) => Either::Right(tokio::time::timeout(limit, send)),
        };
        let answer = sent.await.map_err(|_| http(&"upstream call timeout"))?;
        let answer = answer.map_err(|refusal| http(&refusal.body))?;
        let status = answer.status();
        match status.is_client_error() || status.is_server_error() {
            true => {
                let challenge = answer.headers().get(WWW_AUTHENTICATE).cloned();
                Err(Failure::Status(status, challenge))
            }
            false => Ok(answer),
        }
    }

    fn head(&self, target: &Target, call: &Call<'_>) -> HeaderMap {
        let mut headers = self.headers.clone();
        let host = self.hostname.as_ref().or(target.origin.host.as_ref());
        if let Some(host) = host.or(self.asked.as_ref()) {
            headers.insert(HOST, host.clone());
        }
        if call.message.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        }
        if call.method == Method::DELETE {
            // FastMCP hangs up when it has ended a session: no other call is to find that connection.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(accept) = call.accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        if let Some(session) = call.session.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(SESSION, session);
        }
        match &target.auth {
            Some(Auth::Bearer(value)) => drop(headers.insert(AUTHORIZATION, value.clone())),
            // A token that authentication took is given back (facts 5).
            Some(Auth::Passthrough) => {
                if let Some(token) = &self.token {
                    headers.insert(AUTHORIZATION, token.clone());
                }
            }
            // What must be made for each request is refused when it is configured.
            Some(Auth::Aws(_) | Auth::UsualAws | Auth::UsualGoogle(_)) | None => {}
        }
        headers
    }
}

/// Whether an answer says that it is of this kind.
pub(super) fn is(headers: &HeaderMap, kind: &str) -> bool {
    let given = headers.get(CONTENT_TYPE);
    given.is_some_and(|given| given.as_bytes().starts_with(kind.as_bytes()))
}
