//! The list of models: one, whose name says what it is.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::{CREATED, MODEL};
use super::FINGERPRINT;

pub(in crate::gateway::mock) fn models() -> Answer {
    Answer::ok(json!({"object": "list", "data": [one(MODEL)]}))
}

/// One model: any name is taken.
pub(in crate::gateway::mock) fn model(name: &str) -> Answer {
    Answer::ok(one(name))
}

fn one(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": CREATED, "owned_by": FINGERPRINT})
}
