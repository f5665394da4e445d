//! `gw up`: plan, apply, prove.

use super::ask;
use super::asked::Asked;
use super::made::{self, Made, kept, make_keys, show_keys, to_show};
use super::prove::{MAX_COST, Proof, has_failed};
use super::reports::Reports;
use super::session::Session;
use super::wish::{Wanted, keep_source};
use super::{Outcome, lock};
use crate::apply::ledger::Ledger;
use crate::apply::perform::{Done, Run, check_support, nothing_to_change, perform, prune};
use crate::apply::record::{Record, now};
use crate::cli::{TargetName, Up, Wish};
use crate::cluster::access::Theirs;
use crate::diagnose::applied::Applied;
use crate::error::{Error, Exit, Result};
use crate::host::paths::EnvironmentPaths;
use crate::host::port::next_free;
use crate::plan::Plan;
use crate::plan::outcome::Wire;
use crate::report::document::Document;
use crate::report::proof::Report;
use crate::report::{human, progress};
use crate::secret::vault::Vault;
use crate::supply::bundle::open;
use crate::target::Target;
use crate::target::choose::Choice;
use crate::verify::check::{Finding, Verdict};
use crate::verify::choose::Choice as Cases;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the gateway may take to know routes that it has just been given.
const SETTLE: Duration = Duration::from_secs(10);

pub async fn run(session: &Session, options: &Up) -> Outcome {
    let _lock = session.lock("up").await?;
    under_lock(session, options).await
}

/// The same for who holds the environment's lock.
pub async fn under_lock(session: &Session, options: &Up) -> Outcome {
    let result = apply(session, options).await;
    if result.is_err() {
        leave_no_trace(&session.environment());
    }
    result
}

/// A run that made nothing leaves no environment behind: a later command would find one.
fn leave_no_trace(paths: &EnvironmentPaths) {
    let files = [
        paths.lock(),
        paths.record(),
        paths.ledger(),
        paths.profile(),
    ];
    let is_known = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| files.contains(&entry.path()))
    };
    let only_these = std::fs::read_dir(paths.folder()).is_ok_and(|mut all| all.all(is_known));
    if only_these && Ledger::peek(&paths.ledger()).is_empty() {
        // What can't be removed is no reason to hide why the run failed.
        let _ = std::fs::remove_dir_all(paths.folder());
    }
}

async fn apply(session: &Session, options: &Up) -> Outcome {
    let start = Instant::now();
    let wish = bundled(session, options).await?;
    let wanted = session.plan(&wish).await?;
    make_true(session, options, &wanted, start).await
}

/// Applies what is wanted and proves it, under the environment's lock.
pub async fn make_true(
    session: &Session,
    options: &Up,
    wanted: &Wanted,
    start: Instant,
) -> Outcome {
    let result = made_true(session, options, wanted, start).await;
    if result.is_err() {
        leave_no_trace(&session.environment());
    }
    result
}

