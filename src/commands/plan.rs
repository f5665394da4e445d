//! `gw plan`: what `up` would do.

use super::Outcome;
use super::session::Session;
use super::wish::Wanted;
use crate::cli::Plan;
use crate::report::document::Document;
use crate::report::human;
use crate::yaml;
use serde_json::Value;

pub async fn run(session: &Session, options: &Plan) -> Outcome {
    let Wanted { plan, reason, .. } = session.plan(&options.wish).await?;
    let objects: Vec<Value> = plan.objects().cloned().collect();
    if session.is_json() {
        session.write(
            &Document::new("plan", &plan.environment)
                .set("reason", reason)
                .plan(&plan)
                .text(),
        );
    } else if options.yaml {
        session.write(&yaml::write_all(&objects));
    } else {
        session.write(&human::plan(&plan, session.out));
        session.write(&format!("\n{}", yaml::write_all(&objects)));
    }
    Ok(None)
}
