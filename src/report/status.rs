//! `gw status` on one screen.

use super::style::Look;
use crate::apply::record::{Record, now};
use crate::diagnose::finding::Severity;
use crate::diagnose::fold::Diagnosis;
use crate::diagnose::snapshot::{Snapshot, backends_of, items, text as value_text};
use crate::plan::survey::{Condition, ObjectState, Part, Survey};
use crate::text;
use crate::verify::check::{Finding, Verdict};
use serde_json::Value;
use std::time::Duration;

/// The last proof as it was kept.
pub struct Proof {
    /// Seconds since 1970.
    pub at: u64,
    /// Whether everything was asked that can be.
    pub whole: bool,
    /// What was asked for where it was not all, as it is typed: `--only answer`.
    pub part: String,
    pub findings: Vec<Finding>,
}

/// All that one screen shows.
pub struct Screen<'a> {
    pub record: &'a Record,
    pub survey: &'a Survey,
    pub answers: &'a Finding,
    pub proof: Option<&'a Proof>,
    pub snapshot: &'a Snapshot,
    pub diagnosis: &'a Diagnosis,
    /// Every condition too.
    pub wide: bool,
}

impl Screen<'_> {
    pub fn text(&self, look: Look) -> String {
        let record = self.record;
        let mut lines = vec![
            format!(
                "environment {}, profile {}",
                record.environment, record.profile
            ),
            String::new(),
        ];
        let mut rows = self.head(look);
        rows.extend(self.survey.parts.iter().map(|part| part_row(part, look)));
        let expiries = self.record.expiries.iter();
        rows.extend(expiries.map(|(owner, at)| key_row(owner, *at, look)));
        let mut objects: Vec<&ObjectState> = self.survey.objects.iter().collect();
        objects.sort_by_key(|object| place(&object.kind));
        rows.extend(
            objects
                .into_iter()
                .map(|object| self.object_row(object, look)),
        );
        lines.extend(text::table(&rows));
        lines.push(String::new());
        lines.extend(self.drift(look));
        lines.extend(self.found(look));
        lines.extend(last_proof(self.proof, look));
        lines.join("\n") + "\n"
    }

    fn head(&self, look: Look) -> Vec<Vec<String>> {
        let (record, survey, answers) = (self.record, self.survey, self.answers);
        let target = record.place();
        let state = if survey.alive {
            look.good()
        } else {
            look.bad()
        };
        let address = match record.base_url.as_str() {
            "" => "no address yet",
            base => base,
        };
        let now_says = match answers.verdict {
            Verdict::Pass => "answers".to_string(),
            Verdict::Warn | Verdict::Fail | Verdict::Skip => answers.summary.clone(),
        };
        vec![
            vec![state, "target".into(), target, survey.detail.clone()],
            vec![
                look.verdict(answers.verdict),
                "address".into(),
                address.into(),
                now_says,
            ],
        ]
    }

    /// Kinds as people call them; for backends and routes what stands behind them.
    fn object_row(&self, object: &ObjectState, look: Look) -> Vec<String> {
        let bad: Vec<String> = object
            .conditions
            .iter()
            .filter(|c| is_bad(c))
            .map(plainly)
            .collect();
        let mark = if bad.is_empty() {
            look.good()
        } else {
            look.bad()
        };
        let conditions: Vec<&str> = object.conditions.iter().map(|c| c.kind.as_str()).collect();
        let behind = self.behind(object);
        let detail = match (bad.is_empty(), behind) {
            (false, _) => bad.join("; "),
            (true, Some(behind)) if self.wide => format!("{behind}  {}", conditions.join(", ")),
            (true, Some(behind)) => behind,
            (true, None) => conditions.join(", "),
        };
        vec![
            mark,
            noun(&object.kind).to_string(),
            object.name.clone(),
            detail,
        ]
    }

    fn behind(&self, object: &ObjectState) -> Option<String> {
        let live = self.snapshot.object(&object.kind, &object.name)?;
        match object.kind.as_str() {
            "HTTPRoute" => {
                let route = self
                    .snapshot
                    .routes
                    .iter()
                    .find(|route| route.name == object.name)?;
                Some(format!(
                    "{} to {}",
                    route.path,
                    backends_of(live).join(", ")
                ))
            }
            "AgentgatewayBackend" => Some(self.backend(live)),
            "AgentgatewayPolicy" => {
                let targets =
                    items(live, "/spec/targetRefs").map(|t| value_text(t, "/name").to_string());
                Some(format!("for {}", targets.collect::<Vec<_>>().join(", ")))
            }
            _ => None,
        }
    }

    /// Host service alive, key present, model there.
    fn backend(&self, live: &Value) -> String {
        let mut said = Vec::new();
        let mut services = self.snapshot.services.iter();
        let service = services.find(|service| self.snapshot.leads_to(live, service));
        if let Some(service) = service {
            let state = if service.silence.is_none() {
                "answers"
            } else {
                "does not answer"
            };
            said.push(format!("{} {state}", service.title));
            let wanted = value_text(live, "/spec/ai/provider/openai/model");
            if let Some(models) = service.models.as_ref().filter(|_| !wanted.is_empty()) {
                let full = format!("{wanted}:latest");
                let there = models.iter().any(|model| model == wanted || *model == full);
                said.push(format!(
                    "{wanted} {}",
                    if there { "is there" } else { "is not there" }
                ));
            }
        }
        let secret = value_text(live, "/spec/policies/auth/secretRef/name");
        if !secret.is_empty() {
            let there = self.snapshot.object("Secret", secret).is_some();
            let there = there
                || !self.snapshot.on_cluster()
                    && self
                        .snapshot
                        .objects
                        .iter()
                        .any(|o| o["metadata"]["name"] == *secret);
            said.push(format!(
                "key {}",
                if there { "is there" } else { "is gone" }
            ));
        }
        match said.is_empty() {
            true => "accepted".to_string(),
            false => said.join(", "),
        }
    }

    /// What somebody changed behind our back.
    fn drift(&self, look: Look) -> Vec<String> {
        let mut lines = super::live::drift(&self.snapshot.drift, look);
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines
    }

    fn found(&self, look: Look) -> Vec<String> {
        let mut lines = Vec::new();
        for finding in &self.diagnosis.findings {
            let mark = match finding.severity {
                Severity::Fail => look.bad(),
                Severity::Warn => look.warned(),
            };
            let found = &finding.found;
            let said = match found.short.as_str() {
                "" => found.cause.clone(),
                short => format!("{short}: {}", found.cause),
            };
            lines.push(format!("{mark} {} {said}", finding.code));
        }
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines
    }
}

