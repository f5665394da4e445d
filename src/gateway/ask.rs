//! What expressions can ask about an exchange.

use serde_json::Value;

use super::body::{self, AnyBody};
use super::cel::{Facts, Needs, RequestFacts};
use super::exchange::Exchange;
use super::host;
use super::llm::BODY_LIMIT;

impl Exchange<'_> {
    /// Everything known of the request so far; `more` are further variables, such as `mcp`.
    pub fn facts<'b>(&'b self, more: &'b [(&'static str, Value)]) -> Facts<'b> {
        Facts {
            request: Some(RequestFacts {
                method: &self.parts.method,
                uri: &self.parts.uri,
                scheme: self.scheme,
                authority: host::authority(&self.parts),
                version: self.parts.version,
                headers: &self.parts.headers,
                body: self.held.as_deref(),
            }),
            answer: None,
            source: Some(self.peer),
            caller: Some(&self.caller),
            more,
        }
    }

    /// Holds the body where an expression asks about it. One that is too long goes on unseen, and
    /// what is asked about it has no value.
    pub async fn hold(&mut self, needs: Needs) {
        if !needs.request_body || self.held.is_some() {
            return;
        }
        let body = std::mem::replace(&mut self.body, AnyBody::whole(""));
        (self.held, self.body) = body::peek(body, BODY_LIMIT).await;
    }
}
