//! What happens to a request between its route and its backend: policies and filters, in the real proxy's order (facts 9.1).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::choose;
use super::config::{Candidate, Filter, HeaderChange, Rule};
use super::exchange::{AskedOfMcp, Exchange, Reply};
use super::policy::{Counts, Talk, Verdict};
use super::refusal::Refusal;

impl<'a> Exchange<'a> {
    pub async fn run<'c>(
        mut self,
        candidate: &'c Candidate,
        authority: &str,
        port: u16,
        changes: &mut Vec<Cow<'c, HeaderChange>>,
        talks: &mut Vec<Talk>,
    ) -> Result<Reply, Refusal> {
        let rule: &Rule = &candidate.rule;
        if let Some(what) = &rule.traffic.refused {
            return Err(Refusal::unsupported(what));
        }
        if let Some(transformation) = &rule.traffic.transformation {
            self.plan(transformation).await;
        }
        if let Some(change) = &rule.traffic.response_headers
            && !has(&rule.filters, |filter| {
                matches!(filter, Filter::ResponseHeaders(_))
            })
        {
            changes.push(Cow::Borrowed(&**change));
        }
        self.authenticate(&rule.traffic).await?;
        if let Some(reply) = self.ask_for_leave(&rule.traffic, changes).await? {
            return Ok(reply);
        }
        if let Some(authorization) = &rule.traffic.authorization {
            self.hold(authorization.needs()).await;
            authorization.check(&self.facts(&[]))?;
        }
        self.mcp = AskedOfMcp {
            rules: rule.traffic.mcp.clone(),
            authentication: rule.traffic.mcp_authentication.clone(),
        };
        if let Some(limit) = &rule.traffic.limit {
            let bucket = self.plane.bucket(limit);
            match limit.counts {
                Counts::Requests => bucket.take(Instant::now())?,
                Counts::Tokens => self.tokens = Some(bucket),
            }
        }
        if let Some(limiter) = &rule.traffic.global_limit {
            self.limiter = Some(Arc::clone(limiter));
            match limiter.check(&mut self).await? {
                Verdict::Passes(change) => changes.push(Cow::Owned(change)),
                Verdict::Denied(reply) => return Ok(*reply),
            }
        }
        if let Some(reply) = self.process(&rule.traffic, talks).await? {
            return Ok(reply);
        }
        let transformation = rule.traffic.transformation.as_ref();
        if let Some(change) = transformation.and_then(|t| t.request.as_ref()) {
            self.transform(change).await;
        }
        if let Some(csrf) = &rule.traffic.csrf
            && !csrf.allows(&self.parts.method, authority, &self.parts.headers)
        {
            return Err(Refusal::csrf());
        }
        if let Some(change) = &rule.traffic.request_headers
            && !has(&rule.filters, |filter| {
                matches!(filter, Filter::RequestHeaders(_))
            })
        {
            change.apply(&mut self.parts.headers);
        }
        self.filter(&rule.filters, candidate, changes)?;
        if let Some(cors) = &rule.traffic.cors {
            let change = cors.check(&self.parts.method, &self.parts.headers)?;
            changes.push(Cow::Owned(change));
        }
        for filter in &rule.filters {
            if let Filter::Redirect(redirect) = filter {
                return Err(self.redirect(redirect, candidate, authority, port));
            }
        }
        if let Some(direct) = &rule.traffic.direct {
            return Err(direct.answer());
        }
        let backend = choose::backend(&rule.backends).ok_or_else(Refusal::no_valid_backends)?;
        self.filter(&backend.filters, candidate, changes)?;
        for filter in rule.filters.iter().chain(&backend.filters) {
            if let Filter::Mirror(mirror) = filter {
                self.mirror(mirror);
            }
        }
        self.reach(rule, backend).await
    }

    fn filter<'c>(
        &mut self,
        filters: &'c [Filter],
        candidate: &Candidate,
        changes: &mut Vec<Cow<'c, HeaderChange>>,
    ) -> Result<(), Refusal> {
        for filter in filters {
            match filter {
                Filter::RequestHeaders(change) => change.apply(&mut self.parts.headers),
                Filter::ResponseHeaders(change) => changes.push(Cow::Borrowed(change)),
                Filter::Rewrite { hostname, path } => {
                    if let Some(change) = path {
                        let new = change.apply(&candidate.matcher.path, &self.path);
                        self.path = new.ok_or_else(Refusal::filter)?;
                    }
                    self.hostname = hostname.clone().or(self.hostname.take());
                }
                Filter::Redirect(_) | Filter::Mirror(_) => {}
            }
        }
        Ok(())
    }
}

/// Whether a rule has a filter that does the same as a policy: the route's own wins (facts 7.1).
fn has(filters: &[Filter], same: fn(&Filter) -> bool) -> bool {
    filters.iter().any(same)
}