fn part_row(part: &Part, look: Look) -> Vec<String> {
    let mark = if is_good(part) {
        look.good()
    } else {
        look.bad()
    };
    // A chart of another line may be whole and is not what gw knows.
    let foreign = part.sort == "chart" && !part.version.starts_with("v2.2.");
    let support = if foreign { "  (gw knows 2.2)" } else { "" };
    vec![
        mark,
        part.sort.into(),
        part.name.clone(),
        format!("{}  {}{support}", part.version, part.state),
    ]
}

/// A key that ends, or has ended.
fn key_row(owner: &str, at: u64, look: Look) -> Vec<String> {
    let span = |seconds| text::duration(Duration::from_secs(seconds));
    let (mark, detail) = match at.checked_sub(now()).filter(|left| *left > 0) {
        Some(left) => (look.good(), format!("ends in {}", span(left))),
        None => {
            let ago = now().saturating_sub(at);
            (look.bad(), format!("ended {} ago", span(ago)))
        }
    };
    vec![mark, "key".into(), owner.to_string(), detail]
}

fn noun(kind: &str) -> &str {
    match kind {
        "AgentgatewayBackend" => "backend",
        "AgentgatewayPolicy" => "policy",
        "AgentgatewayParameters" => "parameters",
        "HTTPRoute" => "route",
        "Gateway" => "gateway",
        "Deployment" => "deployment",
        "Service" => "service",
        "EndpointSlice" => "endpoints",
        other => other,
    }
}

