//! What is gathered about a failure once it has happened.

use super::prove::Run;
use crate::cluster::forward;
use crate::diagnose::applied::Applied;
use crate::host::process;
use crate::plan::{BRIDGE, MOCK, Served};
use crate::provider::{Provider, key_variables};
use crate::secret::Secret;
use crate::secret::vault::Vault;
use crate::text;
use crate::verify::blot::blot;
use crate::verify::case::Case;
use crate::verify::check::{Finding, Verdict};
use crate::verify::evidence::{Surroundings, explain};
use crate::verify::installed::Installed;

/// Access log lines that are looked through for those of failed requests.
const LOG: usize = 4000;

impl Run<'_> {
    /// What was gathered about a failure; then next commands that can be typed as they are.
    pub async fn explain(&self, findings: &mut [Finding], cases: &[Case], installed: &Installed) {
        let failed = findings
            .iter()
            .any(|finding| finding.verdict == Verdict::Fail);
        if failed {
            let (log, troubles) = tokio::join!(self.target.access_log(LOG), self.target.troubles());
            // What can't be gathered explains nothing; the failure stands without it.
            let around = Surroundings {
                log: log.unwrap_or_default(),
                troubles: troubles.unwrap_or_default(),
            };
            explain(findings, cases, installed, &around);
            self.ended(findings, cases);
        }
        for finding in findings.iter_mut() {
            if let Some(case) = cases.iter().find(|case| case.id == finding.id) {
                finding.sort = case.sort.name().to_string();
            }
            finding.next = finding
                .next
                .as_deref()
                .map(|next| self.session.complete(next));
        }
        // A key is repeated by whoever refuses it: only then a program that gives it is run again.
        let read = match self.keys {
            None => self.session.given(self.record, failed).await,
            Some(_) => Vault::default(),
        };
        let keys = self.keys.unwrap_or(&read);
        for text in findings.iter_mut().flat_map(Finding::texts) {
            *text = keys.blot(text);
        }
        // After whole keys: what only looks like one is cut off where a word ends.
        blot(findings, &self.known());
    }

    /// A process of ours that has ended explains more than what its absence looks like.
    fn ended(&self, findings: &mut [Finding], cases: &[Case]) {
        let all = process::all(&self.session.environment());
        let ended: Vec<&str> = all
            .iter()
            .filter(|(_, alive)| alive.is_none())
            .map(|(role, _)| role.as_str())
            .collect();
        for finding in findings.iter_mut().filter(|f| f.verdict == Verdict::Fail) {
            let case = cases.iter().find(|case| case.id == finding.id);
            let missed = ended.iter().filter(|role| self.misses(finding, case, role));
            let missed: Vec<&str> = missed.copied().collect();
            let cause = match missed.as_slice() {
                [] => continue,
                [one] => format!("our process {one} has ended"),
                all => format!("our processes {} have ended", text::list(all)),
            };
            finding.facts.retain(|(name, _)| name != "cause");
            finding.facts.push(("cause".to_string(), cause));
            finding.next = Some("gw up".to_string());
        }
    }

    /// Whether a failure looks as it does without a process of ours.
    fn misses(&self, finding: &Finding, case: Option<&Case>, role: &str) -> bool {
        let Some(case) = case else {
            let way = ["gateway", forward::ROLE].contains(&role);
            return way && !finding.id.starts_with("object.Ag");
        };
        let looks = [
            "upstream call failed",
            "takes no connection",
            "gatewright relay",
            "no answer",
        ];
        let said = finding
            .facts
            .iter()
            .map(|(_, text)| text)
            .chain([&finding.summary]);
        let unreached = said
            .into_iter()
            .any(|text| looks.iter().any(|look| text.contains(look)));
        let behind = match role.strip_prefix("relay-") {
            Some(service) => {
                let wire = self.record.wires.get(service);
                wire.is_some_and(|wire| wire.relay && case.lane.starts_with(&wire.host))
            }
            None => match role {
                MOCK => case.behind.provider == Provider::Mock || self.is_mocked(case),
                BRIDGE => case.behind.title == Served::Tools.title(),
                _ => false,
            },
        };
        unreached && behind
    }

    /// Whether tools are the mock's: a service of their backend is.
    fn is_mocked(&self, case: &Case) -> bool {
        let applied = Applied::load(&self.session.environment());
        let services = applied.map(|applied| applied.services).unwrap_or_default();
        let backends = case.objects.iter();
        let mut backends = backends.filter(|(kind, ..)| kind == "AgentgatewayBackend");
        case.expect.tools
            && backends.any(|(_, _, backend)| {
                let own = |name: &str| {
                    let rest = name.strip_prefix(backend.as_str());
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
                };
                services
                    .iter()
                    .any(|service| service.mock && own(&service.name))
            })
    }

    /// Keys that are at hand and that a provider may repeat.
    fn known(&self) -> Vec<Secret> {
        let set = key_variables().filter_map(|name| std::env::var(name).ok());
        let shown = self
            .credentials
            .values()
            .filter_map(|credential| credential.secret());
        set.filter_map(|text| Secret::new(&text))
            .chain(shown)
            .collect()
    }
}
