//! What a rule found: evidence with its source, one sentence of cause, and what repairs it.

use crate::plan::thing::Thing;
use crate::secret::redact;
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Requests fail, or what was asked for is not there.
    Fail,
    /// It works, and not as it looks.
    Warn,
}

/// Whom a finding concerns: what decides whether one finding may explain another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Everything,
    /// Routes by name.
    Routes(BTreeSet<String>),
}

impl Scope {
    pub fn route(name: &str) -> Self {
        Scope::Routes(BTreeSet::from([name.to_string()]))
    }

    /// Whether everything that `other` concerns is concerned.
    pub fn covers(&self, other: &Scope) -> bool {
        match (self, other) {
            (Scope::Everything, _) => true,
            (Scope::Routes(_), Scope::Everything) => false,
            (Scope::Routes(mine), Scope::Routes(theirs)) => {
                !theirs.is_empty() && theirs.is_subset(mine)
            }
        }
    }
}

/// One line of evidence and where it was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Such as `HTTPRoute ollama, status`, `controller log`, `process relay-ollama`.
    pub source: String,
    pub text: String,
}

/// What repairs it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fix {
    /// For the person to type: it touches what is not ours, or what only they can give.
    Command(String),
    /// For `gw debug --fix`.
    Change(Change),
}

/// A change to what is ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// The object again as `up` applied it.
    Restore(Thing),
    /// The way to a service of this machine looked for again, its relay started where one is needed.
    Rewire { service: String },
    #[serde(rename_all = "camelCase")]
    Scale {
        namespace: String,
        deployment: String,
        from: i64,
        to: i64,
    },
    /// The embedded gateway's process and everything that it was given.
    Restart,
}

/// One fault, as a rule sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The claim that does not hold, positive: `the relay to Ollama runs`.
    pub title: String,
    /// Where: `host`, `policy limits`, `/ollama`.
    pub subject: String,
    /// In a few words, as an effect of something else: `/ollama answers 503`.
    pub short: String,
    pub scope: Scope,
    /// The one object that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<Thing>,
    /// Routes whose failing answer it may explain, where those are not all that it concerns.
    #[serde(skip)]
    pub blamed: Option<Scope>,
    pub evidence: Vec<Evidence>,
    pub cause: String,
    pub fix: Fix,
}

impl Found {
    pub fn new(title: impl Into<String>, subject: impl Into<String>, fix: Fix) -> Self {
        Found {
            title: title.into(),
            subject: subject.into(),
            short: String::new(),
            scope: Scope::Everything,
            about: None,
            blamed: None,
            evidence: Vec::new(),
            cause: String::new(),
            fix,
        }
    }

    pub fn short(mut self, short: impl Into<String>) -> Self {
        self.short = short.into();
        self
    }

    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    pub fn about(mut self, thing: Thing) -> Self {
        self.about = Some(thing);
        self
    }

    pub fn blamed(mut self, routes: BTreeSet<String>) -> Self {
        self.blamed = Some(Scope::Routes(routes));
        self
    }

    /// As `about`, where the object is known.
    pub fn about_backend(self, object: Option<&serde_json::Value>) -> Self {
        match object {
            Some(object) => self.about(Thing::of(object)),
            None => self,
        }
    }

    /// Whether this, as a cause, may explain `effect`: it concerns all that the effect concerns. That one
    /// object was changed or deleted (`of_object`) is explained only by what is said of the same object,
    /// or of the whole place.
    pub fn reaches(&self, effect: &Found, of_object: bool) -> bool {
        let same = match (&self.about, &effect.about) {
            _ if !of_object => true,
            (_, None) => true,
            (None, Some(_)) => self.scope == Scope::Everything,
            (Some(mine), Some(theirs)) => mine == theirs,
        };
        same && self
            .blamed
            .as_ref()
            .unwrap_or(&self.scope)
            .covers(&effect.scope)
    }

    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// As it may be shown: events, states and answers that it quotes may repeat a key.
    pub fn told(mut self) -> Self {
        let texts = self.evidence.iter_mut().map(|evidence| &mut evidence.text);
        for text in texts.chain([&mut self.cause]) {
            *text = redact::text(text);
        }
        self
    }

    pub fn saw(mut self, source: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence {
            source: source.into(),
            text: text.into(),
        });
        self
    }
}

impl Fix {
    pub fn command(text: impl Into<String>) -> Self {
        Fix::Command(text.into())
    }
}
