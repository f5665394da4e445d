//! `gw plan`: what `up` would do.

use super::Outcome;
use super::session::Session;
use super::wish::Wanted;
use crate::cli::Plan;
use crate::report::document::Document;
use crate::report::human;
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

pub async fn run(session: &Session, options: &Plan) -> Outcome {
    let Wanted { plan, reason, .. } = session.plan(&options.wish).await?;
    if session.is_json() {
        session.write(
            &Document::new("plan", &plan.environment)
                .set("reason", reason)
                .plan(&plan)
                .text(),
        );
    } else if options.yaml {
        session.write(&shown(&plan));
    } else {
        session.write(&human::plan(&plan, session.out));
        session.write(&format!("\n{}", shown(&plan)));
    }
    Ok(None)
}
