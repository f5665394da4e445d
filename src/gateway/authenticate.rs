//! Who a request comes from, and what is asked of it before a route is chosen (facts 7.1, 9.1).

use std::borrow::Cow;

use serde_json::Value;

use super::config::HeaderChange;
use super::exchange::{Exchange, Reply};
use super::policy::{Processed, Talk, Traffic, Verdict};
use super::refusal::Refusal;

impl Exchange<'_> {
    /// Asks for a token, then for a password, then for a key: each that is shown is taken.
    pub async fn authenticate(&mut self, traffic: &Traffic) -> Result<(), Refusal> {
        let (headers, caller) = (&mut self.parts.headers, &mut self.caller);
        if let Some(jwt) = &traffic.jwt {
            jwt.check(headers, caller, self.plane).await?;
            let subject = caller.claims().and_then(|claims| claims.get("sub"));
            self.record.subject = subject.and_then(Value::as_str).map(str::to_string);
        }
        if let Some(basic) = &traffic.basic {
            basic.check(headers, caller).await?;
        }
        if let Some(keys) = &traffic.api_keys {
            keys.check(headers, caller)?;
        }
        self.after.caller = self.caller.clone();
        Ok(())
    }

    /// The phase PreRouting: it may change what the route is chosen by, or answer at once.
    pub async fn before_routing(
        &mut self,
        traffic: &Traffic,
        changes: &mut Vec<Cow<'_, HeaderChange>>,
        talks: &mut Vec<Talk>,
    ) -> Result<Option<Reply>, Refusal> {
        if let Some(what) = &traffic.refused {
            return Err(Refusal::unsupported(what));
        }
        if let Some(transformation) = &traffic.transformation {
            self.plan(transformation).await;
        }
        self.authenticate(traffic).await?;
        if let Some(reply) = self.ask_for_leave(traffic, changes).await? {
            return Ok(Some(reply));
        }
        if let Some(reply) = self.process(traffic, talks).await? {
            return Ok(Some(reply));
        }
        let transformation = traffic.transformation.as_ref();
        if let Some(change) = transformation.and_then(|t| t.request.as_ref()) {
            self.transform(change).await;
        }
        Ok(None)
    }

    /// Asks the authorization server, if there is one; its refusal is returned.
    pub async fn ask_for_leave(
        &mut self,
        traffic: &Traffic,
        changes: &mut Vec<Cow<'_, HeaderChange>>,
    ) -> Result<Option<Reply>, Refusal> {
        let Some(server) = &traffic.ext_auth else {
            return Ok(None);
        };
        let verdict = server.check(self).await?;
        self.after.caller = self.caller.clone();
        match verdict {
            Verdict::Passes(change) => {
                changes.push(Cow::Owned(change));
                Ok(None)
            }
            Verdict::Denied(reply) => Ok(Some(*reply)),
        }
    }

    /// Shows the request to the processor, if there is one; an answer of its own is returned.
    pub async fn process(
        &mut self,
        traffic: &Traffic,
        talks: &mut Vec<Talk>,
    ) -> Result<Option<Reply>, Refusal> {
        let Some(processor) = &traffic.ext_proc else {
            return Ok(None);
        };
        match processor.request(self).await? {
            Processed::Goes(talk) => talks.push(talk),
            Processed::Answered(reply) => return Ok(Some(*reply)),
        }
        // It may have changed the body.
        self.held = None;
        Ok(None)
    }
}
