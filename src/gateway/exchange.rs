//! One request on its way through the gateway: host, listener, rule, policies, filters, backend (facts 9.1).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use super::body::{AnswerBody, CallBody, Streamed};
use super::choose::{self, Asked};
use super::config::{
    Auth, Backend, BackendKind, Candidate, Config, Destination, Filter, HeaderChange, Origin,
    Redirect, Rule,
};
use super::header::remove_hop_by_hop;
use super::host;
use super::llm::Meter;
use super::model;
use super::plane::Plane;
use super::policy::{Bucket, Counts};
use super::record::Record;
use super::refusal::Refusal;

/// An upstream's answer, on its way back.
pub(super) struct Reply {
    pub parts: response::Parts,
    pub body: ReplyBody,
}

pub(super) enum ReplyBody {
    Whole(Bytes),
    Passing(Incoming, Option<Meter>),
}

/// A request between the filters and the upstream.
pub(super) struct Exchange<'a> {
    pub plane: &'a Plane,
    pub parts: Parts,
    /// Path after rewrites, without the query.
    pub path: String,
    pub body: Incoming,
    pub record: &'a mut Record,
    /// A hostname that a filter set wins over the backend's own.
    pub hostname: Option<HeaderValue>,
    /// What the tokens of a model's answer are taken from.
    pub tokens: Option<Arc<Bucket>>,
}

/// Answers a request; whatever goes wrong becomes an answer too.
pub(super) async fn answer(
    plane: &Plane,
    port: u16,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let config = plane.config();
    let (parts, body) = request.into_parts();
    let authority = host::authority(&parts).to_string();
    let host = host::host_only(&authority);
    let mut record = Record::new(plane.log(), peer, &parts, &host);
    let mut changes: Vec<Cow<HeaderChange>> = Vec::new();
    let result = match choose_rule(&config, port, &host, &parts, &mut record) {
        Err(refusal) => Err(refusal),
        Ok(candidate) => {
            let exchange = Exchange {
                plane,
                path: parts.uri.path().to_string(),
                parts,
                body,
                record: &mut record,
                hostname: None,
                tokens: None,
            };
            let run = exchange.run(candidate, &authority, port, &mut changes);
            within(
                candidate
                    .rule
                    .request_timeout
                    .or(candidate.rule.traffic.timeout),
                Refusal::request_timeout,
                run,
            )
            .await
        }
    };
    finish(result, &changes, record)
}

/// Runs something with a time limit, if there is one.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    refusal: fn() -> Refusal,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(refusal())),
    }
}

fn choose_rule<'a>(
    config: &'a Config,
    port: u16,
    host: &str,
    parts: &Parts,
    record: &mut Record,
) -> Result<&'a Candidate, Refusal> {
    if !host::is_ours(config, port, host) {
        return Err(Refusal::foreign_host(host));
    }
    let listeners = config.listeners.get(&port).map_or(&[][..], Vec::as_slice);
    record.gateway = listeners.first().map(|listener| listener.gateway.clone());
    let listener = choose::listener(listeners, host).ok_or_else(Refusal::listener_not_found)?;
    record.listener = Some(listener.name.clone());
    let asked = Asked {
        host,
        path: parts.uri.path(),
        query: parts.uri.query(),
        method: &parts.method,
        headers: &parts.headers,
    };
    let candidate = choose::rule(listener, &asked).ok_or_else(Refusal::route_not_found)?;
    record.route = Some(candidate.rule.route.clone());
    Ok(candidate)
}

fn finish(
    result: Result<Reply, Refusal>,
    changes: &[Cow<HeaderChange>],
    mut record: Record,
) -> Response<AnswerBody> {
    let mut response = match result {
        Err(refusal) => {
            record.status = Some(refusal.status);
            if !refusal.reason.is_empty() {
                record.fail(refusal.reason, refusal.body.clone());
            }
            refusal.into_response()
        }
        Ok(Reply { mut parts, body }) => {
            record.status = Some(parts.status);
            remove_hop_by_hop(&mut parts.headers);
            let body = match body {
                ReplyBody::Whole(bytes) => Either::Left(Full::new(bytes)),
                ReplyBody::Passing(inner, meter) => Either::Right(Streamed {
                    inner,
                    meter,
                    record,
                }),
            };
            Response::from_parts(parts, body)
        }
    };
    for change in changes {
        change.apply(response.headers_mut());
    }
    response
}