async fn made_true(session: &Session, options: &Up, wanted: &Wanted, start: Instant) -> Outcome {
    let paths = session.environment();
    let reports = Reports::of(&options.report, "up")?;
    let plan = &wanted.plan;
    let cluster = plan
        .cluster()
        .map(|cluster| format!("kind-{}", cluster.name));
    let context = Some(&plan.context).filter(|context| !context.is_empty());
    let cluster = cluster.as_ref().or(context).map(String::as_str);
    let _cluster_lock = session.cluster_lock(cluster, "up").await?;
    if options.locked {
        lock::check(plan).await?;
    }
    let before = session.bound()?;
    alone_in_its_cluster(session, plan)?;
    match &before {
        Some(before) => same_place(before, plan)?,
        None if wanted.choice.reason.is_empty() => {}
        None => session
            .sink
            .note(format!("target {}: {}", plan.place(), wanted.choice.reason)),
    }
    for note in &plan.notes {
        session.sink.note(note.clone());
    }
    let mut record = recorded(plan, &wanted.choice);
    ask::permission(session, options, &wanted.choice, before.as_ref()).await?;
    let target = session.target(&record);
    check_support(plan, target.as_ref())?;
    let ledger = Ledger::open(&paths.ledger())?;
    let others = target.others(plan, &ledger).await?;
    record.adopted = before
        .as_ref()
        .map(|b| b.adopted.clone())
        .unwrap_or_default();
    ask::adoption(session, options, &others, &mut record).await?;
    let mut plan = wanted.plan.clone();
    plan.adopt(&others);
    let plan = &plan;
    record.system.clone_from(&plan.system);
    let target = session.target(&record);
    if let Some(before) = before {
        // Whoever looks for what is wrong while this fails needs to know where it was.
        record.base_url = before.base_url;
        (record.wires, record.upgraded) = (before.wires, before.upgraded);
    }
    record.source = keep_source(session, wanted)?;
    record.port_flag = wanted.port_flag;
    record.expiries = wanted.vault.expiries();
    record.save(&paths)?;
    Applied::of(plan).save(&paths)?;
    let mut vault = wanted.vault.clone();
    let made = make_keys(session, &wanted.to_make, &mut vault)?;

    let work = Work {
        session,
        plan,
        target: target.as_ref(),
        ledger,
        patience: Duration::from_secs(options.timeout),
        force: options.force,
        vault: &vault,
        whole: !reports.is_empty(),
    };
    let (done, proof) = match work.apply_and_prove(&mut record).await {
        Ok(proved) => proved,
        Err(error) => {
            show_keys(session, &made);
            return Err(made
                .iter()
                .fold(error, |error, key| error.fact(kept(session, key))));
        }
    };
    record.applied_at = now();
    record.save(&paths)?;
    let findings = &proof.findings;
    session.keep_proof(findings)?;
    session.annotate(findings);
    let report = Report {
        environment: &record.environment,
        base: &record.base_url,
        findings,
        cost: proof.cost,
        cap: MAX_COST,
        others: &proof.others,
        took: start.elapsed(),
    };
    let saved = reports.save(&report, session.plain());
    session.summarize(&report);
    answer(
        session,
        &record,
        target.as_ref(),
        &done,
        findings,
        start.elapsed(),
        &made,
    );
    show_keys(session, &made);
    match has_failed(findings) {
        true => Ok(Some(Exit::NotProved)),
        // The gateway stands, and who waits for the report must know that there is none.
        false => saved.map(|()| None),
    }
}

/// With a bundle, everything comes from it: the profile and the target too where none is named and none
/// was applied.
pub async fn bundled(session: &Session, options: &Up) -> Result<Wish> {
    let mut wish = options.wish.clone();
    let Some(file) = &options.from.bundle else {
        return Ok(wish);
    };
    let task = session.sink.begin(open::PHASE);
    let opened = session.supply.open(file, &session.sink).await?;
    task.done(format!(
        "{}, profile {}",
        file.display(),
        opened.manifest.profile
    ));
    if session.bound()?.is_none() {
        if wish.profile.is_none() {
            wish.profile = Some(opened.profile().to_string_lossy().into_owned());
        }
        // Whoever packed a node wants a cluster, whatever the profile would take elsewhere.
        if wish.target.is_none() && wish.context.is_none() && opened.manifest.node().is_some() {
            wish.target = Some(TargetName::Kind);
        }
    }
    Ok(wish)
}

/// What an environment of this plan is, with the way to its place, as later commands have to find it.
pub fn recorded(plan: &Plan, choice: &Choice) -> Record {
    let mut record = Record::new(plan);
    record.local = choice.locality.is_local();
    let context = choice.place.context();
    record.access = context.map(|context| Theirs::find(context, &choice.server));
    record
}

struct Work<'a> {
    session: &'a Session,
    plan: &'a Plan,
    target: &'a dyn Target,
    ledger: Ledger,
    patience: Duration,
    force: bool,
    vault: &'a Vault,
    /// Whether everything is proved, also where nothing has changed.
    whole: bool,
}