/// A condition that is not good, in plain words, with its own for whoever searches for them.
fn plainly(condition: &Condition) -> String {
    let said = match (condition.kind.as_str(), condition.reason.as_str()) {
        (_, "Pending") if condition.status == "Unknown" => "no controller has taken it up yet",
        ("Accepted", "TranslationError") => "not accepted",
        ("Accepted", "Invalid") => "accepted and not valid: nothing of it was made",
        ("Accepted", "PartiallyValid") => "accepted and valid only in a part",
        ("Attached", _) => "attached to nothing",
        ("ResolvedRefs", "BackendNotFound") => "its backend does not exist",
        ("ResolvedRefs", "RefNotPermitted") => "its backend lies in another namespace",
        ("Accepted", "NoMatchingParent") => "names a listener that the gateway does not have",
        ("Accepted", "NotAllowedByListeners") => "the gateway admits no route of its namespace",
        ("Exists", _) => "gone",
        _ => "",
    };
    match said {
        "" => words(condition),
        said => format!("{said} ({})", words(condition)),
    }
}

/// Whether everything that is shown is as it should be.
pub fn is_whole(survey: &Survey) -> bool {
    let parts = survey.parts.iter().all(is_good);
    let conditions = survey.objects.iter().flat_map(|object| &object.conditions);
    survey.alive && parts && !conditions.into_iter().any(is_bad)
}

fn is_good(part: &Part) -> bool {
    ["deployed", "running", "installed"].contains(&part.state.as_str())
}

/// Every object once, in the order in which a request meets them.
fn place(kind: &str) -> usize {
    let order = [
        "Gateway",
        "AgentgatewayParameters",
        "AgentgatewayPolicy",
        "HTTPRoute",
        "AgentgatewayBackend",
    ];
    order
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(order.len())
}

/// True is good for every condition of ours but `Conflicted`; a policy that is Invalid is
/// Accepted=True all the same (facts 4.5).
fn is_bad(condition: &Condition) -> bool {
    let wanted = if condition.kind == "Conflicted" {
        "False"
    } else {
        "True"
    };
    condition.status != wanted || ["Invalid", "PartiallyValid"].contains(&condition.reason.as_str())
}

fn words(condition: &Condition) -> String {
    let text = format!(
        "{}={} {}: {}",
        condition.kind, condition.status, condition.reason, condition.message
    );
    text.trim_end_matches([':', ' ']).to_string()
}

fn last_proof(proof: Option<&Proof>, look: Look) -> Vec<String> {
    let Some(proof) = proof else {
        return vec!["not proved yet".to_string()];
    };
    let age = match now().saturating_sub(proof.at) {
        0..2 => "just now".to_string(),
        seconds => format!("{} ago", text::duration(Duration::from_secs(seconds))),
    };
    let mut rows = vec![vec![String::new(), "last proof".to_string(), age]];
    for finding in &proof.findings {
        if let Some(route) = &finding.route {
            let time = text::duration(Duration::from_secs_f64(finding.seconds));
            let model = if route.mock {
                format!("{} (no model)", route.model)
            } else {
                route.model.clone()
            };
            rows.push(vec![
                look.verdict(finding.verdict),
                route.path.clone(),
                model,
                route.status.to_string(),
                time,
            ]);
        }
    }
    let mut lines = text::table(&rows);
    if !proof.part.is_empty() {
        let margin = lines[0].len() - lines[0].trim_start().len();
        let part = format!("{:margin$}of a part alone: gw test {}", "", proof.part);
        lines.insert(1, part);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: &str, status: &str, reason: &str) -> Condition {
        Condition {
            kind: kind.into(),
            status: status.into(),
            reason: reason.into(),
            message: String::new(),
        }
    }

    #[test]
    fn accepted_true_with_reason_invalid_is_bad() {
        assert!(!is_bad(&condition("Accepted", "True", "Accepted")));
        assert!(is_bad(&condition("Accepted", "True", "Invalid")));
        assert!(is_bad(&condition("Programmed", "Unknown", "Pending")));
        assert!(!is_bad(&condition("Conflicted", "False", "NoConflicts")));
    }
}
