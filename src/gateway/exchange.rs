//! One request on its way through the gateway: host, listener, rule, policies, filters, backend (facts 9.1).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use http::request::Parts;
use http::{Request, Response, response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use super::body::{AnswerBody, AnyBody, Streamed};
use super::choose::{self, Asked};
use super::config::{Candidate, Config, HeaderChange, Listener};
use super::header::remove_hop_by_hop;
use super::host;
use super::llm::Meter;
use super::mcp::Authentication;
use super::plane::Plane;
use super::policy::{Authorization, Bucket, Caller, GlobalLimit, Talk};
use super::record::Record;
use super::refusal::Refusal;
use super::transform::After;
use super::upgrade::{self, Tunnel, Upgrade};

/// An upstream's answer, on its way back.
pub(super) struct Reply {
    pub parts: response::Parts,
    pub body: ReplyBody,
}

pub(super) enum ReplyBody {
    Whole(Bytes),
    Passing(AnyBody, Option<Box<Meter>>),
    /// None: the connection is no longer HTTP.
    Upgraded(Tunnel),
}

/// A request between the filters and the upstream.
pub(super) struct Exchange<'a> {
    pub plane: &'a Arc<Plane>,
    pub parts: Parts,
    /// Path after rewrites, without the query.
    pub path: String,
    pub body: AnyBody,
    /// The body, where an expression had to see it.
    pub held: Option<Bytes>,
    pub peer: SocketAddr,
    /// `http` or `https`, as the listener has it.
    pub scheme: &'static str,
    /// The port that the listener names.
    pub port: u16,
    pub caller: Caller,
    /// What is still to be done to the answer.
    pub after: &'a mut After,
    pub record: &'a mut Record,
    /// A hostname that a filter set wins over the backend's own.
    pub hostname: Option<HeaderValue>,
    /// What the tokens of a model's answer are taken from.
    pub tokens: Option<Arc<Bucket>>,
    /// A limiter that counts tokens too.
    pub limiter: Option<Arc<GlobalLimit>>,
    /// What the client asked its connection to become.
    pub upgrade: Option<Upgrade>,
    pub mcp: AskedOfMcp,
}

/// What the policies on the way to an MCP backend ask.
#[derive(Clone, Default)]
pub(super) struct AskedOfMcp {
    /// What clients get to see.
    pub rules: Option<Arc<Authorization>>,
    pub authentication: Option<Arc<Authentication>>,
}

/// Answers a request; whatever goes wrong becomes an answer too.
pub(super) async fn answer(
    plane: &Arc<Plane>,
    port: u16,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Response<AnswerBody> {
    let config = plane.config();
    let upgrade = Upgrade::asked(&mut request);
    let (parts, body) = request.into_parts();
    let authority = host::authority(&parts).to_string();
    let host = host::host_only(&authority);
    let mut record = Record::new(plane, port, peer, &parts, &host);
    let mut changes: Vec<Cow<HeaderChange>> = Vec::new();
    let mut talks: Vec<Talk> = Vec::new();
    let mut after = After::default();
    let mut result = match choose_listener(&config, port, &host, &mut record) {
        Err(refusal) => Err(refusal),
        Ok(listener) => {
            let exchange = Exchange {
                plane,
                path: parts.uri.path().to_string(),
                parts,
                body: AnyBody::Incoming(body),
                held: None,
                peer,
                scheme: match listener.certificate {
                    Some(_) => "https",
                    None => "http",
                },
                port,
                caller: Caller::default(),
                after: &mut after,
                record: &mut record,
                hostname: None,
                tokens: None,
                limiter: None,
                upgrade,
                mcp: AskedOfMcp::default(),
            };
            exchange
                .serve(listener, (authority, host), port, &mut changes, &mut talks)
                .await
        }
    };
    // The processor that saw the request sees the answer last, as all else has changed it (facts 9.1).
    if let Ok(reply) = &mut result {
        for change in changes.drain(..) {
            change.apply(&mut reply.parts.headers);
        }
        for change in std::mem::take(&mut after.added) {
            change.apply(&mut reply.parts.headers);
        }
        after.reply(reply, &mut record).await;
    }
    // The nearest processor first, then the one before routing.
    while let Some(talk) = talks.pop() {
        result = talk.answer(result).await;
    }
    finish(plane, result, &changes, &after, record)
}

/// Runs something with a time limit, if there is one. It stays where it is pinned: held here, each
/// request would carry it twice.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    refusal: fn() -> Refusal,
    work: Pin<&mut impl Future<Output = Result<T, Refusal>>>,
) -> Result<T, Refusal> {
    match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(refusal())),
    }
}

