//! The gateway answers at its address, and answers as a gateway: an unknown path gets its own 404.

use super::check::{Check, Claim, Finding, Verdict};
use crate::host::web;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::time::Duration;

pub const ID: &str = "gateway.answers";

/// No route takes this path.
pub const NOWHERE: &str = "/gatewright-no-such-route";

pub struct Answers {
    pub base: String,
}

/// A path that no route takes gets the gateway's own 404 (facts 9.7).
pub struct Unknown {
    pub base: String,
}

impl Check for Unknown {
    fn claim(&self) -> Claim {
        Claim {
            id: "gateway.unknown-path".to_string(),
            title: "a path without a route is refused".to_string(),
            needs: vec![ID.to_string()],
            deadline: Duration::from_secs(10),
            lane: String::new(),
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        async move {
            let claim = self.claim();
            let url = format!("{}{NOWHERE}", self.base);
            let (verdict, summary) = match web::get(&url, None, Duration::from_secs(5)).await {
                Ok((404, body)) if body == "route not found" => (Verdict::Pass, String::new()),
                // Somebody's route for every path: its owner's affair.
                Ok((status, _)) => {
                    let why = format!("{status}: something takes every path, or refuses all");
                    (Verdict::Skip, why)
                }
                Err(why) => return Finding::fail(&claim, why, "gw up"),
            };
            Finding {
                summary,
                ..Finding::new(&claim, verdict)
            }
        }
        .boxed()
    }
}

impl Check for Answers {
    fn claim(&self) -> Claim {
        Claim {
            id: ID.to_string(),
            title: format!("{} answers", self.base),
            needs: Vec::new(),
            deadline: Duration::from_secs(10),
            lane: String::new(),
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        async move {
            let claim = self.claim();
            let url = format!("{}{NOWHERE}", self.base);
            match web::get(&url, None, Duration::from_secs(5)).await {
                // With a route for every path an upstream answers, which is an answer too.
                Ok(_) => Finding::new(&claim, Verdict::Pass),
                Err(why) => Finding::fail(&claim, why, "gw up").fact("sent", format!("GET {url}")),
            }
        }
        .boxed()
    }
}
