//! The last step of an exchange: the call to the upstream.

use std::pin::pin;
use std::time::{Instant, SystemTime};

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, StatusCode};

use super::balance::Outcome;
use super::config::{Auth, Backend, BackendKind, Group, Origin};
use super::exchange::{Exchange, Reply, ReplyBody, within};
use super::header::remove_hop_by_hop;
use super::host;
use super::mcp;
use super::model;
use super::refusal::Refusal;
use super::reset;
use super::upgrade;

impl Exchange<'_> {
    pub async fn forward(self, backend: &Backend) -> Result<Reply, Refusal> {
        match &backend.kind {
            BackendKind::Static(origin) => self.relay(origin, backend.auth.as_ref()).await,
            BackendKind::Ai(provider) => model::call(self, provider).await,
            BackendKind::Groups(group) => self.balance(group).await,
            BackendKind::Dynamic(dynamic) => {
                let origin = dynamic.origin(host::authority(&self.parts), self.port)?;
                self.relay(&origin, backend.auth.as_ref()).await
            }
            // Boxed: what a relay to several servers holds is not for every request's stack.
            BackendKind::Mcp(servers) => Box::pin(mcp::serve(self, servers)).await,
        }
    }

    /// Calls one of several providers and notes how that went.
    async fn balance(self, group: &Group) -> Result<Reply, Refusal> {
        let started = Instant::now();
        let pool = self.plane.pool(&group.key);
        let turn = pool.pick(started);
        let turn = turn.ok_or_else(Refusal::no_healthy_backends)?;
        let member = &group.members[turn.group][turn.member];
        let call = pin!(model::call(self, &member.provider));
        let result = within(member.timeout, Refusal::upstream_timeout, call).await;
        let status = result
            .as_ref()
            .map_or_else(|r| r.status, |r| r.parts.status);
        let headers = result.as_ref().ok().map(|reply| &reply.parts.headers);
        let outcome = Outcome {
            succeeded: !status.is_server_error(),
            took: started.elapsed(),
            evict: headers
                .filter(|_| status == StatusCode::TOO_MANY_REQUESTS)
                .and_then(|headers| reset::wait(headers, SystemTime::now())),
        };
        turn.note(outcome, Instant::now());
        result
    }

    /// Passes the request to an upstream without reading it.
    pub async fn relay(mut self, origin: &Origin, auth: Option<&Auth>) -> Result<Reply, Refusal> {
        self.record.endpoint = Some(origin.endpoint.clone());
        let path = with_query(&self.path, self.parts.uri.query());
        let mut head = self.take_head(origin, auth, &path)?;
        if let Some(upgrade) = &self.upgrade {
            upgrade.write(&mut head.headers);
        }
        let request = Request::from_parts(head, self.body);
        let answer = self.plane.transport().send(origin, request).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return upgrade::accept(self.upgrade, answer);
        }
        let (parts, body) = answer.into_parts();
        let body = ReplyBody::Passing(body, None);
        Ok(Reply { parts, body })
    }

    /// The head of the upstream call: the client's, for another host and perhaps another key.
    pub fn head(&self, origin: &Origin, auth: Option<&Auth>, path: &str) -> Result<Parts, Refusal> {
        let headers = self.parts.headers.clone();
        self.headed(headers, self.host(origin), auth, path)
    }

    /// As `head`, for the last call of an exchange: the client's headers go along instead of a copy.
    pub fn take_head(
        &mut self,
        origin: &Origin,
        auth: Option<&Auth>,
        path: &str,
    ) -> Result<Parts, Refusal> {
        let host = self.host(origin);
        let headers = std::mem::take(&mut self.parts.headers);
        self.headed(headers, host, auth, path)
    }

    /// The client's own Host goes on to an upstream that is an address (facts 16.1).
    fn host(&self, origin: &Origin) -> Option<HeaderValue> {
        let host = self.hostname.as_ref().or(origin.host.as_ref());
        let asked = || HeaderValue::from_str(host::authority(&self.parts)).ok();
        host.cloned().or_else(asked)
    }

    fn headed(
        &self,
        headers: HeaderMap,
        host: Option<HeaderValue>,
        auth: Option<&Auth>,
        path: &str,
    ) -> Result<Parts, Refusal> {
        let path: PathAndQuery = path.parse().map_err(Refusal::invalid)?;
        let request = Request::builder()
            .method(self.parts.method.clone())
            .uri(path);
        let (mut head, ()) = request.body(()).map_err(Refusal::invalid)?.into_parts();
        head.headers = headers;
        remove_hop_by_hop(&mut head.headers);
        head.headers.remove(header::EXPECT);
        if let Some(host) = host {
            head.headers.insert(header::HOST, host);
        }
        match auth {
            Some(Auth::Bearer(value)) => {
                head.headers.insert(header::AUTHORIZATION, value.clone());
            }
            // A token that authentication took is given back (facts 5).
            Some(Auth::Passthrough) => {
                if let Some(token) = self.caller.token() {
                    head.headers.insert(header::AUTHORIZATION, token.clone());
                }
            }
            // What is made for each request is added when the rest is there.
            Some(Auth::Aws(_) | Auth::UsualAws | Auth::UsualGoogle(_)) | None => {}
        }
        Ok(head)
    }
}

/// A path with the client's query, unless it has one of its own.
pub(super) fn with_query(path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) if !path.contains('?') => format!("{path}?{query}"),
        _ => path.to_string(),
    }
}
