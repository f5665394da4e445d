//! `gw status`: what is there, and whether it answers now.

use super::Outcome;
use super::session::Session;
use crate::apply::ledger::Ledger;
use crate::error::Exit;
use crate::plan::survey::{Condition, ObjectState, Survey};
use crate::plan::thing::Thing;
use crate::report::document::Document;
use crate::report::status;
use crate::target::Target;
use crate::verify::check::{Check, Finding, Verdict};
use crate::verify::gateway::Answers;
use std::time::Duration;

/// A person looks at a status while something is wrong: it must not hang with it.
const DEADLINE: Duration = Duration::from_secs(15);

pub async fn run(session: &Session) -> Outcome {
    let record = session.record()?;
    let target = session.target(&record);
    let check = Answers {
        base: record.base_url.clone(),
    };
    let (survey, answers) = tokio::join!(survey(target.as_ref()), answers(&check));
    let mut survey = survey;
    if survey.alive {
        survey.objects.extend(session.missing(&survey));
    }
    let good = status::is_whole(&survey) && answers.verdict == Verdict::Pass;
    let proof = session.last_proof();
    if session.is_json() {
        let document = Document::new("status", &record.environment)
            .set("target", target.name())
            .set("profile", record.profile.clone())
            .set("baseUrl", record.base_url.clone())
            .set("appliedAt", record.applied_at)
            .set("lastProofAt", proof.as_ref().map(|proof| proof.at))
            .survey(&survey);
        let findings: Vec<Finding> = std::iter::once(answers)
            .chain(proof.into_iter().flat_map(|proof| proof.findings))
            .collect();
        let value = serde_json::to_value(&findings).unwrap_or_default();
        let document = document.set("findings", value);
        let document = if good {
            document
        } else {
            document.exit(Exit::Failed)
        };
        session.write(&document.text());
    } else {
        session.write(&status::screen(
            &record,
            &survey,
            &answers,
            proof.as_ref(),
            session.out,
        ));
        if !good {
            let next = session.complete("gw up");
            session.write(&format!("  {} {next}\n", session.out.arrow()));
        }
    }
    Ok((!good).then_some(Exit::Failed))
}

impl Session {
    /// Objects that we made and that are not there any more.
    fn missing(&self, survey: &Survey) -> Vec<ObjectState> {
        let things = Ledger::peek(&self.environment().ledger());
        let missing = |thing: Thing| match thing {
            Thing::Object { kind, name, .. } if kind != "Namespace" => {
                let there = survey
                    .objects
                    .iter()
                    .any(|o| o.kind == kind && o.name == name);
                let condition = Condition {
                    kind: "Exists".to_string(),
                    status: "False".to_string(),
                    reason: "Deleted".to_string(),
                    message: "gw made it and somebody else has deleted it".to_string(),
                };
                (!there).then(|| ObjectState {
                    kind,
                    name,
                    conditions: vec![condition],
                })
            }
            _ => None,
        };
        things.into_iter().filter_map(missing).collect()
    }
}

/// A place that can't be asked is a fact to be shown, not a reason to show nothing.
async fn survey(target: &dyn Target) -> Survey {
    let look = tokio::time::timeout(DEADLINE, target.survey());
    match look.await {
        Ok(Ok(survey)) => survey,
        Ok(Err(error)) => nothing(error.to_string()),
        Err(_) => nothing("no answer in 15 s".to_string()),
    }
}

fn nothing(detail: String) -> Survey {
    Survey {
        detail,
        ..Survey::default()
    }
}

async fn answers(check: &Answers) -> Finding {
    match check.base.as_str() {
        "" => Finding::fail(
            &check.claim(),
            "nothing was applied to the end yet",
            "gw up",
        ),
        _ => check.run().await,
    }
}