fn choose_listener<'a>(
    config: &'a Config,
    port: u16,
    host: &str,
    record: &mut Record,
) -> Result<&'a Listener, Refusal> {
    if !host::is_ours(config, port, host) {
        return Err(Refusal::foreign_host(host));
    }
    let listeners = config.listeners.get(&port).map_or(&[][..], Vec::as_slice);
    if let Some(first) = listeners.first() {
        record.gateway = Some(first.gateway.clone());
        record.logging = first.logging;
    }
    let listener = choose::listener(listeners, host).ok_or_else(Refusal::listener_not_found)?;
    record.listener = Some(listener.name.clone());
    Ok(listener)
}

impl Exchange<'_> {
    /// Finds the route, and lets its rule's work have the time that it may take.
    async fn serve<'c>(
        mut self,
        listener: &'c Listener,
        (mut authority, mut host): (String, String),
        port: u16,
        changes: &mut Vec<Cow<'c, HeaderChange>>,
        talks: &mut Vec<Talk>,
    ) -> Result<Reply, Refusal> {
        if let Some(before) = &listener.before {
            let answered = Box::pin(self.before_routing(before, changes, talks)).await?;
            if let Some(reply) = answered {
                return Ok(reply);
            }
            authority = host::authority(&self.parts).to_string();
            host = host::host_only(&authority);
        }
        let candidate = self.choose_rule(listener, &host)?;
        let rule = &candidate.rule;
        let limit = rule.request_timeout.or(rule.traffic.timeout);
        let run = pin!(self.run(candidate, &authority, port, changes, talks));
        within(limit, Refusal::request_timeout, run).await
    }

    fn choose_rule<'c>(
        &mut self,
        listener: &'c Listener,
        host: &str,
    ) -> Result<&'c Candidate, Refusal> {
        let asked = Asked {
            host,
            path: self.parts.uri.path(),
            query: self.parts.uri.query(),
            method: &self.parts.method,
            headers: &self.parts.headers,
        };
        let candidate = choose::rule(listener, &asked).ok_or_else(Refusal::route_not_found)?;
        self.record.route = Some(candidate.rule.route.clone());
        Ok(candidate)
    }
}

fn finish(
    plane: &Plane,
    result: Result<Reply, Refusal>,
    changes: &[Cow<HeaderChange>],
    after: &After,
    mut record: Record,
) -> Response<AnswerBody> {
    match result {
        Err(refusal) => {
            record.status = Some(refusal.status);
            if !refusal.reason.is_empty() {
                record.fail(refusal.reason, refusal.body.clone());
            }
            let (mut parts, mut body) = refusal.into_response().into_parts();
            for change in changes {
                change.apply(&mut parts.headers);
            }
            after.own(&mut parts, &mut body, &record);
            record.status = Some(parts.status);
            record.bytes = body.len() as u64;
            Response::from_parts(parts, Either::Left(Full::new(body)))
        }
        Ok(Reply { mut parts, body }) => {
            record.status = Some(parts.status);
            let kind = upgrade::kind(&parts.headers);
            remove_hop_by_hop(&mut parts.headers);
            let body = match body {
                ReplyBody::Whole(bytes) => {
                    record.bytes = bytes.len() as u64;
                    Either::Left(Full::new(bytes))
                }
                ReplyBody::Upgraded(tunnel) => {
                    if let Some(kind) = kind {
                        upgrade::keep(&mut parts.headers, kind);
                    }
                    tunnel.join(record, &plane.connections);
                    Either::Left(Full::default())
                }
                ReplyBody::Passing(inner, meter) => Either::Right(Streamed {
                    inner,
                    meter: meter.map(|meter| *meter),
                    record,
                }),
            };
            Response::from_parts(parts, body)
        }
    }
}
