//! What the data plane works from: everything that `compile` decided, immutable and shared by all requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use http::uri::Authority;
use regex::Regex;
use rustls::sign::CertifiedKey;

use super::balance::PoolKey;
use super::dynamic::Dynamic;
use super::llm::{AiPolicy, ProviderKind, google};
use super::mcp::Servers;
use super::mirror::Mirror;
use super::policy::{Limit, Traffic};
use super::tls::Tls;

/// The whole configuration at one moment.
#[derive(Debug, Default)]
pub struct Config {
    /// Listeners by the port that they name.
    pub listeners: BTreeMap<u16, Vec<Listener>>,
}

impl Config {
    /// Whether clients of a port speak TLS; with listeners of both sorts, all do (facts 4.2).
    pub fn is_tls(&self, port: u16) -> bool {
        let listeners = self.listeners.get(&port).into_iter().flatten();
        listeners
            .into_iter()
            .any(|listener| listener.certificate.is_some())
    }

    /// How long answers of a port may go on when it is closed.
    pub fn drain(&self, port: u16) -> Duration {
        let listeners = self.listeners.get(&port).into_iter().flatten();
        let longest = listeners.map(|listener| listener.drain).max();
        longest.unwrap_or_default()
    }

    /// How long all ports stay open when the gateway is told to end.
    pub fn linger(&self) -> Duration {
        let listeners = self.listeners.values().flatten();
        let longest = listeners.map(|listener| listener.linger).max();
        longest.unwrap_or_default()
    }

    /// Every rate limit that some rule has, some more than once.
    pub fn limits(&self) -> impl Iterator<Item = &Limit> {
        let listeners = self.listeners.values().flatten();
        let candidates = listeners.flat_map(|listener| &listener.candidates);
        candidates.filter_map(|candidate| candidate.rule.traffic.limit.as_ref())
    }

    /// The pool of every backend that has groups, some more than once.
    pub fn pools(&self) -> impl Iterator<Item = &PoolKey> {
        let listeners = self.listeners.values().flatten();
        let candidates = listeners.flat_map(|listener| &listener.candidates);
        let backends = candidates.flat_map(|candidate| &candidate.rule.backends);
        backends.filter_map(|backend| match &backend.destination {
            Destination::Backend(backend) => match &backend.kind {
                BackendKind::Groups(group) => Some(&group.key),
                _ => None,
            },
            Destination::Unknown | Destination::Service(_) => None,
        })
    }
}

#[derive(Debug)]
pub struct Listener {
    /// `namespace/name` of the Gateway.
    pub gateway: Arc<str>,
    pub name: Arc<str>,
    /// Empty takes every host; a leading `*.` takes every name below.
    pub hostname: String,
    pub port: u16,
    /// What TLS shows to clients; none speaks plain HTTP.
    pub certificate: Option<Arc<CertifiedKey>>,
    pub logging: Logging,
    /// How long running answers may go on when the port is closed.
    pub drain: Duration,
    /// How long its port stays open when the gateway is told to end.
    pub linger: Duration,
    /// What is asked of every request before a route is chosen (facts 7.1).
    pub before: Option<Box<Traffic>>,
    /// Most specific first, so that the first match is the right one.
    pub candidates: Vec<Candidate>,
}

/// How a Gateway's requests are told in the access log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Logging {
    /// One JSON object a line, instead of words.
    pub is_json: bool,
    pub is_silent: bool,
}

/// One match of one rule for one hostname of its route.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub hostname: String,
    pub matcher: Arc<Matcher>,
    pub rule: Arc<Rule>,
}

#[derive(Debug)]
pub struct Matcher {
    pub path: PathMatch,
    pub method: Option<Method>,
    pub headers: Vec<(HeaderName, ValueMatch)>,
    pub query: Vec<(String, ValueMatch)>,
}

#[derive(Debug)]
pub enum PathMatch {
    Exact(String),
    /// Without a trailing slash: `/` is empty.
    Prefix(String),
    /// Anchored at both ends.
    Regex(Regex),
}

#[derive(Debug)]
pub enum ValueMatch {
    Exact(String),
    Regex(Regex),
}

