//! `gw detect`: what this machine has, and where a gateway could run.

use super::Outcome;
use super::session::Session;
use crate::cli::Detect;
use crate::host::look::{DEADLINE, look};
use crate::plan::build::default_cluster;
use crate::report::document::Document;
use crate::report::machine;
use crate::target::detect::{candidates, is_tied, proposal};
use crate::target::place::Candidate;
use serde_json::{Value, json};
use std::time::Instant;

pub async fn run(session: &Session, options: &Detect) -> Outcome {
    let start = Instant::now();
    let facts = look(options.port, DEADLINE).await;
    let found = candidates(&facts, &default_cluster(&session.global.env));
    if session.is_json() {
        let chosen = proposal(&found);
        let places: Vec<Value> = found
            .iter()
            .map(|candidate| as_value(candidate, chosen == Some(candidate)))
            .collect();
        let document = Document::new("detect", &session.global.env)
            .set("seconds", start.elapsed().as_secs_f64())
            .set("facts", facts.to_value())
            .set("candidates", places)
            .set("tied", is_tied(&found));
        session.write(&document.text());
    } else {
        let picture = machine::machine(&facts, &found, Some(start.elapsed()), session.out);
        session.write(&picture);
    }
    Ok(None)
}

fn as_value(candidate: &Candidate, proposed: bool) -> Value {
    json!({
        "target": candidate.place.name(),
        "proposed": proposed,
        "local": candidate.locality.is_local(),
        "evidence": candidate.locality.evidence(),
        "reason": candidate.reason,
        "obstacle": candidate.obstacle,
    })
}
