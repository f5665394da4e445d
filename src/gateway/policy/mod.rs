//! What AgentgatewayPolicies ask of requests, one file a policy: how it is read and what it does (facts 7.2).

mod account;
mod api_key;
mod authorization;
mod basic;
mod caller;
mod cors;
mod csrf;
mod direct;
mod ext_auth;
mod ext_proc;
mod global;
mod headers;
mod htpasswd;
mod jwks;
mod jwt;
mod limit;
mod retry;
mod transformation;

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap};

use super::config::HeaderChange;
use super::mcp::Authentication;
pub use account::Account;
pub use api_key::ApiKeys;
pub use authorization::Authorization;
pub use basic::Basic;
pub use caller::Caller;
pub use cors::Cors;
pub use csrf::Csrf;
pub use direct::Direct;
pub use ext_auth::ExtAuth;
pub(super) use ext_auth::Verdict;
pub use ext_proc::ExtProc;
pub(super) use ext_proc::{Processed, Talk};
pub use global::GlobalLimit;
pub(super) use headers::read as read_headers;
pub(super) use jwks::KeyStore;
pub use jwt::Jwt;
pub(super) use limit::{Bucket, Buckets};
pub use limit::{Counts, Limit};
pub use retry::Retry;
pub use transformation::{Change, Effect, Transformation};

/// Every field of `traffic`; the most specific level wins field by field (facts 7.1).
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    pub csrf: Option<Arc<Csrf>>,
    pub limit: Option<Limit>,
    pub cors: Option<Arc<Cors>>,
    pub jwt: Option<Arc<Jwt>>,
    pub api_keys: Option<Arc<ApiKeys>>,
    pub basic: Option<Arc<Basic>>,
    /// The rules of every level together: they add up.
    pub authorization: Option<Arc<Authorization>>,
    /// `backend.mcp.authorization`: what MCP clients get to see.
    pub mcp: Option<Arc<Authorization>>,
    /// `backend.mcp.authentication`: which MCP clients may come.
    pub mcp_authentication: Option<Arc<Authentication>>,
    pub transformation: Option<Arc<Transformation>>,
    pub request_headers: Option<Arc<HeaderChange>>,
    pub response_headers: Option<Arc<HeaderChange>>,
    pub direct: Option<Arc<Direct>>,
    pub ext_auth: Option<Arc<ExtAuth>>,
    pub global_limit: Option<Arc<GlobalLimit>>,
    pub ext_proc: Option<Arc<ExtProc>>,
    pub retry: Option<Arc<Retry>>,
    pub timeout: Option<Duration>,
    /// Access control that was asked for and can't be done: such a route fails closed.
    pub refused: Option<Arc<str>>,
}

impl Traffic {
    /// Fills what is missing from a less specific level.
    pub fn or(self, less: &Traffic) -> Traffic {
        Traffic {
            csrf: self.csrf.or_else(|| less.csrf.clone()),
            limit: self.limit.or_else(|| less.limit.clone()),
            cors: self.cors.or_else(|| less.cors.clone()),
            jwt: self.jwt.or_else(|| less.jwt.clone()),
            api_keys: self.api_keys.or_else(|| less.api_keys.clone()),
            basic: self.basic.or_else(|| less.basic.clone()),
            authorization: both(self.authorization, less.authorization.as_ref()),
            mcp: both(self.mcp, less.mcp.as_ref()),
            mcp_authentication: self
                .mcp_authentication
                .or_else(|| less.mcp_authentication.clone()),
            transformation: self.transformation.or_else(|| less.transformation.clone()),
            request_headers: self
                .request_headers
                .or_else(|| less.request_headers.clone()),
            response_headers: self
                .response_headers
                .or_else(|| less.response_headers.clone()),
            direct: self.direct.or_else(|| less.direct.clone()),
            ext_auth: self.ext_auth.or_else(|| less.ext_auth.clone()),
            global_limit: self.global_limit.or_else(|| less.global_limit.clone()),
            ext_proc: self.ext_proc.or_else(|| less.ext_proc.clone()),
            retry: self.retry.or_else(|| less.retry.clone()),
            timeout: self.timeout.or(less.timeout),
            refused: self.refused.or_else(|| less.refused.clone()),
        }
    }
}

/// The rules of two levels together.
fn both(
    more: Option<Arc<Authorization>>,
    less: Option<&Arc<Authorization>>,
) -> Option<Arc<Authorization>> {
    match (more, less) {
        (Some(more), Some(less)) => Some(Arc::new(Authorization::clone(&more).and(less))),
        (more, less) => more.or_else(|| less.cloned()),
    }
}

/// What follows the scheme in the Authorization header, if it is that scheme.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (given, credentials) = value.split_once(' ')?;
    given
        .eq_ignore_ascii_case(scheme)
        .then(|| credentials.trim_start_matches(' '))
}