impl Work<'_> {
    /// What an earlier run proved about the way to this machine is taken on trust first; when the
    /// routes' own proof fails, it is looked for afresh.
    async fn apply_and_prove(&self, record: &mut Record) -> Result<(Vec<Done>, Proof)> {
        let trusted = record.wires.clone();
        let (done, proof) = self.once(record).await?;
        let on_cluster = self.plan.is_on_cluster();
        let lost = |finding: &Finding| finding.verdict == Verdict::Fail && finding.route.is_some();
        if on_cluster
            && proof.findings.iter().any(lost)
            && !trusted.is_empty()
            && record.wires == trusted
        {
            record.wires.clear();
            self.session.begin_anew();
            return self.once(record).await;
        }
        Ok((done, proof))
    }

    async fn once(&self, record: &mut Record) -> Result<(Vec<Done>, Proof)> {
        let wires: Mutex<BTreeMap<String, Wire>> = Mutex::new(std::mem::take(&mut record.wires));
        let run = Run {
            ledger: &self.ledger,
            sink: &self.session.sink,
            wires: &wires,
            patience: self.patience,
            force: self.force,
            vault: self.vault,
        };
        let proved = self.session.is_proved()?;
        let done = perform(self.plan, self.target, &run).await;
        if done.is_err() {
            // What was proved until then stands in objects already. The failure itself is what is told.
            let proved = wires.lock().unwrap_or_else(PoisonError::into_inner);
            record.wires.clone_from(&proved);
            let _ = record.save(&self.session.environment());
        }
        let done = done?;
        prune(self.plan, self.target, &run).await?;
        record.base_url = self.target.endpoint().await?;
        record.wires = wires.into_inner().unwrap_or_else(PoisonError::into_inner);
        record.save(&self.session.environment())?;
        // Where nothing has changed since the last whole proof, every route's own answer will do.
        let only: &[&str] = match nothing_to_change(&done) {
            Some(_) if proved && !self.whole => &["answer", "object", "own"],
            _ => &[],
        };
        let choice = Cases {
            only: only.iter().map(ToString::to_string).collect(),
            max_cost: MAX_COST,
            ..Cases::default()
        };
        let asked = Asked {
            ledger: Some(&self.ledger),
            keys: Some(self.vault),
            ..Asked::changed(choice, SETTLE)
        };
        Ok((done, self.session.prove_as(record, &asked).await?))
    }
}

/// One cluster, one environment: both would want the same port of its node.
fn alone_in_its_cluster(session: &Session, plan: &Plan) -> Result<()> {
    let Some(cluster) = plan.cluster() else {
        return Ok(());
    };
    match session.neighbour(&Record::new(plan)) {
        None => Ok(()),
        Some(other) => {
            let free = next_free(plan.port).unwrap_or(plan.port);
            let next = format!(
                "gw up --target kind --cluster {}-{} --port {free}",
                cluster.name, plan.environment
            );
            let what = format!(
                "kind cluster {} holds environment `{other}` already",
                cluster.name
            );
            Err(Error::usage(what, next))
        }
    }
}

/// An environment does not move: what it made elsewhere would be forgotten there.
fn same_place(before: &Record, plan: &Plan) -> Result<()> {
    let now = Record::new(plan);
    let context = |record: &Record| {
        let access = record.access.as_ref();
        access
            .map(|access| access.context.clone())
            .unwrap_or_default()
    };
    let parts = [
        ("target", &before.target, &now.target),
        ("cluster", &before.cluster, &now.cluster),
        ("context", &context(before), &plan.context),
        ("gateway", &before.gateway, &now.gateway),
        ("namespace", &before.namespace, &now.namespace),
    ];
    let Some((part, old, new)) = parts.into_iter().find(|(_, old, new)| old != new) else {
        return Ok(());
    };
    let what = format!(
        "environment `{}` has {part} `{old}`, not `{new}`",
        before.environment
    );
    let error = Error::usage(what, format!("gw up --env {}-2", before.environment));
    Err(error
        .fact("an environment does not move: `gw down` takes it back, another can live beside it"))
}

fn answer(
    session: &Session,
    record: &Record,
    target: &dyn Target,
    done: &[Done],
    findings: &[Finding],
    elapsed: Duration,
    made: &[Made],
) {
    if session.is_json() {
        let document = Document::new("up", &record.environment)
            .set("target", target.name())
            .set("profile", record.profile.clone())
            .set("baseUrl", record.base_url.clone())
            .set("seconds", elapsed.as_secs_f64())
            .changes(done)
            .findings(findings);
        let document = match made.is_empty() {
            true => document,
            false => document.set("keys", made::places(session, made)),
        };
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
                    human::ready(&record.base_url, findings, elapsed, |path| {
                        to_show(session, record, path)
                    })
                ));
            }
        }
    }
}
