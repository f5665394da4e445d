//! The proof, as `up` ends with it and `test` repeats it.

use super::session::Session;
use crate::apply::record::{Record, now, write};
use crate::error::Result;
use crate::host::paths::EnvironmentPaths;
use crate::host::{made_key, process};
use crate::plan::{PlannedRoute, Scheme, Served};
use crate::profile::rule::KeyFrom;
use crate::report::github;
use crate::report::status::Proof;
use crate::text;
use crate::verify::check::{Check, Finding, Verdict};
use crate::verify::credential::Credential;
use crate::verify::{gateway, own, route, runner, tools};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

/// Sends real requests through every route of an environment.
async fn prove(paths: &EnvironmentPaths, record: &Record, settle: Duration) -> Vec<Finding> {
    let base = &record.base_url;
    let mut checks: Vec<Box<dyn Check>> = vec![Box::new(gateway::Answers { base: base.clone() })];
    for planned in record.planned_routes() {
        let (base, credential) = (base.clone(), credential(paths, &planned).await);
        checks.push(match planned.serves {
            Served::Chat { .. } => Box::new(route::Route {
                base,
                route: planned,
                settle,
                credential,
            }),
            Served::Tools => Box::new(tools::Tools {
                base,
                route: planned,
                settle,
                credential,
            }),
        });
    }
    for test in &record.tests {
        if let Some(route) = record.routes.iter().find(|route| route.name == test.route) {
            checks.push(Box::new(own::Own {
                url: format!("{base}{}{}", route.path, test.path),
                test: test.clone(),
            }));
        }
    }
    runner::run(&checks).await
}

/// What a caller of a route has to show, from where `up` had it.
pub async fn credential(paths: &EnvironmentPaths, route: &PlannedRoute) -> Credential {
    let Some(auth) = &route.auth else {
        return Credential::None;
    };
    let secret = match &auth.from {
        None => Err("only its issuer gives a token".to_string()),
        Some(KeyFrom::Source(source)) => source.read().await.map_err(|error| error.what),
        Some(KeyFrom::Generated) => made_key::read(paths, &auth.policy, &auth.name)
            .ok_or_else(|| format!("the key of {} is gone", auth.name)),
    };
    match secret {
        Err(why) => Credential::Lacking(why),
        Ok(secret) => Credential::Value(secret.derive(|text| match auth.scheme {
            Scheme::Bearer => format!("Bearer {text}"),
            Scheme::Basic => {
                let pair = STANDARD.encode(format!("{}:{text}", auth.name));
                format!("Basic {pair}")
            }
        })),
    }
}

pub fn has_failed(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Fail)
}

impl Session {
    /// The proof, with next commands that can be typed as they are.
    pub async fn prove(&self, record: &Record, settle: Duration) -> Vec<Finding> {
        let mut findings = prove(&self.environment(), record, settle).await;
        let ended = process::all(&self.environment());
        let ended: Vec<&str> = ended
            .iter()
            .filter(|(_, alive)| alive.is_none())
            .map(|(role, _)| role.as_str())
            .collect();
        for finding in findings
            .iter_mut()
            .filter(|finding| finding.verdict == Verdict::Fail)
        {
            // A process of ours that has ended explains more than what its absence looks like.
            if !ended.is_empty() {
                finding.facts.retain(|(name, _)| name != "cause");
                let cause = format!("our process {} has ended", text::list(&ended));
                finding.facts.push(("cause".to_string(), cause));
                finding.next = Some("gw up".to_string());
            }
            finding.next = finding.next.as_deref().map(|next| self.complete(next));
        }
        findings
    }

    /// On GitHub, what failed is shown where the job is.
    pub fn annotate(&self, findings: &[Finding]) {
        if self.on_github {
            self.talk(&github::findings(findings));
        }
    }

    pub fn keep_proof(&self, findings: &[Finding]) -> Result<()> {
        write(
            &self.environment().proof(),
            &json!({"at": now(), "findings": findings}),
        )
    }

    pub fn last_proof(&self) -> Option<Proof> {
        let text = std::fs::read_to_string(self.environment().proof()).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        Some(Proof {
            at: value["at"].as_u64()?,
            findings: serde_json::from_value(value["findings"].clone()).ok()?,
        })
    }
}
