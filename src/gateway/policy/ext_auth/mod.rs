//! `traffic.extAuth`: a server of the person's says who may pass, over Envoy's gRPC protocol or
//! over HTTP (facts 7.2, 9.7). Whatever keeps it from an answer refuses the request.

mod check;
mod http;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use bytes::Bytes;
use serde_json::Value;

use crate::gateway::body::AnyBody;
use crate::gateway::cel::{Expression, Needs};
use crate::gateway::config::{Callee, HeaderChange};
use crate::gateway::exchange::{Exchange, Reply};
use crate::gateway::held;
use crate::gateway::object::{dig, text, texts};
use crate::gateway::refusal::Refusal;

/// How long an authorization server may take, where its backend does not say (as agentgateway 0.12 has it).
const DEADLINE: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct ExtAuth {
    /// None fails closed: the server that the policy names is not there (facts 4.5).
    callee: Option<Arc<Callee>>,
    protocol: Protocol,
    /// Bytes of the body that are sent along.
    forward: Option<usize>,
}

#[derive(Debug)]
enum Protocol {
    Grpc {
        context: HashMap<String, String>,
        /// By the name under which the server finds them.
        metadata: Vec<(String, Expression)>,
    },
    Http(Box<Http>),
}

#[derive(Debug)]
struct Http {
    /// The path to ask for, instead of the request's own.
    path: Option<Expression>,
    /// Where to send whoever is refused.
    redirect: Option<Expression>,
    /// Headers of the question beside the request's own; a name may be that of a part of its head.
    added: Vec<(String, Expression)>,
    /// Headers of the request that are sent along.
    sent: Vec<HeaderName>,
    /// Headers of the server's answer that go on to the upstream.
    kept: Vec<HeaderName>,
    /// What later expressions find in `extauthz`, worked out from the server's answer.
    told: Vec<(String, Expression)>,
}

/// What a server said.
pub(in crate::gateway) enum Verdict {
    /// The request goes on, and its answer is changed so.
    Passes(HeaderChange),
    Denied(Box<Reply>),
}

impl ExtAuth {
    /// Reads a policy; the error names what can't be done here, or what is no header.
    pub(in crate::gateway) fn read(
        callee: Option<Callee>,
        spec: &Value,
    ) -> Result<ExtAuth, String> {
        let forward = dig(spec, &["forwardBody", "maxSize"]).as_u64();
        Ok(ExtAuth {
            callee: callee.map(Arc::new),
            protocol: protocol(spec)?,
            forward: forward.map(|size| usize::try_from(size).unwrap_or(usize::MAX)),
        })
    }

    /// Asks the server about a request.
    pub(in crate::gateway) async fn check(
        &self,
        exchange: &mut Exchange<'_>,
    ) -> Result<Verdict, Refusal> {
        exchange.hold(self.needs()).await;
        let body = self.forwarded(exchange).await?;
        let callee = self.callee.as_ref().ok_or_else(Refusal::ext_auth)?;
        let limit = callee.timeout.unwrap_or(DEADLINE);
        let asked = async {
            match &self.protocol {
                Protocol::Grpc { context, metadata } => {
                    check::ask(exchange, callee, (context, metadata), body).await
                }
                Protocol::Http(http) => http::ask(exchange, callee, http, body).await,
            }
        };
        let verdict = tokio::time::timeout(limit, asked).await;
        verdict.unwrap_or_else(|_| Err(Refusal::ext_auth()))
    }

    fn needs(&self) -> Needs {
        let (named, other) = match &self.protocol {
            Protocol::Grpc { metadata, .. } => (metadata, [None, None]),
            Protocol::Http(http) => (&http.added, [http.path.as_ref(), http.redirect.as_ref()]),
        };
        let told = match &self.protocol {
            Protocol::Grpc { .. } => &[][..],
            Protocol::Http(http) => &http.told,
        };
        let named = named.iter().chain(told).map(|(_, expression)| expression);
        let all = named.chain(other.into_iter().flatten());
        all.fold(Needs::default(), |needs, expression| {
            needs.and(expression.needs())
        })
    }

    /// The start of the body, as much as the policy says: a longer one is sent in part and passes
    /// whole (the controller asks for that).
    async fn forwarded(&self, exchange: &mut Exchange<'_>) -> Result<Body, Refusal> {
        let Some(limit) = self.forward else {
            return Ok(Body::default());
        };
        let body = std::mem::replace(&mut exchange.body, AnyBody::whole(""));
        let held = held::peek(body, limit).await;
        let held = held.map_err(|_| Refusal::ext_auth())?;
        exchange.body = held.body;
        Ok(Body {
            start: held.start,
            is_whole: held.is_whole,
        })
    }
}

/// What of a request's body is sent along.
#[derive(Default)]
struct Body {
    start: Bytes,
    is_whole: bool,
}

fn protocol(spec: &Value) -> Result<Protocol, String> {
    let http = dig(spec, &["http"]);
    if http.is_null() {
        let pairs = dig(spec, &["grpc", "contextExtensions"]).as_object();
        let pairs = pairs
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_string())));
        return Ok(Protocol::Grpc {
            context: pairs.collect(),
            metadata: expressions(dig(spec, &["grpc", "requestMetadata"]))?,
        });
    }
    let named = |field: &str| {
        let names = texts(http, &[field]).into_iter().map(|name| {
            name.parse::<HeaderName>()
                .map_err(|_| format!("invalid header name {name:?}"))
        });
        names.collect::<Result<Vec<_>, _>>()
    };
    let sent = named("allowedRequestHeaders")?;
    let expression = |field: &str| match text(http, &[field]) {
        "" => Ok(None),
        source => Expression::compile(source).map(Some),
    };
    Ok(Protocol::Http(Box::new(Http {
        path: expression("path")?,
        redirect: expression("redirect")?,
        added: expressions(dig(http, &["addRequestHeaders"]))?,
        sent: match sent.is_empty() {
            true => vec![AUTHORIZATION],
            false => sent,
        },
        kept: named("allowedResponseHeaders")?,
        told: expressions(dig(http, &["responseMetadata"]))?,
    })))
}

/// Expressions by name.
fn expressions(spec: &Value) -> Result<Vec<(String, Expression)>, String> {
    let pairs = spec.as_object().into_iter().flatten();
    let pairs = pairs.map(|(name, source)| {
        let expression = Expression::compile(source.as_str().unwrap_or(""))?;
        Ok((name.clone(), expression))
    });
    pairs.collect()
}

/// The change that gives an answer all these headers, in place of its own.
pub(super) fn replacing(headers: &HeaderMap) -> HeaderChange {
    let mut change = HeaderChange::default();
    for name in headers.keys() {
        for (index, value) in headers.get_all(name).iter().enumerate() {
            let pair = (name.clone(), value.clone());
            match index {
                0 => change.set.push(pair),
                _ => change.add.push(pair),
            }
        }
    }
    change
}
