//! `gw test`: a real request through every route.

use super::Outcome;
use super::prove::has_failed;
use super::session::Session;
use crate::error::{Error, Exit};
use crate::report::document::Document;
use crate::report::human;
use std::time::Duration;

pub async fn run(session: &Session) -> Outcome {
    let record = session.record()?;
    if record.base_url.is_empty() {
        return Err(Error::new(
            format!(
                "environment `{}` was not applied to the end yet",
                record.environment
            ),
            "gw up",
        ));
    }
    let task = session.sink.begin("proof");
    let findings = session.prove(&record, Duration::ZERO).await;
    task.unchanged("");
    session.keep_proof(&findings)?;
    match session.is_json() {
        true => {
            let document =
                Document::new("test", &record.environment).set("baseUrl", record.base_url.clone());
            session.write(&document.findings(&findings).text());
        }
        false => session.write(&human::proof(&findings, session.out)),
    }
    Ok(has_failed(&findings).then_some(Exit::NotProved))
}
