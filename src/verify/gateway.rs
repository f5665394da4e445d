//! The gateway answers at its address, and answers as a gateway: an unknown path gets its own 404.

use super::check::{Check, Claim, Finding, Verdict};
use crate::host::web;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::time::Duration;

pub const ID: &str = "gateway.answers";

pub struct Answers {
    pub base: String,
}

impl Check for Answers {
    fn claim(&self) -> Claim {
        Claim {
            id: ID.to_string(),
            title: format!("{} answers", self.base),
            needs: Vec::new(),
            deadline: Duration::from_secs(10),
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        async move {
            let claim = self.claim();
            let url = format!("{}/gatewright-no-such-route", self.base);
            match web::get(&url, None, Duration::from_secs(5)).await {
                // With a route for every path an upstream answers, which is an answer too.
                Ok(_) => Finding::new(&claim, Verdict::Pass),
                Err(why) => Finding::fail(&claim, why, "gw up").fact("sent", format!("GET {url}")),
            }
        }
        .boxed()
    }
}
