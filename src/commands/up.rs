//! `gw up`: plan, apply, prove.

use super::Outcome;
use super::prove::{has_failed, prove};
use super::session::Session;
use super::wish::Wanted;
use crate::apply::ledger::Ledger;
use crate::apply::lock::Lock;
use crate::apply::perform::{Done, Run, check_support, nothing_to_change, perform, prune};
use crate::apply::record::{Record, now};
use crate::cli::Up;
use crate::error::{Error, Exit, Result};
use crate::plan::Plan;
use crate::plan::outcome::Wire;
use crate::report::document::Document;
use crate::report::{human, progress};
use crate::target::Target;
use crate::verify::check::Finding;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the gateway may take to know routes that it has just been given.
const SETTLE: Duration = Duration::from_secs(10);

pub async fn run(session: &Session, options: &Up) -> Outcome {
    let start = Instant::now();
    let paths = session.environment();
    let _lock = Lock::take(&paths.lock(), "up", |text| session.sink.note(text)).await?;
    let Wanted { plan, reason } = session.plan(&options.wish).await?;
    let before = Record::load(&paths);
    if let Some(before) = &before {
        same_place(before, &plan)?;
    } else {
        session
            .sink
            .note(format!("target {}: {reason}", plan.target.name()));
    }
    for note in &plan.notes {
        session.sink.note(note.clone());
    }
    let mut record = Record::new(&plan);
    let target = session.target(&record);
    check_support(&plan, target.as_ref())?;
    record.wires = before.map(|before| before.wires).unwrap_or_default();
    record.save(&paths)?;

    let work = Work {
        session,
        plan: &plan,
        target: target.as_ref(),
        ledger: Ledger::open(&paths.ledger())?,
        patience: Duration::from_secs(options.timeout),
    };
    let (done, findings) = work.apply_and_prove(&mut record).await?;
    record.applied_at = now();
    record.save(&paths)?;
    session.keep_proof(&findings)?;
    answer(
        session,
        &record,
        target.as_ref(),
        &done,
        &findings,
        start.elapsed(),
    );
    Ok(has_failed(&findings).then_some(Exit::NotProved))
}

struct Work<'a> {
    session: &'a Session,
    plan: &'a Plan,
    target: &'a dyn Target,
    ledger: Ledger,
    patience: Duration,
}

impl Work<'_> {
    /// What an earlier run proved about the way to this machine is taken on trust first; when the
    /// routes' own proof fails, it is looked for afresh.
    async fn apply_and_prove(&self, record: &mut Record) -> Result<(Vec<Done>, Vec<Finding>)> {
        let trusted = record.wires.clone();
        let (done, findings) = self.once(record).await?;
        if has_failed(&findings) && !trusted.is_empty() && record.wires == trusted {
            record.wires.clear();
            return self.once(record).await;
        }
        Ok((done, findings))
    }

    async fn once(&self, record: &mut Record) -> Result<(Vec<Done>, Vec<Finding>)> {
        let wires: Mutex<BTreeMap<String, Wire>> = Mutex::new(std::mem::take(&mut record.wires));
        let run = Run {
            ledger: &self.ledger,
            sink: &self.session.sink,
            wires: &wires,
            patience: self.patience,
        };
        let done = perform(self.plan, self.target, &run).await?;
        prune(self.plan, self.target, &run).await?;
        record.base_url = self.target.endpoint().await?;
        record.wires = wires.into_inner().unwrap_or_else(PoisonError::into_inner);
        record.save(&self.session.environment())?;
        let task = self.session.sink.begin("proof");
        let findings = prove(record, SETTLE).await;
        task.unchanged("");
        Ok((done, findings))
    }
}

/// An environment does not move: what it made elsewhere would be forgotten there.
fn same_place(before: &Record, plan: &Plan) -> Result<()> {
    let cluster = plan
        .cluster()
        .map(|cluster| cluster.name.as_str())
        .unwrap_or_default();
    if before.target == plan.target.name() && before.cluster == cluster {
        return Ok(());
    }
    let place = |target: &str, cluster: &str| {
        if cluster.is_empty() {
            target.to_string()
        } else {
            format!("{target}/{cluster}")
        }
    };
    let (old, new) = (
        place(&before.target, &before.cluster),
        place(plan.target.name(), cluster),
    );
    let what = format!(
        "environment `{}` is on {old}, not on {new}",
        before.environment
    );
    let error = Error::usage(
        what,
        format!(
            "gw up --env {}-2 --target {}",
            before.environment,
            plan.target.name()
        ),
    );
    Err(error.fact(format!(
        "`gw down --env {}` would take it back first",
        before.environment
    )))
}

fn answer(
    session: &Session,
    record: &Record,
    target: &dyn Target,
    done: &[Done],
    findings: &[Finding],
    elapsed: Duration,
) {
    if session.is_json() {
        let document = Document::new("up", &record.environment)
            .set("target", target.name())
            .set("profile", record.profile.clone())
            .set("baseUrl", record.base_url.clone())
            .set("seconds", elapsed.as_secs_f64())
            .changes(done)
            .findings(findings);
        return session.write(&document.text());
    }
    let failed = has_failed(findings);
    match nothing_to_change(done) {
        Some(text) if !failed => {
            let line = format!("{} {text}", session.out.good());
            session.write(&format!("{}\n", progress::timed(&line, elapsed)));
            session.write(&format!("{}\n", human::proved_again(findings, session.out)));
            session.write(&format!("\n{} is ready.\n", record.base_url));
        }
        _ => {
            session.write(&format!("\n{}", human::proof(findings, session.out)));
            if !failed {
                session.write(&format!(
                    "\n{}",
                    human::ready(&record.base_url, findings, elapsed)
                ));
            }
        }
    }
}
