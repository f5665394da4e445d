//! `gw debug`: what is wrong, why, and what repairs it.

use super::credentials::credential;
use super::session::Session;
use super::{Outcome, bundle, keys, repair};
use crate::apply::record::Record;
use crate::cli::Debug;
use crate::diagnose::applied::Applied;
use crate::diagnose::diagnose;
use crate::diagnose::fold::Diagnosis;
use crate::diagnose::gather::{Scene, gather};
use crate::diagnose::snapshot::Snapshot;
use crate::error::Exit;
use crate::report::debug;
use crate::report::document::Document;
use crate::secret::vault::Vault;
use crate::target::embedded::Embedded;

/// Lines of each log: enough for what a person did in the last minutes.
const LINES: i64 = 400;

pub async fn run(session: &Session, options: &Debug) -> Outcome {
    if let Some(code) = &options.fix {
        return repair::run(session, code, options).await;
    }
    let record = session.record()?;
    let vault = session.keys(&record).await;
    let task = session.sink.begin("look");
    let snapshot = session.look(&record, &vault, !options.no_probe).await;
    let diagnosis = diagnose(&snapshot);
    task.unchanged("");
    if let Some(file) = &options.bundle {
        return bundle::write(session, file, &snapshot, &diagnosis);
    }
    answer(session, &snapshot, &diagnosis);
    Ok(diagnosis.has_failed().then_some(Exit::Failed))
}

impl Session {
    /// The keys of an environment as far as they are at hand; none is no failure.
    pub async fn keys(&self, record: &Record) -> Vault {
        let Ok(profile) = self.profile(record).await else {
            return Vault::default();
        };
        match keys::gather(&profile, &keys::settings(), &self.environment()).await {
            Ok(keys) => keys.vault,
            // A caller's key that is missing is no reason to tell a provider's.
            Err(_) => keys::at_hand(&profile, true).await,
        }
    }

    /// The keys that providers were given, as far as nobody has to type them (`keys::at_hand`).
    pub async fn given(&self, record: &Record, programs: bool) -> Vault {
        match self.profile(record).await {
            Ok(profile) => keys::at_hand(&profile, programs).await,
            Err(_) => Vault::default(),
        }
    }

    /// One look at everything.
    pub async fn look(&self, record: &Record, vault: &Vault, probes: bool) -> Snapshot {
        let paths = self.environment();
        let applied = Applied::load(&paths);
        let mut routes = Vec::new();
        for route in record.planned_routes() {
            let credential = credential(&paths, &route).await;
            routes.push((route, credential));
        }
        let embedded = Embedded::new(&self.paths, &record.environment, record.port);
        let scene = Scene {
            paths: &paths,
            record,
            applied: applied.as_ref(),
            routes,
            vault,
            embedded: (record.target == "embedded").then_some(&embedded),
            probes,
            lines: LINES,
        };
        gather(&scene).await
    }
}

pub fn answer(session: &Session, snapshot: &Snapshot, diagnosis: &Diagnosis) {
    if session.is_json() {
        let findings = diagnosis.findings.iter().map(|finding| {
            let mut value = serde_json::to_value(finding).unwrap_or_default();
            value["next"] = session.complete(&debug::next(finding)).into();
            value
        });
        let findings: Vec<serde_json::Value> = findings.collect();
        let skipped = serde_json::to_value(&diagnosis.skipped).unwrap_or_default();
        let document = Document::new("debug", &snapshot.environment)
            .set("target", snapshot.target.clone())
            .set("findings", findings)
            .set("passed", diagnosis.passed)
            .set("skipped", skipped);
        let document = if diagnosis.has_failed() {
            document.exit(Exit::Failed)
        } else {
            document
        };
        return session.write(&document.text());
    }
    let complete = |next: &str| session.complete(next);
    session.write(&debug::findings(diagnosis, &complete, session.out));
}
