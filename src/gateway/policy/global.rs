//! `traffic.rateLimit.global`: a limiter of the person's counts, over Envoy's gRPC protocol (facts 7.2, 9.7).

use std::sync::Arc;
use std::time::Duration;

use cel::Value as Cel;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::google::protobuf::UInt64Value;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::gateway::cel::{Expression, Facts, Needs};
use crate::gateway::config::{Callee, HeaderChange};
use crate::gateway::envoy;
use crate::gateway::exchange::{Exchange, Reply, ReplyBody};
use crate::gateway::grpc::Channel;
use crate::gateway::object::{list, text};
use crate::gateway::plane::Plane;
use crate::gateway::refusal::Refusal;

use super::Counts;
use super::ext_auth::Verdict;

/// How long the limiter may take, where its backend does not say.
const DEADLINE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct GlobalLimit {
    callee: Arc<Callee>,
    domain: String,
    /// Each is what one limit counts, and by what.
    descriptors: Vec<(Counts, Entries)>,
}

type Entries = Vec<(String, Expression)>;

/// What the tokens of an answer are taken from at the limiter.
#[derive(Clone)]
pub struct Charge {
    limit: Arc<GlobalLimit>,
    plane: Arc<Plane>,
    request: RateLimitRequest,
}

impl Charge {
    /// Tells the limiter what an answer has cost. Nobody waits for what it says.
    pub fn charge(mut self, tokens: u64) {
        for descriptor in &mut self.request.descriptors {
            descriptor.hits_addend = Some(UInt64Value { value: tokens });
        }
        // A meter may end where no runtime is left, with the process.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = self.limit.ask(&self.plane, self.request).await;
            });
        }
    }
}

impl GlobalLimit {
    /// Reads the descriptors; the error names an expression that is none.
    pub(in crate::gateway) fn read(callee: Callee, spec: &Value) -> Result<GlobalLimit, String> {
        let descriptors = list(spec, &["descriptors"]).iter().map(|descriptor| {
            let entries = list(descriptor, &["entries"]).iter().map(|entry| {
                let expression = Expression::compile(text(entry, &["expression"]))?;
                Ok((text(entry, &["name"]).to_string(), expression))
            });
            let counts = match text(descriptor, &["unit"]) {
                "Tokens" => Counts::Tokens,
                _ => Counts::Requests,
            };
            Ok((counts, entries.collect::<Result<_, String>>()?))
        });
        Ok(GlobalLimit {
            callee: Arc::new(callee),
            domain: text(spec, &["domain"]).to_string(),
            descriptors: descriptors.collect::<Result<_, String>>()?,
        })
    }

    fn of(&self, counts: Counts) -> impl Iterator<Item = &Entries> {
        let wanted = move |(own, _): &&(Counts, Entries)| *own == counts;
        self.descriptors
            .iter()
            .filter(wanted)
            .map(|(_, entries)| entries)
    }

    /// What is asked of the limiter. A descriptor that has no value for some entry is left out; without
    /// any, nobody is asked.
    async fn request(
        &self,
        exchange: &mut Exchange<'_>,
        counts: Counts,
        cost: Option<u64>,
    ) -> Option<RateLimitRequest> {
        let expressions = self.of(counts).flatten();
        let needs = expressions.fold(Needs::default(), |needs, (_, expression)| {
            needs.and(expression.needs())
        });
        exchange.hold(needs).await;
        let facts = exchange.facts(&[]);
        let described = self.of(counts).filter_map(|d| descriptor(d, &facts, cost));
        let descriptors: Vec<_> = described.collect();
        (!descriptors.is_empty()).then(|| RateLimitRequest {
            domain: self.domain.clone(),
            descriptors,
            hits_addend: 0,
        })
    }

    async fn ask(
        &self,
        plane: &Arc<Plane>,
        request: RateLimitRequest,
    ) -> Result<RateLimitResponse, Refusal> {
        let mut client = RateLimitServiceClient::new(Channel::to(plane, &self.callee));
        let asked = client.should_rate_limit(request);
        let limit = self.callee.timeout.unwrap_or(DEADLINE);
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(_)) | Err(_) => Err(Refusal::rate_limit_failed()),
        }
    }

    /// Counts a request.
    pub(in crate::gateway) async fn check(
        &self,
        exchange: &mut Exchange<'_>,
    ) -> Result<Verdict, Refusal> {
        let Some(request) = self.request(exchange, Counts::Requests, None).await else {
            return Ok(Verdict::Passes(HeaderChange::default()));
        };
        let answer = self.ask(exchange.plane, request).await?;
        Ok(verdict(exchange, answer))
    }

    /// Asks whether tokens are left, which costs none; what the answer then costs is charged.
    pub(in crate::gateway) async fn check_tokens(
        self: &Arc<Self>,
        exchange: &mut Exchange<'_>,
    ) -> Result<(Verdict, Option<Charge>), Refusal> {
        let Some(request) = self.request(exchange, Counts::Tokens, Some(0)).await else {
            return Ok((Verdict::Passes(HeaderChange::default()), None));
        };
        let answer = self.ask(exchange.plane, request.clone()).await?;
        let charge = Charge {
            limit: Arc::clone(self),
            plane: Arc::clone(exchange.plane),
            request,
        };
        Ok((verdict(exchange, answer), Some(charge)))
    }
}

fn descriptor(
    entries: &[(String, Expression)],
    facts: &Facts<'_>,
    cost: Option<u64>,
) -> Option<RateLimitDescriptor> {
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
        hits_addend: cost.map(|value| UInt64Value { value }),
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
