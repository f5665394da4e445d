//! The tries at a backend: one, or as many as a retry policy allows.

use http::header::{HeaderName, HeaderValue};
use std::pin::pin;

use super::body::AnyBody;
use super::config::{Destination, Rule, WeightedBackend};
use super::exchange::{Exchange, Reply, within};
use super::held;
use super::refusal::Refusal;

/// Bodies up to this length can be sent again; a longer one is sent once (as agentgateway 0.12 does).
const REPLAYED: usize = 64 << 10;

const RETRY_ATTEMPT: HeaderName = HeaderName::from_static("x-retry-attempt");

impl Exchange<'_> {
    /// Sends the request to the backend that was chosen; the same one gets every try.
    pub async fn reach(mut self, rule: &Rule, backend: &WeightedBackend) -> Result<Reply, Refusal> {
        // What an upgraded connection carries can't be sent twice.
        let retry = rule
            .traffic
            .retry
            .as_ref()
            .filter(|_| self.upgrade.is_none());
        let Some(retry) = retry else {
            return self.once(rule, backend).await;
        };
        let body = std::mem::replace(&mut self.body, AnyBody::whole(""));
        let held = held::peek(body, REPLAYED).await;
        let held = held.map_err(|error| Refusal::upstream(&format!("SendRequest: {error}")))?;
        self.body = held.body;
        if !held.is_whole {
            return self.once(rule, backend).await;
        }
        for attempt in 0..retry.attempts {
            let result = self.copy(&held.start, attempt).once(rule, backend).await;
            if !retry.wants(&result) {
                return result;
            }
            if let Some(pause) = retry.backoff {
                tokio::time::sleep(pause).await;
            }
        }
        self.copy(&held.start, retry.attempts)
            .once(rule, backend)
            .await
    }

    /// This exchange once more; the upstream is told which try it is.
    fn copy(&mut self, body: &bytes::Bytes, attempt: u64) -> Exchange<'_> {
        let mut parts = self.parts.clone();
        if attempt > 0 {
            self.record.retries = attempt;
            parts
                .headers
                .insert(RETRY_ATTEMPT, HeaderValue::from(attempt));
        }
        Exchange {
            plane: self.plane,
            path: self.path.clone(),
            parts,
            body: AnyBody::whole(body.clone()),
            held: self.held.clone(),
            peer: self.peer,
            scheme: self.scheme,
            port: self.port,
            caller: self.caller.clone(),
            after: &mut *self.after,
            record: &mut *self.record,
            hostname: self.hostname.clone(),
            tokens: self.tokens.clone(),
            limiter: self.limiter.clone(),
            mcp: self.mcp.clone(),
            upgrade: None,
        }
    }

    /// One try, with the time that one may take.
    async fn once(self, rule: &Rule, backend: &WeightedBackend) -> Result<Reply, Refusal> {
        let limit = rule.backend_timeout;
        match &backend.destination {
            Destination::Unknown => Err(Refusal::service_not_found()),
            Destination::Service(origin) => {
                let call = pin!(self.relay(origin, None));
                within(limit, Refusal::upstream_timeout, call).await
            }
            Destination::Backend(backend) => {
                let limit = limit.or(backend.request_timeout);
                let call = pin!(self.forward(backend));
                within(limit, Refusal::upstream_timeout, call).await
            }
        }
    }
}
