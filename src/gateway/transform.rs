//! What transformations do to a request, and to its answer on the way back, whoever made it (facts 9.1).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Method, StatusCode, Uri, Version, response};

use super::body::{self, AnyBody};
use super::cel::{AnswerFacts, Facts, Needs, RequestFacts};
use super::config::HeaderChange;
use super::exchange::{Exchange, Reply, ReplyBody};
use super::host;
use super::llm::ANSWER_LIMIT;
use super::policy::{Caller, Change, Effect, Transformation};
use super::record::Record;

/// The transformations to come, and what their expressions may ask of the request.
#[derive(Default)]
pub(super) struct After {
    layers: Vec<Arc<Transformation>>,
    request: Option<Seen>,
    /// Headers that a limiter gives an answer.
    pub added: Vec<HeaderChange>,
    pub caller: Caller,
}

/// A request as it was when the first transformation was planned.
struct Seen {
    method: Method,
    uri: Uri,
    scheme: &'static str,
    authority: String,
    version: Version,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Exchange<'_> {
    /// Remembers what a transformation will do to the answer, and what it will ask.
    pub async fn plan(&mut self, transformation: &Arc<Transformation>) {
        let Some(change) = &transformation.response else {
            return;
        };
        let needs = change.needs();
        self.hold(needs).await;
        // The nearest level's comes first (facts 9.1).
        self.after.layers.insert(0, Arc::clone(transformation));
        if needs.request && self.after.request.is_none() {
            self.after.request = Some(Seen {
                method: self.parts.method.clone(),
                uri: self.parts.uri.clone(),
                scheme: self.scheme,
                authority: host::authority(&self.parts).to_string(),
                version: self.parts.version,
                headers: self.parts.headers.clone(),
                body: self.held.clone(),
            });
        }
    }
}

impl Exchange<'_> {
    /// Changes the request, before its URL is rewritten.
    pub async fn transform(&mut self, change: &Change) {
        self.hold(change.needs()).await;
        let effect = change.work_out(&self.facts(&[]));
        effect.change_headers(&mut self.parts.headers);
        if let Some(method) = effect.method {
            self.parts.method = method;
        }
        if let Some(authority) = &effect.authority {
            self.parts.headers.insert(HOST, authority.clone());
        }
        if let Some(uri) = changed(&self.parts.uri, effect.authority, effect.path) {
            self.path = uri.path().to_string();
            self.parts.uri = uri;
        }
        if let Some(body) = effect.body {
            self.held = Some(body.clone());
            self.body = AnyBody::whole(body);
        }
    }
}

/// The URI with another authority, if it has one, and another path; `None` where nothing changes.
fn changed(uri: &Uri, authority: Option<HeaderValue>, path: Option<HeaderValue>) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let authority = authority.filter(|_| parts.authority.is_some());
    let authority = authority.and_then(|value| Authority::try_from(value.as_bytes()).ok());
    let path = path.and_then(|value| PathAndQuery::try_from(value.as_bytes()).ok());
    let path = path.filter(|path| path.path().starts_with('/'));
    if authority.is_none() && path.is_none() {
        return None;
    }
    parts.authority = authority.or(parts.authority);
    parts.path_and_query = path.or(parts.path_and_query);
    Uri::from_parts(parts).ok()
}

impl After {
    fn changes(&self) -> impl Iterator<Item = &Change> {
        let layers = self.layers.iter();
        layers.filter_map(|layer| layer.response.as_ref())
    }

    fn needs(&self) -> Needs {
        self.changes()
            .fold(Needs::default(), |needs, change| needs.and(change.needs()))
    }

    /// Works out one change on what is there of the answer.
    fn effect(
        &self,
        change: &Change,
        status: StatusCode,
        headers: &HeaderMap,
        body: Option<&[u8]>,
        record: &Record,
    ) -> Effect {
        let llm = change.needs().llm.then(|| record.llm()).flatten();
        let more: Vec<_> = llm.into_iter().map(|llm| ("llm", llm)).collect();
        let request = self.request.as_ref().map(|seen| RequestFacts {
            method: &seen.method,
            uri: &seen.uri,
            scheme: seen.scheme,
            authority: &seen.authority,
            version: seen.version,
            headers: &seen.headers,
            body: seen.body.as_deref(),
        });
        change.work_out(&Facts {
            request,
            answer: Some(AnswerFacts {
                status,
                headers,
                body,
            }),
            source: Some(record.peer()),
            caller: Some(&self.caller),
            more: &more,
        })
    }

    /// Changes an upstream's answer. A body that must be seen or replaced is waited for.
    pub async fn reply(&self, reply: &mut Reply, record: &mut Record) {
        if self.layers.is_empty() {
            return;
        }
        let mut body = None;
        if self.needs().response_body || self.changes().any(Change::replaces_body) {
            body = hold(&mut reply.body).await;
        }
        for change in self.changes() {
            let effect = self.effect(
                change,
                reply.parts.status,
                &reply.parts.headers,
                body.as_deref(),
                record,
            );
            reply.parts.status = effect.status.unwrap_or(reply.parts.status);
            effect.change_headers(&mut reply.parts.headers);
            let is_http = !matches!(reply.body, ReplyBody::Upgraded(_));
            if let Some(new) = effect.body.filter(|_| is_http) {
                let old = std::mem::replace(&mut reply.body, ReplyBody::Whole(new.clone()));
                count(old, body.as_ref(), record);
                body = Some(new);
            }
        }
    }

    /// Changes an answer that the gateway made itself.
    pub fn own(&self, parts: &mut response::Parts, body: &mut Bytes, record: &Record) {
        for change in self.changes() {
            let effect = self.effect(change, parts.status, &parts.headers, Some(body), record);
            parts.status = effect.status.unwrap_or(parts.status);
            effect.change_headers(&mut parts.headers);
            if let Some(new) = effect.body {
                *body = new;
            }
        }
    }
}

async fn hold(body: &mut ReplyBody) -> Option<Bytes> {
    match body {
        ReplyBody::Whole(bytes) => Some(bytes.clone()),
        ReplyBody::Passing(inner, _) => {
            let whole = std::mem::replace(inner, AnyBody::whole(""));
            let (held, rest) = body::peek(whole, ANSWER_LIMIT).await;
            *inner = rest;
            held
        }
        ReplyBody::Upgraded(_) => None,
    }
}

/// What a replaced body cost is counted all the same.
fn count(old: ReplyBody, bytes: Option<&Bytes>, record: &mut Record) {
    if let (ReplyBody::Passing(_, Some(mut meter)), Some(bytes)) = (old, bytes) {
        meter.see(bytes);
        record.used(meter.read());
    }
}
