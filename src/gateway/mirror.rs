//! The RequestMirror filter: a copy of a request's head goes to another backend too. Nobody waits
//! for what it says, and the body stays where it is: agentgateway 0.12 mirrors none.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::CONTENT_LENGTH;
use serde_json::Value;

use super::body::{self, AnyBody};
use super::config::{BackendKind, Destination, Origin};
use super::exchange::Exchange;
use super::forward::with_query;
use super::object::dig;

/// How long a mirrored call may take; then it is given up.
const DEADLINE: Duration = Duration::from_secs(10);
/// What is read of its answer, so that its connection can be used again.
const ANSWER: usize = 1 << 20;

#[derive(Debug)]
pub struct Mirror {
    destination: Destination,
    /// Of all requests, from 0 to 1.
    share: f64,
}

impl Mirror {
    /// `percent` or `fraction`; all requests where neither is given.
    pub(super) fn new(destination: Destination, spec: &Value) -> Mirror {
        let number = |path: &[&str]| dig(spec, path).as_f64();
        let percent = number(&["percent"]).map(|percent| percent / 100.0);
        let fraction = number(&["fraction", "numerator"]).map(|numerator| {
            let denominator = number(&["fraction", "denominator"]).unwrap_or(100.0);
            numerator / denominator
        });
        let share = percent.or(fraction).filter(|share| !share.is_nan());
        Mirror {
            destination,
            share: share.unwrap_or(1.0).clamp(0.0, 1.0),
        }
    }

    /// Only plain upstreams can be mirrored to.
    fn origin(&self) -> Option<&Origin> {
        match &self.destination {
            Destination::Service(origin) => Some(origin),
            Destination::Backend(backend) => match &backend.kind {
                BackendKind::Static(origin) => Some(origin),
                _ => None,
            },
            Destination::Unknown => None,
        }
    }
}

impl Exchange<'_> {
    /// Sends a copy on its way, unless chance is against it or too many are on theirs already.
    pub fn mirror(&self, mirror: &Arc<Mirror>) {
        let Some(origin) = mirror.origin().filter(|_| rand::random_bool(mirror.share)) else {
            return;
        };
        let path = with_query(&self.path, self.parts.uri.query());
        let (Ok(mut head), Ok(permit)) = (
            self.head(origin, None, &path),
            self.plane.mirrors.clone().try_acquire_owned(),
        ) else {
            return;
        };
        head.headers.remove(CONTENT_LENGTH);
        let (plane, mirror) = (Arc::clone(self.plane), mirror.clone());
        tokio::spawn(async move {
            let request = Request::from_parts(head, AnyBody::whole(""));
            let call = async {
                let Some(origin) = mirror.origin() else {
                    return;
                };
                if let Ok(answer) = plane.transport().send(origin, request).await {
                    drop(body::read(answer.into_body(), ANSWER).await);
                }
            };
            // Whatever came of it is nobody's concern.
            let _ = tokio::time::timeout(DEADLINE, call).await;
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shares_are_percents_or_fractions() {
        let table = [
            (json!({}), 1.0),
            (json!({"percent": 25}), 0.25),
            (json!({"percent": 0}), 0.0),
            (json!({"fraction": {"numerator": 1}}), 0.01),
            (
                json!({"fraction": {"numerator": 1, "denominator": 4}}),
                0.25,
            ),
            (json!({"fraction": {"numerator": 0, "denominator": 0}}), 1.0),
            (json!({"percent": 700}), 1.0),
        ];
        for (spec, expected) in table {
            let share = Mirror::new(Destination::Unknown, &spec).share;
            assert!((share - expected).abs() < 1e-9, "{spec}: {share}");
        }
    }
}