impl<'a> Exchange<'a> {
    async fn run<'c>(
        mut self,
        candidate: &'c Candidate,
        authority: &str,
        port: u16,
        changes: &mut Vec<Cow<'c, HeaderChange>>,
    ) -> Result<Reply, Refusal> {
        let rule: &Rule = &candidate.rule;
        if let Some(what) = &rule.traffic.refused {
            return Err(Refusal::unsupported(what));
        }
        if let Some(basic) = &rule.traffic.basic {
            basic.check(&mut self.parts.headers).await?;
        }
        if let Some(keys) = &rule.traffic.api_keys {
            keys.check(&mut self.parts.headers)?;
        }
        if let Some(limit) = &rule.traffic.limit {
            let bucket = self.plane.bucket(limit);
            match limit.counts {
                Counts::Requests => bucket.take(Instant::now())?,
                Counts::Tokens => self.tokens = Some(bucket),
            }
        }
        if let Some(csrf) = &rule.traffic.csrf
            && !csrf.allows(&self.parts.method, authority, &self.parts.headers)
        {
            return Err(Refusal::csrf());
        }
        if let Some(change) = &rule.traffic.request_headers {
            change.apply(&mut self.parts.headers);
        }
        if let Some(change) = &rule.traffic.response_headers {
            changes.push(Cow::Borrowed(&**change));
        }
        self.filter(&rule.filters, candidate, changes)?;
        if let Some(cors) = &rule.traffic.cors {
            let change = cors.check(&self.parts.method, &self.parts.headers)?;
            changes.push(Cow::Owned(change));
        }
        for filter in &rule.filters {
            if let Filter::Redirect(redirect) = filter {
                return Err(self.redirect(redirect, candidate, authority, port));
            }
        }
        if let Some(direct) = &rule.traffic.direct {
            return Err(direct.answer());
        }
        let backend = choose::backend(&rule.backends).ok_or_else(Refusal::no_valid_backends)?;
        self.filter(&backend.filters, candidate, changes)?;
        let limit = rule.backend_timeout;
        match &backend.destination {
            Destination::Unknown => Err(Refusal::service_not_found()),
            Destination::Service(origin) => {
                within(limit, Refusal::upstream_timeout, self.relay(origin, None)).await
            }
            Destination::Backend(backend) => {
                let limit = limit.or(backend.request_timeout);
                within(limit, Refusal::upstream_timeout, self.forward(backend)).await
            }
        }
    }

    fn filter<'c>(
        &mut self,
        filters: &'c [Filter],
        candidate: &Candidate,
        changes: &mut Vec<Cow<'c, HeaderChange>>,
    ) -> Result<(), Refusal> {
        for filter in filters {
            match filter {
                Filter::RequestHeaders(change) => change.apply(&mut self.parts.headers),
                Filter::ResponseHeaders(change) => changes.push(Cow::Borrowed(change)),
                Filter::Rewrite { hostname, path } => {
                    if let Some(change) = path {
                        let new = change.apply(&candidate.matcher.path, &self.path);
                        self.path = new.ok_or_else(Refusal::filter)?;
                    }
                    self.hostname = hostname.clone().or(self.hostname.take());
                }
                Filter::Redirect(_) => {}
            }
        }
        Ok(())
    }

    /// Where a redirect filter sends the client: what it does not name stays as it was asked.
    fn redirect(
        &self,
        redirect: &Redirect,
        candidate: &Candidate,
        authority: &str,
        port: u16,
    ) -> Refusal {
        let path = match &redirect.path {
            None => Some(self.path.clone()),
            Some(change) => change.apply(&candidate.matcher.path, &self.path),
        };
        let Some(path) = path else {
            return Refusal::filter();
        };
        let scheme = redirect.scheme.as_deref().unwrap_or("http");
        let host = redirect
            .hostname
            .clone()
            .unwrap_or_else(|| host::host_only(authority));
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        let port = match (redirect.port, &redirect.scheme) {
            (Some(port), _) => Some(port),
            (None, Some(_)) => None,
            (None, None) => Some(port),
        };
        let port = match (scheme, port) {
            (_, None) | ("http", Some(80)) | ("https", Some(443)) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        let query = self
            .parts
            .uri
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        match HeaderValue::from_str(&format!("{scheme}://{host}{port}{path}{query}")) {
            Ok(location) => Refusal::redirect(redirect.status, location),
            Err(error) => Refusal::invalid(error),
        }
    }

    async fn forward(self, backend: &Backend) -> Result<Reply, Refusal> {
        match &backend.kind {
            BackendKind::Static(origin) => self.relay(origin, backend.auth.as_ref()).await,
            BackendKind::Ai(provider) => model::call(self, provider, backend.auth.as_ref()).await,
        }
    }

    /// Passes the request to an upstream without reading it.
    pub async fn relay(self, origin: &Origin, auth: Option<&Auth>) -> Result<Reply, Refusal> {
        self.record.endpoint = Some(origin.endpoint.clone());
        let path = with_query(&self.path, self.parts.uri.query());
        let head = self.head(origin, auth, &path)?;
        let request = Request::from_parts(head, CallBody::Right(self.body));
        let (parts, body) = self
            .plane
            .transport()
            .send(origin, request)
            .await?
            .into_parts();
        let body = ReplyBody::Passing(body, None);
        Ok(Reply { parts, body })
    }

    /// The head of the upstream call: the client's, for another host and perhaps another key.
    pub fn head(&self, origin: &Origin, auth: Option<&Auth>, path: &str) -> Result<Parts, Refusal> {
        let path: PathAndQuery = path.parse().map_err(Refusal::invalid)?;
        let request = Request::builder()
            .method(self.parts.method.clone())
            .uri(path);
        let (mut head, ()) = request.body(()).map_err(Refusal::invalid)?.into_parts();
        head.headers = self.parts.headers.clone();
        remove_hop_by_hop(&mut head.headers);
        head.headers.remove(header::EXPECT);
        // The client's own Host goes on to an upstream that is an address (facts 16.1).
        let host = self.hostname.clone().or_else(|| origin.host.clone());
        let asked = || HeaderValue::from_str(host::authority(&self.parts)).ok();
        if let Some(host) = host.or_else(asked) {
            head.headers.insert(header::HOST, host);
        }
        match auth {
            Some(Auth::Bearer(value)) => {
                head.headers.insert(header::AUTHORIZATION, value.clone());
            }
            Some(Auth::Passthrough) | None => {}
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
