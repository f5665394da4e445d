//! `gw undo`: what the last `debug --fix` changed, as it was.

use super::Outcome;
use super::session::Session;
use crate::apply::ledger::Ledger;
use crate::apply::perform::Run;
use crate::cli::Undo;
use crate::diagnose::applied::Applied;
use crate::diagnose::fix::memory::{Entry, Memory};
use crate::diagnose::fix::perform::Work;
use crate::diagnose::fix::undo::{Back, undo};
use crate::error::Error;
use crate::report::document::Document;
use crate::secret::vault::Vault;
use crate::text;
use serde_json::json;
use std::sync::Mutex;
use std::time::Duration;

pub async fn run(session: &Session, options: &Undo) -> Outcome {
    let (_lock, mut record) = session.locked("undo").await?;
    let paths = session.environment();
    let mut memory = Memory::load(&paths)?;
    let Some(last) = memory.runs.last().cloned() else {
        return Err(Error::new("no fix is there to be taken back", "gw debug"));
    };
    if !options.yes {
        let things: Vec<String> = last.entries.iter().map(title).collect();
        let question = format!(
            "Take back the fix of {}: {}?",
            text::list(&last.codes),
            text::list(&things)
        );
        match session.ask(&question).await {
            Some(true) => {}
            Some(false) => return Err(Error::new("nothing was changed", "gw undo")),
            None => {
                return Err(Error::usage(
                    "nobody can be asked here whether to take it back",
                    "gw undo --yes",
                ));
            }
        }
    }
    let ledger = Ledger::open(&paths.ledger())?;
    let wires = Mutex::new(record.wires.clone());
    let target = session.target(&record);
    if record.is_on_cluster() {
        let place = target.survey().await?;
        if !place.alive {
            return Err(Error::new("nothing can be taken back now", "gw debug").fact(place.detail));
        }
    }
    let vault = Vault::default();
    let run = Run {
        ledger: &ledger,
        sink: &session.sink,
        wires: &wires,
        patience: Duration::from_secs(options.timeout),
        force: true,
        vault: &vault,
    };
    let applied = Applied::load(&paths);
    let mut said = Vec::new();
    // Backwards, and each is forgotten when it is given back: a second undo goes on where one was ended.
    while let Some(entry) = memory
        .runs
        .last()
        .and_then(|run| run.entries.last())
        .cloned()
    {
        let task = session.sink.begin("undo");
        let waiting = |reason: String| task.waiting(reason);
        let work = Work {
            paths: &paths,
            record: &record,
            applied: applied.as_ref(),
            target: target.as_ref(),
            context: run.context(&waiting),
        };
        let back = undo(&work, &entry).await?;
        task.unchanged("");
        match back {
            Back::Done(text) => said.push((true, text)),
            Back::Left(text) => said.push((false, text)),
            Back::Nothing => {}
            Back::Wires(before) => {
                record.wires = before;
                record.save(&paths)?;
            }
        }
        if let Some(run) = memory.runs.last_mut() {
            run.entries.pop();
        }
        memory.save(&paths)?;
    }
    memory.runs.pop();
    memory.save(&paths)?;
    if session.is_json() {
        let changes: Vec<serde_json::Value> = said
            .iter()
            .map(|(done, text)| json!({"done": done, "detail": text}))
            .collect();
        session.write(
            &Document::new("undo", &record.environment)
                .set("codes", last.codes)
                .set("changes", changes)
                .text(),
        );
    } else {
        let line = |(done, text): &(bool, String)| {
            let mark = if *done {
                session.out.good()
            } else {
                session.out.skipped()
            };
            format!("{mark} {text}\n")
        };
        session.write(&said.iter().map(line).collect::<String>());
    }
    Ok(None)
}

fn title(entry: &Entry) -> String {
    match entry {
        Entry::Object { thing, .. } => thing.title(),
        Entry::Scale { deployment, .. } => format!("the scale of {deployment}"),
        Entry::Process { role } => format!("process {role}"),
        Entry::Wires { .. } => "the ways to services of this machine".to_string(),
    }
}
