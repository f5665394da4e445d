//! The HTTP form: the request's method and path, asked of the server; a success lets it pass, any
//! other answer is the client's.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, LOCATION};
use http::{Method, Request, Response, StatusCode, Uri, response};
use serde_json::{Map, Value};

use super::{Body, Http, Verdict};
use crate::gateway::body::{self, AnyBody};
use crate::gateway::cel::{AnswerFacts, Expression, Facts};
use crate::gateway::config::{Auth, Callee, HeaderChange};
use crate::gateway::exchange::{Exchange, Reply, ReplyBody};
use crate::gateway::refusal::Refusal;

/// The most that is read of a server's answer, where an expression asks about it.
const LONGEST: usize = 64 << 10;

pub(super) async fn ask(
    exchange: &mut Exchange<'_>,
    callee: &Callee,
    policy: &Http,
    body: Body,
) -> Result<Verdict, Refusal> {
    let origin = callee.origin.as_ref().ok_or_else(Refusal::ext_auth)?;
    let mut asked = question(exchange, policy, body)?;
    let headers = asked.headers_mut();
    if let Some(Auth::Bearer(value)) = &callee.auth {
        headers.insert(AUTHORIZATION, value.clone());
    }
    if !headers.contains_key(HOST) {
        let host = HeaderValue::from_str(&origin.endpoint).map_err(|_| Refusal::ext_auth())?;
        headers.insert(HOST, host);
    }
    let answer = exchange.plane.transport().send(origin, asked).await;
    let (parts, body) = answer.map_err(|_| Refusal::ext_auth())?.into_parts();
    if parts.status.is_success() {
        for name in &policy.kept {
            // What a client claims for itself does not stand beside what the server says.
            if parts.headers.contains_key(name) {
                exchange.parts.headers.remove(name);
            }
            for value in parts.headers.get_all(name) {
                exchange.parts.headers.append(name, value.clone());
            }
        }
        let body = read(policy, body).await;
        let told = told(exchange, policy, &parts, body.as_deref());
        exchange.caller.vouch(told);
        return Ok(Verdict::Passes(HeaderChange::default()));
    }
    let is_refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&parts.status);
    let reply = match policy.redirect.as_ref().filter(|_| is_refused) {
        Some(redirect) => redirected(redirect, &exchange.facts(&[]))?,
        None => Reply {
            parts,
            body: ReplyBody::Passing(body, None),
        },
    };
    Ok(Verdict::Denied(Box::new(reply)))
}

/// What is kept of a server's answer. An expression without a value says nothing.
fn told(
    exchange: &Exchange<'_>,
    policy: &Http,
    answer: &response::Parts,
    body: Option<&[u8]>,
) -> Map<String, Value> {
    let facts = Facts {
        answer: Some(AnswerFacts {
            status: answer.status,
            headers: &answer.headers,
            body,
        }),
        ..exchange.facts(&[])
    };
    let pairs = policy.told.iter().filter_map(|(name, told)| {
        let value = told.evaluate(&facts).ok()?.json().ok()?;
        Some((name.clone(), value))
    });
    pairs.collect()
}

/// The answer's body, where an expression asks about it.
async fn read(policy: &Http, body: AnyBody) -> Option<Bytes> {
    let mut asked = policy.told.iter();
    match asked.any(|(_, told)| told.needs().response_body) {
        true => body::read(body, LONGEST).await.ok(),
        false => None,
    }
}

/// What the server is asked.
fn question(
    exchange: &Exchange<'_>,
    policy: &Http,
    body: Body,
) -> Result<Request<AnyBody>, Refusal> {
    let (parts, facts) = (&exchange.parts, exchange.facts(&[]));
    let path = match &policy.path {
        None => exchange.path.clone(),
        Some(path) => text(path, &facts)?,
    };
    let asked = Request::builder()
        .method(parts.method.clone())
        .uri(path)
        .body(AnyBody::whole(body.start));
    let mut asked = asked.map_err(|_| Refusal::ext_auth())?;
    for name in &policy.sent {
        for value in parts.headers.get_all(name) {
            asked.headers_mut().append(name, value.clone());
        }
    }
    for (name, expression) in &policy.added {
        add(&mut asked, name, expression.header(&facts));
    }
    Ok(asked)
}

/// Adds a header, or changes the part of the head that the name stands for. A header without a
/// value is not sent at all.
fn add(asked: &mut Request<AnyBody>, name: &str, value: Option<HeaderValue>) {
    let bytes = value.as_ref().map(HeaderValue::as_bytes);
    match (name, bytes) {
        (":method", Some(bytes)) => {
            if let Ok(method) = Method::from_bytes(bytes) {
                *asked.method_mut() = method;
            }
        }
        (":path", Some(bytes)) => {
            if let Ok(uri) = Uri::try_from(bytes) {
                *asked.uri_mut() = uri;
            }
        }
        (":authority", _) => add(asked, "host", value),
        _ => {
            let Ok(name) = name.parse::<HeaderName>() else {
                return;
            };
            match value {
                Some(value) => drop(asked.headers_mut().insert(name, value)),
                None => drop(asked.headers_mut().remove(name)),
            }
        }
    }
}

fn redirected(redirect: &Expression, facts: &Facts<'_>) -> Result<Reply, Refusal> {
    let location = redirect.header(facts).ok_or_else(Refusal::ext_auth)?;
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::FOUND;
    parts.headers.insert(LOCATION, location);
    Ok(Reply {
        parts,
        body: ReplyBody::Whole(Bytes::new()),
    })
}

fn text(expression: &Expression, facts: &Facts<'_>) -> Result<String, Refusal> {
    let value = expression.header(facts);
    let text = value.as_ref().and_then(|value| value.to_str().ok());
    text.map(str::to_string).ok_or_else(Refusal::ext_auth)
}
