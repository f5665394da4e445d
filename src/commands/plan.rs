//! `gw plan`: what `up` would do.

use super::Outcome;
use super::session::Session;
use super::up::recorded;
use super::wish::Wanted;
use crate::cli::Plan;
use crate::error::Error;
use crate::report::document::Document;
use crate::report::{human, live};
use crate::secret::vault::Vault;
use crate::yaml;
use serde_json::Value;

/// The objects as YAML; over each Secret stands where its values will come from.
fn shown(plan: &crate::plan::Plan) -> String {
    let documents = plan.objects().map(|object| {
        let text = yaml::write(object);
        match plan.sources.get(name(object)) {
            Some(from) if object["kind"] == "Secret" => {
                format!("# Its values are put in when it is applied, from {from}.\n{text}")
            }
            _ => text,
        }
    });
    documents.collect::<Vec<_>>().join("---\n")
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or("")
}

/// What somebody changed of what the last `up` applied.
async fn difference(session: &Session) -> Outcome {
    let record = session.record()?;
    let snapshot = session.look(&record, &Vault::default(), false).await;
    if !snapshot.place.alive {
        let error = Error::new("what is there can't be read", "gw debug");
        return Err(error.fact(snapshot.place.silence));
    }
    let missing = snapshot
        .drift
        .iter()
        .filter(|drift| drift.missing)
        .map(|drift| drift.thing.title());
    let missing: Vec<String> = missing.collect();
    if session.is_json() {
        let drift = serde_json::to_value(&snapshot.drift).unwrap_or_default();
        session.write(
            &Document::new("plan", &record.environment)
                .set("drift", drift)
                .text(),
        );
        return Ok(None);
    }
    let mut lines = live::drift(&snapshot.drift, session.out);
    lines.extend(
        missing
            .iter()
            .map(|title| format!("{} {title} is gone", session.out.bad())),
    );
    if lines.is_empty() {
        lines.push(format!(
            "{} everything is as it was applied",
            session.out.good()
        ));
    }
    session.write(&(lines.join("\n") + "\n"));
    Ok(None)
}

pub async fn run(session: &Session, options: &Plan) -> Outcome {
    if options.diff {
        return difference(session).await;
    }
    let Wanted { plan, choice, .. } = session.plan(&options.wish).await?;
    let record = recorded(&plan, &choice);
    let target = session.target(&record);
    if session.is_json() {
        session.write(
            &Document::new("plan", &plan.environment)
                .set("reason", choice.reason)
                .plan(&plan, target.as_ref())
                .text(),
        );
    } else if options.yaml {
        session.write(&shown(&plan));
    } else {
        session.write(&human::plan(&plan, target.as_ref(), session.out));
        session.write(&format!("\n{}", shown(&plan)));
    }
    Ok(None)
}
