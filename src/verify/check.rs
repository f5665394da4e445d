//! One claim about the world, and what came of it.

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a check claims: data, so that lists of checks can be shown and ordered without running them.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Stable, dotted: `route.ollama`.
    pub id: String,
    /// A positive sentence: `/ollama answers a POST`.
    pub title: String,
    /// Claims that must hold first.
    pub needs: Vec<String>,
    /// After which the check counts as failed.
    pub deadline: Duration,
    /// Checks that share this run a few at a time; empty where nobody has to be spared.
    pub lane: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Pass,
    Warn,
    Fail,
    Skip,
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub id: String,
    pub title: String,
    pub verdict: Verdict,
    /// In one line, for fail and skip: `503 from the proxy, nothing reached Ollama`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub summary: String,
    /// Evidence as name and text, in the order a person reads it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub facts: Vec<(String, String)>,
    /// For warn and fail: one exact command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    pub seconds: f64,
    /// What it was about, as `--only` takes it: `answer`, `stream`, `policy`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub sort: String,
    /// The host name by which the access log tells its request from others.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// What a route's proof measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub route: Option<RouteProof>,
}

/// A real answer to a real request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteProof {
    pub path: String,
    pub model: String,
    /// HTTP status; 0 where nothing answered.
    pub status: u16,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// The beginning of what the model said.
    pub answer: String,
    /// Whether the built-in mock answered, and no model.
    pub mock: bool,
    /// How many tools an MCP route offers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tools: Option<usize>,
}

pub trait Check: Send + Sync {
    fn claim(&self) -> Claim;

    /// Looks; never changes anything. The runner fills in time and deadline.
    fn run(&self) -> BoxFuture<'_, Finding>;
}

impl Finding {
    pub fn new(claim: &Claim, verdict: Verdict) -> Self {
        Finding {
            id: claim.id.clone(),
            title: claim.title.clone(),
            verdict,
            summary: String::new(),
            facts: Vec::new(),
            next: None,
            seconds: 0.0,
            sort: String::new(),
            request: None,
            route: None,
        }
    }

    /// A failure can't be made without its next command.
    pub fn fail(claim: &Claim, summary: impl Into<String>, next: impl Into<String>) -> Self {
        Finding {
            summary: summary.into(),
            next: Some(next.into()),
            ..Finding::new(claim, Verdict::Fail)
        }
    }

    /// Everything in it that somebody else may have said.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let route = self.route.iter_mut();
        let answer = route.flat_map(|route| [&mut route.answer, &mut route.model]);
        let facts = self.facts.iter_mut().map(|(_, text)| text);
        facts.chain(answer).chain([&mut self.summary])
    }

    pub fn fact(mut self, name: &str, text: impl Into<String>) -> Self {
        // The cause is what a person reads last.
        let cause = self.facts.iter().position(|(name, _)| name == "cause");
        let at = cause.unwrap_or(self.facts.len());
        self.facts.insert(at, (name.to_string(), text.into()));
        self
    }
}
