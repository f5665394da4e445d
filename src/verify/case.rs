//! One case of a proof, as data: what is sent through which route, and what must come back. Derived
//! without I/O, so that the list can be shown, chosen from and tested.

use super::form::Form;
use crate::plan::PlannedRoute;
use crate::provider::{self, Provider};
use serde_json::Value;
use std::time::Duration;

/// What a case is about; words that `--only` and `--skip` take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// A model's or server's whole answer.
    Answer,
    /// The same as a stream.
    Stream,
    /// What must be refused.
    Refusal,
    /// What a policy does.
    Policy,
    /// What a limit does; asked last, and of a copy of the route.
    Limit,
    /// Whether objects are there as they were applied.
    Object,
    /// A profile's own test.
    Own,
}

impl Sort {
    pub const ALL: [Sort; 7] = [
        Sort::Answer,
        Sort::Stream,
        Sort::Refusal,
        Sort::Policy,
        Sort::Limit,
        Sort::Object,
        Sort::Own,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Sort::Answer => "answer",
            Sort::Stream => "stream",
            Sort::Refusal => "refusal",
            Sort::Policy => "policy",
            Sort::Limit => "limit",
            Sort::Object => "object",
            Sort::Own => "own",
        }
    }
}

/// What a request shows in its Authorization header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Nothing,
    /// What the route wants, as far as it is at hand.
    Right,
    Wrong,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Host name that the route wants; `None` where any will do.
    pub host: Option<String>,
    pub headers: Vec<(String, String)>,
    pub shown: Shown,
    pub body: Option<Value>,
}

/// What a header of an answer must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    Is(String),
    There,
    Absent,
}

/// What only who stands behind the route can tell: the built-in mock keeps what it was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    Path(String),
    Header(String, String),
    NoHeader(String),
    /// A text that must not stand in the body.
    NoText(String),
    /// A text that must stand in the body.
    Text(String),
    /// How many requests came of the one that was sent.
    Times(usize),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// Any of these; empty means every 2xx.
    pub status: Vec<u16>,
    /// Part of the body.
    pub contains: Option<String>,
    pub headers: Vec<(String, Want)>,
    /// A model's answer in this form.
    pub answer: Option<Answered>,
    /// Tools of an MCP server.
    pub tools: bool,
    /// Anything at all that is not the proxy's own.
    pub upstream: bool,
    pub sights: Vec<Sight>,
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    pub form: Form,
    pub stream: bool,
    /// Models of which it may come; empty where any will do.
    pub models: Vec<String>,
}

/// Who stands behind a route, as people call it, and how patient one has to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Behind {
    pub provider: Provider,
    /// The form in which the proxy talks to it: a mock speaks several.
    pub speaks: provider::Form,
    pub title: String,
    pub model: String,
    pub port: u16,
    pub patience: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Stable and dotted: `route.ollama`, `route.ollama.stream`, `policy.same-site.foreign-origin`.
    pub id: String,
    /// A positive claim: `/ollama answers a POST`.
    pub title: String,
    pub sort: Sort,
    /// The route's name, and its path as people type it.
    pub route: String,
    pub path: String,
    pub ours: bool,
    /// The objects that have a say, as `kind namespace/name`, nearest first.
    pub objects: Vec<(String, String, String)>,
    pub ask: Ask,
    pub expect: Expect,
    pub behind: Behind,
    /// What shares this is asked a few at a time; empty where nothing behind the proxy is reached.
    pub lane: String,
    /// Tokens in and out that are paid for at most.
    pub tokens: (u64, u64),
    /// Why it can't be asked.
    pub unasked: Option<String>,
    /// Whether it is the route's own answer, and a row of the table.
    pub is_main: bool,
    /// What says that not holding is no failure, such as a processor whose ways nobody knows.
    pub soft: Option<String>,
    /// What it means when it does not hold, and the next command; empty where the answer tells.
    pub means: Option<(String, String)>,
    /// The copy of the route through which it is asked.
    pub copy: Option<String>,
}

impl Case {
    /// The tools of a route as a profile knows it.
    pub fn of_tools(route: &PlannedRoute, title: String) -> Case {
        Case {
            id: format!("route.{}", route.name),
            title,
            sort: Sort::Answer,
            route: route.name.clone(),
            path: route.path.clone(),
            ours: true,
            objects: Vec::new(),
            ask: Ask {
                method: "POST".to_string(),
                path: route.path.clone(),
                host: None,
                headers: Vec::new(),
                shown: Shown::Right,
                body: None,
            },
            expect: Expect {
                tools: true,
                ..Expect::default()
            },
            behind: Behind {
                provider: Provider::OpenAiCompatible,
                speaks: provider::Form::OpenAi,
                title: route.serves.title().to_string(),
                model: String::new(),
                port: 0,
                patience: route.patience,
            },
            lane: String::new(),
            tokens: (0, 0),
            unasked: None,
            is_main: true,
            soft: None,
            means: None,
            copy: None,
        }
    }

    /// What it costs at most, in US dollars; `None` where the model has no known price.
    pub fn cost(&self) -> Option<f64> {
        match self.tokens {
            (0, 0) => Some(0.0),
            (input, output) => {
                let price = self.behind.provider.price(&self.behind.model)?;
                Some(price.cost(input, output))
            }
        }
    }
}
