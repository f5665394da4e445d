//! What an expression can ask about, looked up when it is asked for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use cel::common::types::{CelBool, CelBytes, CelInt, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use serde_json::{Map, Value};

use super::tree::{TICK, VARIABLES};
use super::value::{Held, json, map, object, text};
use crate::gateway::policy::Caller;

/// The variables that there are; one about which nothing is known is an empty map.
pub(super) const ROOTS: [&str; 11] = [
    "request",
    "response",
    "source",
    "jwt",
    "apiKey",
    "basicAuth",
    "llm",
    "mcp",
    "backend",
    "extauthz",
    "extproc",
];

/// A request as expressions see it.
#[derive(Clone, Copy)]
pub struct RequestFacts<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port as the client gave them.
    pub authority: &'a str,
    pub version: Version,
    pub headers: &'a HeaderMap,
    pub body: Option<&'a [u8]>,
}

/// An answer as expressions see it.
#[derive(Clone, Copy)]
pub struct AnswerFacts<'a> {
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    pub body: Option<&'a [u8]>,
}

/// Everything that is known at one moment of an exchange.
#[derive(Clone, Copy, Default)]
pub struct Facts<'a> {
    pub request: Option<RequestFacts<'a>>,
    pub answer: Option<AnswerFacts<'a>>,
    pub source: Option<SocketAddr>,
    pub caller: Option<&'a Caller>,
    /// Further variables as JSON: `llm`, `mcp`, `backend`, `extproc`.
    pub more: &'a [(&'static str, Value)],
}

/// Facts, and how many rounds of comprehensions may still be run.
pub(super) struct Scope<'a> {
    pub facts: Facts<'a>,
    pub left: AtomicU32,
}

impl VariableResolver for Scope<'_> {
    /// `name` is a whole path where an expression has one: `request.method`.
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        static TRUE: std::sync::LazyLock<CelBool> =
            std::sync::LazyLock::new(|| CelBool::from(true));
        if name == TICK {
            let took = self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
            return took.ok().map(|_| CowVal::Borrowed(&*TRUE));
        }
        self.facts.find(name).map(CowVal::Owned)
    }
}

impl<'a> Facts<'a> {
    fn find(&self, name: &str) -> Option<Held<'a>> {
        let (root, field) = match name.split_once('.') {
            Some((root, field)) => (root, Some(field)),
            None => (name, None),
        };
        if name == VARIABLES {
            return Some(map(self.known().map(|root| (root, self.root(root)))));
        }
        if !ROOTS.contains(&root) {
            return None;
        }
        let Some(field) = field else {
            return Some(self.root(root));
        };
        match root {
            "request" => self.request.as_ref()?.field(field),
            "response" => self.answer.as_ref()?.field(field),
            "source" => source(&self.source?, field),
            "jwt" => at(self.caller?.claims()?, field),
            "apiKey" => at(self.caller?.key_metadata()?, field),
            "extauthz" => at(self.caller?.vouched()?, field),
            "basicAuth" if field == "username" => Some(text(self.caller?.user()?)),
            _ => match self.further(root)? {
                Value::Object(fields) => at(fields, field),
                _ => None,
            },
        }
    }

    fn root(&self, root: &str) -> Held<'a> {
        let whole = match root {
            "request" => self.request.as_ref().map(RequestFacts::all),
            "response" => self.answer.as_ref().map(AnswerFacts::all),
            "source" => self.source.as_ref().map(|address| {
                let fields = ["address", "port"];
                map(fields.map(|name| (name, source(address, name).unwrap_or_else(nothing))))
            }),
            "jwt" => self.caller.and_then(Caller::claims).map(object),
            "apiKey" => self.caller.and_then(Caller::key_metadata).map(object),
            "extauthz" => self.caller.and_then(Caller::vouched).map(object),
            "basicAuth" => self
                .caller
                .and_then(Caller::user)
                .map(|user| map([("username", text(user))])),
            other => self.further(other).map(json),
        };
        whole.unwrap_or_else(nothing)
    }

    /// The variables about which something is known.
    fn known(&self) -> impl Iterator<Item = &'static str> {
        ROOTS.into_iter().filter(|root| match *root {
            "request" => self.request.is_some(),
            "response" => self.answer.is_some(),
            "source" => self.source.is_some(),
            "jwt" => self.caller.is_some_and(|caller| caller.claims().is_some()),
            "apiKey" => self
                .caller
                .is_some_and(|caller| caller.key_metadata().is_some()),
            "basicAuth" => self.caller.is_some_and(|caller| caller.user().is_some()),
            "extauthz" => self.caller.is_some_and(|caller| caller.vouched().is_some()),
            other => self.further(other).is_some(),
        })
    }

    fn further(&self, root: &str) -> Option<&'a Value> {
        let found = self.more.iter().find(|(name, _)| *name == root);
        found.map(|(_, value)| value)
    }
}

fn nothing<'a>() -> Held<'a> {
    map([])
}

/// The value at `a.b.c` of a JSON object.
fn at<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<Held<'a>> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    match (fields.get(first)?, rest) {
        (value, None) => Some(json(value)),
        (Value::Object(inner), Some(rest)) => at(inner, rest),
        _ => None,
    }
}

fn source<'a>(address: &SocketAddr, field: &str) -> Option<Held<'a>> {
    match field {
        "address" => Some(Box::new(CelString::from(address.ip().to_string()))),
        "port" => Some(Box::new(CelInt::from(i64::from(address.port())))),
        _ => None,
    }
}

impl<'a> RequestFacts<'a> {
    const FIELDS: [&'static str; 8] = [
        "method", "uri", "host", "scheme", "path", "version", "headers", "body",
    ];

    fn field(&self, name: &str) -> Option<Held<'a>> {
        let owned = |text: String| -> Held<'a> { Box::new(CelString::from(text)) };
        Some(match name {
            "method" => text(self.method.as_str()),
            "path" => text(self.uri.path()),
            "host" => text(self.authority),
            "scheme" => text(self.scheme),
            "uri" => {
                let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
                owned(format!("{}://{}{path}", self.scheme, self.authority))
            }
            "version" => owned(format!("{:?}", self.version)),
            "headers" => all_headers(self.headers),
            "body" => Box::new(CelBytes::from(self.body?)),
            _ => return header(self.headers, name),
        })
    }

    fn all(&self) -> Held<'a> {
        map(Self::FIELDS
            .iter()
            .filter_map(|name| Some((*name, self.field(name)?))))
    }
}

impl<'a> AnswerFacts<'a> {
    const FIELDS: [&'static str; 3] = ["code", "headers", "body"];

    fn field(&self, name: &str) -> Option<Held<'a>> {
        Some(match name {
            "code" => Box::new(CelInt::from(i64::from(self.status.as_u16()))),
            "headers" => all_headers(self.headers),
            "body" => Box::new(CelBytes::from(self.body?)),
            _ => return header(self.headers, name),
        })
    }

    fn all(&self) -> Held<'a> {
        map(Self::FIELDS
            .iter()
            .filter_map(|name| Some((*name, self.field(name)?))))
    }
}

/// `headers.x-who`: the first value of a header.
fn header<'a>(headers: &'a HeaderMap, field: &str) -> Option<Held<'a>> {
    let value = headers.get(field.strip_prefix("headers.")?)?;
    value.to_str().ok().map(text)
}

fn all_headers<'a>(headers: &'a HeaderMap) -> Held<'a> {
    map(headers.keys().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.as_str(), text(value)))
    }))
}
