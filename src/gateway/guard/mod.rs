//! `promptGuard`: what is said to a model and by it is looked at, masked or refused (facts 7.2, 9.7).

mod moderation;
mod private;
mod rules;
mod webhook;

use std::time::Duration;

use http::StatusCode;
use http::header::HeaderMap;
use serde::{Deserialize, Serialize};

pub use moderation::{MODEL, Moderation};
pub use rules::{Rules, Verdict};
pub use webhook::{Action, Side, Wanted, Webhook};

use super::refusal::Refusal;
use super::transport::Transport;

/// How long a service may take to judge.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is said where no answer of one's own is set.
pub const REJECTED: &str = "The request was rejected due to inappropriate content";

/// One message of a conversation, as far as a guard looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub role: String,
    pub content: String,
}

/// A service could not be asked, or did not answer with a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

/// The guards on either side of a call, each in order.
#[derive(Debug, Default)]
pub struct Guards {
    pub request: Vec<Guard>,
    pub response: Vec<Guard>,
}

/// One guard, and the answer that a refusal gets.
#[derive(Debug)]
pub struct Guard {
    pub kind: Kind,
    pub status: StatusCode,
    pub message: String,
}

/// How a guard judges.
#[derive(Debug)]
pub enum Kind {
    Rules(Rules),
    Webhook(Box<Webhook>),
    Moderation(Box<Moderation>),
}

impl Guards {
    fn on(&self, side: Side) -> &[Guard] {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    /// Whether this side of a call is looked at.
    pub fn watch(&self, side: Side) -> bool {
        !self.on(side).is_empty()
    }

    /// Shows what was said to each guard in turn; each sees what the ones before it have left.
    /// What comes back is what is to be said instead, if some guard changed anything. `headers` are
    /// the request's or the answer's, for webhooks that want some of them.
    pub(super) async fn judge(
        &self,
        side: Side,
        said: Vec<Said>,
        headers: &HeaderMap,
        transport: &Transport,
    ) -> Result<Option<Vec<Said>>, Refusal> {
        let mut said = said;
        let mut changed = false;
        for guard in self.on(side) {
            match &guard.kind {
                Kind::Rules(rules) => changed |= guard.apply(rules, &mut said)?,
                Kind::Webhook(webhook) => {
                    let answer = webhook.ask(transport, side, said.clone(), headers);
                    match patiently(answer).await? {
                        Action::Pass => {}
                        Action::Mask(instead) => {
                            said = instead;
                            changed = true;
                        }
                        Action::Reject(status, body) => {
                            return Err(Refusal::direct(status, &body));
                        }
                    }
                }
                Kind::Moderation(moderation) => {
                    if patiently(moderation.flags(transport, &said)).await? {
                        return Err(guard.refusal());
                    }
                }
            }
        }
        Ok(changed.then_some(said))
    }
}

impl Guard {
    fn refusal(&self) -> Refusal {
        Refusal::direct(self.status, &self.message)
    }

    fn apply(&self, rules: &Rules, said: &mut [Said]) -> Result<bool, Refusal> {
        let mut changed = false;
        for said in said {
            match rules.judge(&said.content) {
                Verdict::Clean => {}
                Verdict::Masked(instead) => {
                    said.content = instead;
                    changed = true;
                }
                Verdict::Rejected => return Err(self.refusal()),
            }
        }
        Ok(changed)
    }
}

/// A guard that can't be asked lets nothing pass (facts 9.7).
async fn patiently<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Refusal> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Failed)) | Err(_) => Err(Refusal::guard_failed()),
    }
}