#[derive(Debug)]
pub struct Rule {
    /// `namespace/name` of the HTTPRoute.
    pub route: Arc<str>,
    pub filters: Vec<Filter>,
    pub backends: Vec<WeightedBackend>,
    pub request_timeout: Option<Duration>,
    pub backend_timeout: Option<Duration>,
    pub traffic: Traffic,
}

#[derive(Debug)]
pub enum Filter {
    RequestHeaders(HeaderChange),
    ResponseHeaders(HeaderChange),
    Rewrite {
        hostname: Option<HeaderValue>,
        path: Option<PathChange>,
    },
    Redirect(Redirect),
    Mirror(Arc<Mirror>),
}

#[derive(Debug, Default, Clone)]
pub struct HeaderChange {
    pub set: Vec<(HeaderName, HeaderValue)>,
    pub add: Vec<(HeaderName, HeaderValue)>,
    pub remove: Vec<HeaderName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathChange {
    Full(String),
    Prefix(String),
}

#[derive(Debug)]
pub struct Redirect {
    pub scheme: Option<String>,
    pub hostname: Option<String>,
    pub port: Option<u16>,
    pub path: Option<PathChange>,
    pub status: u16,
}

/// A backend of a rule. A reference that did not resolve keeps its place with weight 0 (facts 9.7).
#[derive(Debug)]
pub struct WeightedBackend {
    pub weight: u32,
    pub filters: Vec<Filter>,
    pub destination: Destination,
}

#[derive(Debug, Clone)]
pub enum Destination {
    /// An AgentgatewayBackend that is not accepted, or an unknown Service: 500 `service not found`.
    Unknown,
    Service(Arc<Origin>),
    Backend(Arc<Backend>),
}

#[derive(Debug)]
pub struct Backend {
    pub kind: BackendKind,
    pub auth: Option<Auth>,
    pub request_timeout: Option<Duration>,
}

#[derive(Debug)]
pub enum BackendKind {
    Static(Box<Origin>),
    Ai(Box<Provider>),
    Groups(Group),
    Dynamic(Dynamic),
    Mcp(Arc<Servers>),
}

/// One model provider behind an `ai` backend.
#[derive(Debug)]
pub struct Provider {
    pub kind: ProviderKind,
    pub origin: Origin,
    /// Whether the origin is the person's own, so that the client's path is kept (facts 9.4).
    pub own_host: bool,
    pub path: Option<String>,
    /// Replaces the client's model (facts 9.5).
    pub model: Option<String>,
    /// The provider's own key, or its backend's.
    pub auth: Option<Auth>,
    /// What is used where no policy says anything: what the vendor's own tools would (facts 5).
    pub usual_auth: Option<Auth>,
    pub policy: Arc<AiPolicy>,
}

/// Providers in groups: one takes the calls that the ones before it can't.
#[derive(Debug)]
pub struct Group {
    pub key: PoolKey,
    pub members: Vec<Vec<Member>>,
}

/// A provider in a group.
#[derive(Debug)]
pub struct Member {
    pub provider: Provider,
    pub timeout: Option<Duration>,
}

/// Where a call goes: what is dialled, and what the upstream is told about it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// `host:port`, as the access log shows it.
    pub endpoint: Arc<str>,
    /// Addresses to choose from; none means that nothing is ready.
    pub dial: Vec<Authority>,
    /// The Host header for a named upstream; the client's own is kept for an address (facts 16.1).
    pub host: Option<HeaderValue>,
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is spoken, without asking first over plain HTTP.
    pub http2: bool,
}

/// Where a policy or a filter calls.
#[derive(Debug)]
pub struct Callee {
    /// None when what it names is there but can't be called.
    pub origin: Option<Origin>,
    pub auth: Option<Auth>,
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone)]
pub enum Auth {
    /// The whole Authorization header, marked sensitive so that it can't be printed.
    Bearer(HeaderValue),
    Passthrough,
    /// The request is signed with these keys.
    Aws(Credentials),
    /// The request is signed with the keys that AWS's own tools find.
    UsualAws,
    /// An access token for the account that Google's own tools find.
    UsualGoogle(Arc<google::Account>),
}

impl Auth {
    /// Whether it is more than a header that is known beforehand.
    pub fn is_made_for_each_request(&self) -> bool {
        match self {
            Auth::Bearer(_) | Auth::Passthrough => false,
            Auth::Aws(_) | Auth::UsualAws | Auth::UsualGoogle(_) => true,
        }
    }
}
