//! `traffic.rateLimit.global`: a limiter of the person's counts, over Envoy's gRPC protocol (facts 7.2, 9.7).

use std::sync::Arc;
use std::time::Duration;

use cel::Value as Cel;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::gateway::cel::{Expression, Facts, Needs};
use crate::gateway::config::{Callee, HeaderChange};
use crate::gateway::envoy;
use crate::gateway::exchange::{Exchange, Reply, ReplyBody};
use crate::gateway::grpc::Channel;
use crate::gateway::object::{list, text};
use crate::gateway::refusal::Refusal;

use super::ext_auth::Verdict;

/// How long the limiter may take, where its backend does not say.
const DEADLINE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct GlobalLimit {
    callee: Arc<Callee>,
    domain: String,
    /// Each is what one limit counts by.
    descriptors: Vec<Vec<(String, Expression)>>,
}

impl GlobalLimit {
    /// Reads the descriptors that count requests; the error names an expression that is none.
    pub(in crate::gateway) fn read(callee: Callee, spec: &Value) -> Result<GlobalLimit, String> {
        let counted = list(spec, &["descriptors"]).iter();
        let counted = counted.filter(|descriptor| text(descriptor, &["unit"]) != "Tokens");
        let descriptors = counted.map(|descriptor| {
            let entries = list(descriptor, &["entries"]).iter().map(|entry| {
                let expression = Expression::compile(text(entry, &["expression"]))?;
                Ok((text(entry, &["name"]).to_string(), expression))
            });
            entries.collect::<Result<Vec<_>, String>>()
        });
        Ok(GlobalLimit {
            callee: Arc::new(callee),
            domain: text(spec, &["domain"]).to_string(),
            descriptors: descriptors.collect::<Result<_, _>>()?,
        })
    }

    /// Whether some descriptor counts tokens, which is not done here.
    pub(in crate::gateway) fn counts_tokens(spec: &Value) -> bool {
        let mut descriptors = list(spec, &["descriptors"]).iter();
        descriptors.any(|descriptor| text(descriptor, &["unit"]) == "Tokens")
    }

    fn needs(&self) -> Needs {
        let entries = self.descriptors.iter().flatten();
        entries.fold(Needs::default(), |needs, (_, expression)| {
            needs.and(expression.needs())
        })
    }

    /// Counts a request. A descriptor that has no value for some entry is left out; without any,
    /// nobody is asked.
    pub(in crate::gateway) async fn check(
        &self,
        exchange: &mut Exchange<'_>,
    ) -> Result<Verdict, Refusal> {
        exchange.hold(self.needs()).await;
        let facts = exchange.facts(&[]);
        let described = self
            .descriptors
            .iter()
            .filter_map(|d| descriptor(d, &facts));
        let descriptors: Vec<_> = described.collect();
        if descriptors.is_empty() {
            return Ok(Verdict::Passes(HeaderChange::default()));
        }
        let mut client = RateLimitServiceClient::new(Channel::to(exchange.plane, &self.callee));
        let asked = client.should_rate_limit(RateLimitRequest {
            domain: self.domain.clone(),
            descriptors,
            hits_addend: 0,
        });
        let limit = self.callee.timeout.unwrap_or(DEADLINE);
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(answer)) => Ok(verdict(exchange, answer.into_inner())),
            Ok(Err(_)) | Err(_) => Err(Refusal::rate_limit_failed()),
        }
    }
}

fn descriptor(entries: &[(String, Expression)], facts: &Facts<'_>) -> Option<RateLimitDescriptor> {
    let entries = entries.iter().map(|(key, expression)| {
        let value = match expression.evaluate(facts).ok()? {
            Cel::String(text) => text.to_string(),
            Cel::Int(number) => number.to_string(),
            Cel::UInt(number) => number.to_string(),
            Cel::Float(number) => number.to_string(),
            Cel::Bool(truth) => truth.to_string(),
            _ => return None,
        };
        Some(Entry {
            key: key.clone(),
            value,
        })
    });
    let entries: Vec<Entry> = entries.collect::<Option<_>>()?;
    (!entries.is_empty()).then(|| RateLimitDescriptor {
        entries,
        ..RateLimitDescriptor::default()
    })
}

fn verdict(exchange: &mut Exchange<'_>, answer: RateLimitResponse) -> Verdict {
    let mut added = HeaderMap::new();
    envoy::set_plain(&mut added, &answer.response_headers_to_add);
    if answer.overall_code == i32::from(Code::Ok) {
        envoy::set_plain(exchange, &answer.request_headers_to_add);
        return Verdict::Passes(super::ext_auth::replacing(&added));
    }
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::TOO_MANY_REQUESTS;
    parts.headers = added;
    Verdict::Denied(Box::new(Reply {
        parts,
        body: ReplyBody::Whole(answer.raw_body.into()),
    }))
}
