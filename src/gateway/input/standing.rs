//! What the gateway made of an object, told beside the text that asked for it.

use serde_json::Value;

use super::{Given, Notice, Weight};
use crate::gateway::object::{list, text};
use crate::profile::problem::Problem;
use crate::text::list as list_words;

/// Every condition of a status that is not as its writer will have hoped.
pub(super) fn of(given: &Given, status: Option<&Value>) -> Vec<Notice> {
    let mut said = Vec::new();
    if given.id.kind == "AgentgatewayParameters" {
        said.extend(idle(given));
    }
    match (given.id.kind.as_str(), status) {
        ("AgentgatewayPolicy", None) => said.push((
            "has no effect".to_string(),
            "agentgateway 2.2 honours `targetRefs` to a Gateway, HTTPRoute, Service or AgentgatewayBackend",
        )),
        (_, None) => {}
        (_, Some(status)) => said.extend(bad(given, status)),
    }
    let notices = said.into_iter().map(|(what, hint)| Notice {
        weight: Weight::Warned,
        source: given.source,
        problem: Problem::new(given.node.span, given.id.to_string(), what, hint),
        is_shown: false,
    });
    notices.collect()
}

/// Parameters of a Deployment that is not made here.
fn idle(given: &Given) -> Option<(String, &'static str)> {
    let spec = given.object.get("spec").and_then(Value::as_object)?;
    let known = ["logging", "shutdown"];
    let others = spec.keys().filter(|field| !known.contains(&field.as_str()));
    let others: Vec<String> = others.map(|field| format!("`{field}`")).collect();
    let what = format!("{} means nothing without a cluster", list_words(&others));
    (!others.is_empty()).then_some((what, "left aside; `logging` and `shutdown` are honoured"))
}

fn bad(given: &Given, status: &Value) -> Vec<(String, &'static str)> {
    let mut conditions: Vec<&Value> = list(status, &["conditions"]).iter().collect();
    for owner in ["parents", "ancestors", "listeners"] {
        for part in list(status, &[owner]) {
            conditions.extend(list(part, &["conditions"]));
        }
    }
    let mut said: Vec<(String, &'static str)> = Vec::new();
    for condition in conditions.into_iter().filter(|condition| is_bad(condition)) {
        let word = |field: &str| text(condition, &[field]).to_string();
        let line = format!(
            "{}={} {}: {}",
            word("type"),
            word("status"),
            word("reason"),
            word("message")
        );
        let line = line.trim_end_matches([':', ' ']).to_string();
        if !said.iter().any(|(known, _)| *known == line) {
            said.push((line, ""));
        }
    }
    // A parent that does not exist gets no entry at all (facts 4.3).
    if given.id.kind == "HTTPRoute" && list(status, &["parents"]).is_empty() {
        said.push((
            "no Gateway takes it".to_string(),
            "`parentRefs` must name a Gateway of class agentgateway that is given too",
        ));
    }
    said
}

/// True is good for all but `Conflicted`; a policy that is Invalid is Accepted=True all the same (facts 4.5).
fn is_bad(condition: &Value) -> bool {
    let wanted = match text(condition, &["type"]) {
        "Conflicted" => "False",
        _ => "True",
    };
    text(condition, &["status"]) != wanted
        || matches!(
            text(condition, &["reason"]),
            "Invalid" | "PartiallyValid" | "ListenersNotValid"
        )
}
