//! Conditions in the controller's own words (facts 4).

use serde_json::{Value, json};

use crate::gateway::object::dig;

pub(super) const CONTROLLER: &str = "agentgateway.dev/agentgateway";

/// Why something is not as asked: the reason and message of a False condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub reason: &'static str,
    pub message: String,
    /// Whether it drops the whole route (facts 4.3).
    pub hard: bool,
}

impl Problem {
    pub fn soft(reason: &'static str, message: impl Into<String>) -> Problem {
        let message = message.into();
        Problem {
            reason,
            message,
            hard: false,
        }
    }

    pub fn hard(reason: &'static str, message: impl Into<String>) -> Problem {
        let message = message.into();
        Problem {
            reason,
            message,
            hard: true,
        }
    }
}

/// The reason of a condition that only the embedded gateway writes: it can't do what a cluster can.
pub(super) const UNSUPPORTED: &str = "UnsupportedByEmbeddedGateway";

/// The sentence that goes with it.
pub(super) fn unsupported(what: impl std::fmt::Display) -> String {
    format!("the embedded gateway does not support {what} yet; a cluster target does")
}

pub(super) fn condition(
    object: &Value,
    kind: &str,
    ok: bool,
    reason: &str,
    message: &str,
) -> Value {
    let mut condition = json!({
        "type": kind,
        "status": if ok { "True" } else { "False" },
        "reason": reason,
        "message": message,
    });
    let generation = dig(object, &["metadata", "generation"]);
    if !generation.is_null() {
        condition["observedGeneration"] = generation.clone();
    }
    condition
}

/// Status of an AgentgatewayBackend (facts 4.4).
pub(super) fn backend(object: &Value, problem: Option<&Problem>) -> Value {
    let state = match problem {
        None => condition(
            object,
            "Accepted",
            true,
            "Accepted",
            "Backend successfully accepted",
        ),
        Some(problem) => condition(object, "Accepted", false, problem.reason, &problem.message),
    };
    json!({"conditions": [state]})
}
