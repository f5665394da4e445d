//! `gw status`: what is there, and whether it answers now.

use super::session::Session;
use super::{Outcome, watch};
use crate::apply::ledger::Ledger;
use crate::apply::record::Record;
use crate::cli::Status as Options;
use crate::diagnose::diagnose;
use crate::diagnose::finding::Severity;
use crate::diagnose::fold::Diagnosis;
use crate::diagnose::snapshot::Snapshot;
use crate::error::Exit;
use crate::plan::own::SURVEYED;
use crate::plan::survey::{Condition, ObjectState, Survey};
use crate::plan::thing::Thing;
use crate::report::document::Document;
use crate::report::status::{self, Proof};
use crate::secret::vault::Vault;
use crate::target::Target;
use crate::verify::check::{Check, Finding, Verdict};
use crate::verify::gateway::{Answers, ID};
use serde_json::json;
use std::time::Duration;

/// A person looks at a status while something is wrong: it must not hang with it.
const DEADLINE: Duration = Duration::from_secs(15);

pub async fn run(session: &Session, options: &Options) -> Outcome {
    let record = session.record()?;
    if options.watch {
        return watch::run(session, &record).await;
    }
    let seen = session.see(&record).await;
    let good = seen.is_good();
    if session.is_json() {
        session.write(&document(session, &record, &seen).text());
    } else {
        session.write(&seen.screen(session, &record));
        if !good {
            let next = session.complete(&seen.next());
            session.write(&format!("  {} {next}\n", session.out.arrow()));
        }
    }
    Ok((!good).then_some(Exit::Failed))
}

/// All that a status shows.
pub struct Seen {
    target: String,
    survey: Survey,
    answers: Finding,
    proof: Option<Proof>,
    snapshot: Snapshot,
    diagnosis: Diagnosis,
}

impl Seen {
    pub fn is_good(&self) -> bool {
        status::is_whole(&self.survey)
            && self.answers.verdict == Verdict::Pass
            && !self.diagnosis.has_failed()
    }

    pub fn screen(&self, session: &Session, record: &Record) -> String {
        let screen = status::Screen {
            record,
            survey: &self.survey,
            answers: &self.answers,
            proof: self.proof.as_ref(),
            snapshot: &self.snapshot,
            diagnosis: &self.diagnosis,
            wide: session.is_wide(),
        };
        screen.text(session.out)
    }

    /// What is wrong, as one screen has room for.
    pub fn wrong(&self) -> Vec<(Verdict, String)> {
        let mut wrong = Vec::new();
        if !self.survey.alive {
            let text = format!("{}: {}", self.target, self.survey.detail);
            wrong.push((Verdict::Fail, text));
        }
        wrong.extend(self.diagnosis.findings.iter().map(|finding| {
            let verdict = match finding.severity {
                Severity::Fail => Verdict::Fail,
                Severity::Warn => Verdict::Warn,
            };
            let found = &finding.found;
            let text = format!("{} {}: {}", finding.code, found.title, found.cause);
            (verdict, text)
        }));
        if wrong.is_empty() && !self.is_good() {
            let text = "not everything is as it should be: gw status tells more";
            wrong.push((Verdict::Warn, text.to_string()));
        }
        wrong
    }

    fn next(&self) -> String {
        match self
            .diagnosis
            .findings
            .first()
            .filter(|_| self.snapshot.ended.is_empty())
        {
            Some(_) => "gw debug".to_string(),
            None => "gw up".to_string(),
        }
    }
}

/// What of all the last proof was asked for; null where it was all.
fn part(proof: Option<&status::Proof>) -> Option<&str> {
    let part = proof.map(|proof| proof.part.as_str());
    part.filter(|part| !part.is_empty())
}

fn document(session: &Session, record: &Record, seen: &Seen) -> Document {
    let document = Document::new("status", &record.environment)
        .set("target", seen.target.clone())
        .set("profile", record.profile.clone())
        .set("baseUrl", record.base_url.clone())
        .set("appliedAt", record.applied_at)
        .set("keyExpiries", json!(record.expiries))
        .set("lastProofAt", seen.proof.as_ref().map(|proof| proof.at))
        .set("lastProofOf", part(seen.proof.as_ref()))
        .survey(&seen.survey);
    let kept = seen.proof.iter().flat_map(|proof| proof.findings.clone());
    // What was asked just now stands there already.
    let kept = kept.filter(|finding| finding.id != ID);
    let findings: Vec<Finding> = std::iter::once(seen.answers.clone()).chain(kept).collect();
    let diagnosis = seen.diagnosis.findings.iter().map(|finding| {
        let next = session.complete(&crate::report::debug::next(finding));
        json!({"code": finding.code, "severity": finding.severity, "title": finding.found.title, "cause": finding.found.cause, "next": next})
    });
    let document = document
        .set(
            "findings",
            serde_json::to_value(&findings).unwrap_or_default(),
        )
        .set("diagnosis", diagnosis.collect::<Vec<_>>())
        .set(
            "drift",
            serde_json::to_value(&seen.snapshot.drift).unwrap_or_default(),
        );
    if seen.is_good() {
        document
    } else {
        document.exit(Exit::Failed)
    }
}

impl Session {
    /// One look at what is there, all sides at once; nothing is spent.
    pub async fn see(&self, record: &Record) -> Seen {
        let target = self.target(record);
        let check = Answers {
            base: record.base_url.clone(),
        };
        let vault = Vault::default();
        let (survey, answers, snapshot) = tokio::join!(
            survey(target.as_ref(), record),
            answers(&check),
            self.look(record, &vault, false)
        );
        let mut survey = survey;
        if survey.alive {
            survey.objects.extend(self.missing(record, &survey));
        }
        let diagnosis = diagnose(&snapshot);
        Seen {
            target: target.name(),
            survey,
            answers,
            proof: self.last_proof(),
            snapshot,
            diagnosis,
        }
    }

    /// Objects that we made and that are not there any more.
    ///
    /// Other kinds than a gateway's, and other namespaces, hold only what a person brought, and are
    /// not looked at.
    fn missing(&self, record: &Record, survey: &Survey) -> Vec<ObjectState> {
        let things = Ledger::peek(&self.environment().ledger());
        let missing = |thing: Thing| match thing {
            Thing::Object {
                kind,
                name,
                namespace,
                ..
            } if SURVEYED.contains(&kind.as_str()) && namespace == record.namespace => {
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
async fn survey(target: &dyn Target, record: &Record) -> Survey {
    let look = tokio::time::timeout(DEADLINE, target.survey());
    match look.await {
        Ok(Ok(survey)) => survey,
        // What never came to be has nothing to say of why it does not answer.
        Ok(Err(_)) if record.base_url.is_empty() => {
            nothing("gw up has not come to its end here yet".to_string())
        }
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
