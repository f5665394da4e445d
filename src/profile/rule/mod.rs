//! What a policy does, in the short forms of a profile.

mod auth;
mod guard;
mod traffic;

use super::field::Fields;
use crate::secret::source::Source;
use std::time::Duration;
pub use traffic::PLACES;

/// What a policy does.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Refuses requests that a browser sends from another site (facts 9.7, CSRF).
    Csrf {
        additional_origins: Vec<String>,
    },
    /// Counts requests or tokens. One route has one limit: v2.2 reads no second (facts 7.2).
    Limit(Limit),
    Cors(Cors),
    ApiKeys(ApiKeys),
    Basic(Basic),
    Jwt(Jwt),
    PromptGuard(PromptGuard),
    Timeout(Duration),
    Retry(Retry),
    ExtProc(Processor),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    pub of: Counted,
    pub count: u32,
    pub per: Unit,
    /// How many more may come at once (facts 9.7: the bucket holds both).
    pub burst: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Requests,
    Tokens,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    pub const ALL: [Unit; 3] = [Unit::Second, Unit::Minute, Unit::Hour];

    /// As written in a profile.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Second => "second",
            Unit::Minute => "minute",
            Unit::Hour => "hour",
        }
    }
}

/// Which web pages may read answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cors {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    pub expose: Vec<String>,
    pub credentials: bool,
    /// Seconds for which a browser remembers the answer.
    pub max_age: Option<u32>,
}

/// Callers show one of these keys as `Authorization: Bearer KEY` (facts 9.7).
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKeys {
    pub optional: bool,
    pub keys: Vec<(String, KeyFrom)>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum KeyFrom {
    Source(Source),
    /// Made by us once, and kept in a file that nobody else can read.
    Generated,
}

/// Callers show a name and a password.
#[derive(Debug, Clone, PartialEq)]
pub struct Basic {
    pub optional: bool,
    pub realm: Option<String>,
    pub users: Vec<(String, Source)>,
}

/// Callers show a token that somebody else signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Jwt {
    pub optional: bool,
    pub issuer: String,
    pub audiences: Vec<String>,
    /// The public keys, as JSON.
    pub jwks: String,
}

/// Patterns in requests and answers; a pattern is a built-in's name or a regular expression.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PromptGuard {
    pub reject: Vec<String>,
    pub mask: Vec<String>,
    pub reject_answers: Vec<String>,
    pub mask_answers: Vec<String>,
    /// What a rejected caller is told.
    pub message: Option<String>,
    pub status: Option<u16>,
}

/// Patterns that the proxy knows by name (facts 7.2).
pub const BUILTINS: [&str; 5] = ["Ssn", "CreditCard", "PhoneNumber", "Email", "CaSin"];

#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Beside the first one.
    pub attempts: u16,
    pub codes: Vec<u16>,
    pub backoff: Option<Duration>,
}

/// A gRPC server that sees every request and may change it.
#[derive(Debug, Clone, PartialEq)]
pub enum Processor {
    Service {
        name: String,
        namespace: Option<String>,
        port: u16,
    },
    Host {
        host: String,
        port: u16,
    },
    /// A server on this machine, which a cluster reaches in its own way; without a port the built-in
    /// one, which is started.
    Machine {
        port: Option<u16>,
    },
    /// The built-in one in the cluster; without an image that of this program's release.
    Cluster {
        image: Option<String>,
    },
}

/// The names of all rules, as fields of a policy.
pub const RULES: [&str; 10] = [
    "csrf",
    "limit",
    "cors",
    "apiKeys",
    "basic",
    "jwt",
    "promptGuard",
    "timeout",
    "retry",
    "extProc",
];

impl Rule {
    /// As written in a profile.
    pub fn name(&self) -> &'static str {
        match self {
            Rule::Csrf { .. } => "csrf",
            Rule::Limit(_) => "limit",
            Rule::Cors(_) => "cors",
            Rule::ApiKeys(_) => "apiKeys",
            Rule::Basic(_) => "basic",
            Rule::Jwt(_) => "jwt",
            Rule::PromptGuard(_) => "promptGuard",
            Rule::Timeout(_) => "timeout",
            Rule::Retry(_) => "retry",
            Rule::ExtProc(_) => "extProc",
        }
    }

    /// Whether a request without credentials is refused.
    pub fn is_strict(&self) -> bool {
        match self {
            Rule::ApiKeys(keys) => !keys.optional,
            Rule::Basic(basic) => !basic.optional,
            Rule::Jwt(jwt) => !jwt.optional,
            Rule::Csrf { .. }
            | Rule::Limit(_)
            | Rule::Cors(_)
            | Rule::PromptGuard(_)
            | Rule::Timeout(_)
            | Rule::Retry(_)
            | Rule::ExtProc(_) => false,
        }
    }
}

/// The rule under one of the names, read.
pub fn rule(fields: &Fields, name: &str) -> Option<Rule> {
    // `csrf:` with nothing after it is a rule without exceptions.
    if name == "csrf" {
        return Some(traffic::csrf(fields.get(name)));
    }
    let field = fields.get(name)?;
    match name {
        "limit" => traffic::limit(&field).map(Rule::Limit),
        "cors" => traffic::cors(&field).map(Rule::Cors),
        "apiKeys" => auth::api_keys(&field).map(Rule::ApiKeys),
        "basic" => auth::basic(&field).map(Rule::Basic),
        "jwt" => auth::jwt(&field).map(Rule::Jwt),
        "promptGuard" => guard::guard(&field).map(Rule::PromptGuard),
        "timeout" => super::duration::timeout(&field).map(Rule::Timeout),
        "retry" => traffic::retry(&field).map(Rule::Retry),
        "extProc" => traffic::processor(&field).map(Rule::ExtProc),
        _ => None,
    }
}
