//! `traffic.retry` and `rules[].retry`: which answers are not good enough, and how often to ask again
//! (facts 7.2, 17.10).

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::gateway::duration;
use crate::gateway::exchange::Reply;
use crate::gateway::object::{dig, list, text};
use crate::gateway::refusal::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first.
    pub attempts: u64,
    codes: Vec<u64>,
    /// The pause before each of them.
    pub backoff: Option<Duration>,
}

impl Retry {
    /// One more try where the number is not given.
    pub(in crate::gateway) fn read(spec: &Value) -> Retry {
        let codes = list(spec, &["codes"]).iter().filter_map(Value::as_u64);
        Retry {
            attempts: dig(spec, &["attempts"]).as_u64().unwrap_or(1),
            codes: codes.collect(),
            backoff: duration::parse(text(spec, &["backoff"])),
        }
    }

    /// Whether a try's result asks for another: a code that is named, or an upstream that could not be reached.
    pub(in crate::gateway) fn wants(&self, result: &Result<Reply, Refusal>) -> bool {
        match result {
            Ok(reply) => self.names(reply.parts.status),
            Err(refusal) => refusal.is_retryable(),
        }
    }

    fn names(&self, status: StatusCode) -> bool {
        self.codes.contains(&u64::from(status.as_u16()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_said_is_one_try_without_a_pause() {
        let read = Retry::read(&json!({}));
        assert_eq!((read.attempts, read.backoff), (1, None));
        let full = json!({"attempts": 3, "codes": [500, 503], "backoff": "100ms"});
        let read = Retry::read(&full);
        assert_eq!(
            (read.attempts, read.backoff),
            (3, Some(Duration::from_millis(100)))
        );
        assert!(read.names(StatusCode::SERVICE_UNAVAILABLE));
        assert!(!read.names(StatusCode::BAD_GATEWAY));
    }

    #[test]
    fn an_upstream_that_can_not_be_reached_is_tried_again_whatever_the_codes() {
        let retry = Retry::read(&json!({}));
        for (refusal, wanted) in [
            (Refusal::upstream("Connect: refused"), true),
            (Refusal::dns(), true),
            (Refusal::upstream_timeout(), false),
            (Refusal::service_not_found(), false),
            (Refusal::processing("x"), false),
        ] {
            assert_eq!(retry.wants(&Err(refusal.clone())), wanted, "{refusal:?}");
        }
    }
}
