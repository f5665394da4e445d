//! A limit at work: on a copy of the route with room for one, the next request is refused.

use super::case::Case;
use super::check::{Check, Claim, Finding, Verdict};
use super::derive::Small;
use super::gateway;
use super::judge::Reply;
use super::probe::Probe;
use crate::host::mark;
use crate::text;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::time::{Duration, Instant};

pub struct Limit {
    pub probe: Probe,
    pub small: Small,
}

const PAUSE: Duration = Duration::from_millis(100);

impl Limit {
    fn case(&self) -> &Case {
        &self.probe.case
    }

    /// Requests that may pass before the limit is missed: one has room, and the policy may come to
    /// the proxy a moment after the route.
    fn most(&self) -> usize {
        match self.small {
            Small::Requests => 12,
            Small::Tokens => 3,
        }
    }

    async fn prove(&self) -> Finding {
        let claim = self.claim();
        if let Some(why) = self.probe.unasked() {
            return Finding {
                summary: why,
                ..Finding::new(&claim, Verdict::Skip)
            };
        }
        // The gateway may take so long to know the copy and its limit.
        let settle = self.probe.patience.settle;
        let start = Instant::now();
        let (mut passed, mut last) = (0, String::new());
        while passed < self.most() {
            let mark = mark::new();
            let host = self.probe.host(&mark);
            let reply = match self.probe.send(&mark, host.as_deref()).await {
                Ok(reply) => reply,
                Err(why) => return self.failed(&claim, why, host),
            };
            last = format!("{} {:?}", reply.status, text::excerpt(&reply.body, 200));
            match (reply.status, reply.body.as_str()) {
                (404, "route not found" | "listener not found") | (500, "service not found")
                    if start.elapsed() < settle => {}
                (404, "route not found" | "listener not found") => {
                    let why = "the gateway has not taken up the copy".to_string();
                    return self.failed(&claim, why, host);
                }
                (429, _) => return self.refused(&claim, &reply, passed, host),
                (200..=299, _) => passed += 1,
                // What the proxy says of a body that is none: it came past the limit.
                (503, body) if body.starts_with("processing failed") => passed += 1,
                _ => {
                    let why = format!("{} where 429 was expected", reply.status);
                    return self.failed(&claim, why, host).fact("answered", last);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        let why = format!(
            "{} passed where one has room",
            text::count(passed, "request")
        );
        self.failed(&claim, why, None).fact("answered", last)
    }

    fn refused(
        &self,
        claim: &Claim,
        reply: &Reply,
        passed: usize,
        host: Option<String>,
    ) -> Finding {
        if passed == 0 && self.small == Small::Requests {
            let why = "the first request was refused already".to_string();
            return self.failed(claim, why, host);
        }
        // What a client needs to know when it may come again (facts 9.7).
        let headers = ["limit", "remaining", "reset"].map(|part| format!("x-ratelimit-{part}"));
        let missing: Vec<&str> = headers
            .iter()
            .filter(|name| reply.header(name).is_empty())
            .map(String::as_str)
            .collect();
        match (reply.body.as_str(), missing.as_slice()) {
            ("rate limit exceeded", []) => Finding::new(claim, Verdict::Pass),
            ("rate limit exceeded", missing) => self.failed(
                claim,
                format!("429, but without {}", text::list(missing)),
                host,
            ),
            (body, _) => {
                let why = format!("429, and not by the proxy: {:?}", text::excerpt(body, 120));
                self.failed(claim, why, host)
            }
        }
    }

    fn failed(&self, claim: &Claim, why: String, host: Option<String>) -> Finding {
        let (cause, next) = self.probe.means();
        let ask = &self.case().ask;
        Finding {
            request: host,
            ..Finding::fail(claim, why, next)
                .fact("sent", format!("{} {}", ask.method, ask.path))
                .fact("cause", cause)
        }
    }
}

impl Check for Limit {
    fn claim(&self) -> Claim {
        let patience = self.case().behind.patience;
        Claim {
            id: self.case().id.clone(),
            title: self.case().title.clone(),
            needs: vec![gateway::ID.to_string()],
            deadline: patience * 3 + self.probe.patience.settle + Duration::from_secs(5),
            lane: self.case().lane.clone(),
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        self.prove().boxed()
    }
}
