//! `gw debug --fix`: each change shown, asked for, made, and proved with traffic.

use super::Outcome;
use super::debug::answer;
use super::prove::has_failed;
use super::session::Session;
use crate::apply::ledger::Ledger;
use crate::apply::perform::Run;
use crate::apply::record::{Record, now};
use crate::cli::Debug;
use crate::diagnose::applied::Applied;
use crate::diagnose::diagnose;
use crate::diagnose::finding::{Change, Fix};
use crate::diagnose::fix::memory::{self, Memory};
use crate::diagnose::fix::perform::Work;
use crate::diagnose::fix::show::diff;
use crate::diagnose::fold::{Diagnosis, Finding};
use crate::diagnose::rule;
use crate::error::{Error, Exit, Result};
use crate::report::document::Document;
use crate::report::{debug, human};
use crate::secret::vault::Vault;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the gateway may take to know what it has just been given.
const SETTLE: Duration = Duration::from_secs(15);
/// Between two proofs: the proxy has no way to announce that it is up to date.
const PAUSE: Duration = Duration::from_millis(300);

pub async fn run(session: &Session, code: &str, options: &Debug) -> Outcome {
    if !code.is_empty() && rule::named(code).is_none() {
        return Err(Error::usage(
            format!("there is no rule {code}"),
            "gw explain",
        ));
    }
    let (_lock, mut record) = session.locked("debug --fix").await?;
    let paths = session.environment();
    let vault = session.keys(&record).await;
    let task = session.sink.begin("look");
    let snapshot = session.look(&record, &vault, !options.no_probe).await;
    let diagnosis = diagnose(&snapshot);
    task.unchanged("");
    let chosen = chosen(&diagnosis, code);
    if chosen.is_empty() {
        return nothing(&diagnosis, code, || answer(session, &snapshot, &diagnosis));
    }
    let applied = Applied::load(&paths);
    let mut agreed: Vec<(&Finding, &Change)> = Vec::new();
    for (finding, change) in chosen {
        let lines = diff(change, &snapshot, applied.as_ref());
        if !session.is_json() {
            let text = format!(
                "{} {}\n{}",
                session.out.bold(finding.code),
                finding.found.title,
                debug::diff(&lines, session.out)
            );
            session.write(&text);
        }
        if options.yes || confirmed(session, code).await? {
            agreed.push((finding, change));
        }
    }
    if agreed.is_empty() {
        return Err(Error::new("nothing was changed", "gw debug"));
    }
    let ledger = Ledger::open(&paths.ledger())?;
    let wires = Mutex::new(record.wires.clone());
    let target = session.target(&record);
    let run = Run {
        ledger: &ledger,
        sink: &session.sink,
        wires: &wires,
        patience: Duration::from_secs(options.timeout),
        force: true,
        vault: &vault,
    };
    let mut memory = Memory::load(&paths)?;
    memory.runs.push(memory::Run {
        at: now(),
        ..memory::Run::default()
    });
    for (finding, change) in &agreed {
        let task = session.sink.begin("fix");
        let waiting = |reason: String| task.waiting(reason);
        let work = Work {
            paths: &paths,
            record: &record,
            applied: applied.as_ref(),
            target: target.as_ref(),
            context: run.context(&waiting),
        };
        if let Some(run) = memory.runs.last_mut() {
            run.codes.push(finding.code.to_string());
        }
        let done = work.perform(change, &mut memory).await;
        // A way that was proved before a change failed, or before somebody ended it, is the way all the same.
        let proved = wires.lock().unwrap_or_else(PoisonError::into_inner).clone();
        record.wires = proved;
        let saved = record.save(&paths);
        done?;
        saved?;
        task.done(debug::change(change));
    }
    proved(session, &record, &vault, &agreed).await
}

/// Findings that can be repaired here, causes first; no change twice.
fn chosen<'a>(diagnosis: &'a Diagnosis, code: &str) -> Vec<(&'a Finding, &'a Change)> {
    let mut chosen: Vec<(&Finding, &Change)> = Vec::new();
    for finding in &diagnosis.findings {
        let wanted = code.is_empty() || finding.code.eq_ignore_ascii_case(code);
        let Fix::Change(change) = &finding.found.fix else {
            continue;
        };
        if wanted && chosen.iter().all(|(_, known)| *known != change) {
            chosen.push((finding, change));
        }
    }
    chosen
}

/// Nothing to repair by itself: either nothing is wrong, or only a person can do it.
fn nothing(diagnosis: &Diagnosis, code: &str, show: impl Fn()) -> Outcome {
    let wanted = |finding: &&Finding| code.is_empty() || finding.code.eq_ignore_ascii_case(code);
    let by_hand = diagnosis.findings.iter().find(wanted);
    let Some(finding) = by_hand else {
        show();
        return Ok(diagnosis.has_failed().then_some(Exit::Failed));
    };
    let what = format!("{} has no repair that gw may do by itself", finding.code);
    Err(Error::new(what, debug::next(finding)).fact(finding.found.cause.clone()))
}

async fn confirmed(session: &Session, code: &str) -> Result<bool> {
    match session.ask("Change it?").await {
        Some(answer) => Ok(answer),
        None => {
            let next = format!("gw debug --fix {code} --yes").replace("  ", " ");
            Err(Error::usage(
                "nobody can be asked here whether to change it",
                next,
            ))
        }
    }
}

async fn proved(
    session: &Session,
    record: &Record,
    vault: &Vault,
    done: &[(&Finding, &Change)],
) -> Outcome {
    let task = session.sink.begin("proof");
    // What was changed reaches the proxy in its own time, and until then it answers as before.
    let start = Instant::now();
    let mut findings = session.prove(record, SETTLE, Some(vault)).await;
    while has_failed(&findings) && start.elapsed() < SETTLE {
        tokio::time::sleep(PAUSE).await;
        // Each look has a cap of its own: what could not be paid for again would count as not repaired.
        session.begin_anew();
        findings = session.prove(record, SETTLE, Some(vault)).await;
    }
    task.unchanged("");
    session.keep_proof(&findings)?;
    let failed = has_failed(&findings);
    if session.is_json() {
        let changes: Vec<Value> =
            done.iter().map(|(finding, change)| json!({"code": finding.code, "change": change, "detail": debug::change(change)})).collect();
        let document = Document::new("debug", &record.environment)
            .set("fixed", changes)
            .findings(&findings);
        session.write(&document.text());
    } else {
        session.write(&format!("\n{}", human::proof(&findings, session.out)));
        let undo = session.complete("gw undo");
        session.write(&format!("\n{undo} takes it back\n"));
    }
    Ok(failed.then_some(Exit::NotProved))
}
