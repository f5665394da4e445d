//! `gw status` on one screen.

use super::style::Look;
use crate::apply::record::{Record, now};
use crate::plan::survey::{Condition, ObjectState, Part, Survey};
use crate::text;
use crate::verify::check::{Finding, Verdict};
use std::time::Duration;

/// The last proof as it was kept.
pub struct Proof {
    /// Seconds since 1970.
    pub at: u64,
    pub findings: Vec<Finding>,
}

pub fn screen(
    record: &Record,
    survey: &Survey,
    answers: &Finding,
    proof: Option<&Proof>,
    look: Look,
) -> String {
    let target = match record.cluster.as_str() {
        "" => record.target.clone(),
        cluster => format!("{}/{cluster}", record.target),
    };
    let state = if survey.alive {
        look.good()
    } else {
        look.bad()
    };
    let address = if record.base_url.is_empty() {
        "no address yet"
    } else {
        &record.base_url
    };
    let now_says = match answers.verdict {
        Verdict::Pass => "answers".to_string(),
        Verdict::Warn | Verdict::Fail | Verdict::Skip => answers.summary.clone(),
    };
    let mut rows = vec![
        vec![state, "target".into(), target, survey.detail.clone()],
        vec![
            look.verdict(answers.verdict),
            "address".into(),
            address.into(),
            now_says,
        ],
    ];
    for part in &survey.parts {
        let mark = if is_good(part) {
            look.good()
        } else {
            look.bad()
        };
        rows.push(vec![
            mark,
            part.sort.into(),
            part.name.clone(),
            format!("{}  {}", part.version, part.state),
        ]);
    }
    let mut objects: Vec<&ObjectState> = survey.objects.iter().collect();
    objects.sort_by_key(|object| place(&object.kind));
    rows.extend(objects.into_iter().map(|object| object_row(object, look)));
    let mut lines = vec![
        format!(
            "environment {}, profile {}",
            record.environment, record.profile
        ),
        String::new(),
    ];
    lines.extend(text::table(&rows));
    lines.push(String::new());
    lines.extend(last_proof(proof, look));
    lines.join("\n") + "\n"
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

/// Kinds as people call them.
fn object_row(object: &ObjectState, look: Look) -> Vec<String> {
    let bad: Vec<String> = object
        .conditions
        .iter()
        .filter(|c| is_bad(c))
        .map(words)
        .collect();
    let mark = if bad.is_empty() {
        look.good()
    } else {
        look.bad()
    };
    let sort = match object.kind.as_str() {
        "AgentgatewayBackend" => "backend",
        "AgentgatewayPolicy" => "policy",
        "AgentgatewayParameters" => "parameters",
        "HTTPRoute" => "route",
        "Gateway" => "gateway",
        "Service" => "service",
        "EndpointSlice" => "endpoints",
        other => other,
    };
    let good: Vec<&str> = object.conditions.iter().map(|c| c.kind.as_str()).collect();
    let detail = if bad.is_empty() {
        good.join(", ")
    } else {
        bad.join("; ")
    };
    vec![mark, sort.to_string(), object.name.clone(), detail]
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
    text::table(&rows)
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
