//! `gw up`: plan, apply, prove.

use super::prove::has_failed;
use super::session::Session;
use super::wish::Wanted;
use super::{Outcome, lock};
use crate::apply::ledger::Ledger;
use crate::apply::lock::Lock;
use crate::apply::perform::{Done, Run, check_support, nothing_to_change, perform, prune};
use crate::apply::record::{Record, now};
use crate::cli::{Up, Wish};
use crate::diagnose::applied::Applied;
use crate::error::{Error, Exit, Result};
use crate::host::made_key;
use crate::host::port::next_free;
use crate::plan::Plan;
use crate::plan::outcome::Wire;
use crate::plan::policy::owner;
use crate::profile::shipped;
use crate::report::document::Document;
use crate::report::{human, progress};
use crate::secret::Secret;
use crate::secret::vault::Vault;
use crate::supply::bundle::open;
use crate::target::Target;
use crate::verify::check::{Finding, Verdict};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the gateway may take to know routes that it has just been given.
const SETTLE: Duration = Duration::from_secs(10);

pub async fn run(session: &Session, options: &Up) -> Outcome {
    let start = Instant::now();
    let paths = session.environment();
    let _lock = Lock::take(&paths.lock(), "up", |text| session.sink.note(text)).await?;
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
    let paths = session.environment();
    let plan = &wanted.plan;
    let _cluster_lock = match plan.cluster() {
        Some(cluster) => {
            let lock = session.paths.cluster_lock(&cluster.name);
            Some(Lock::take(&lock, "up", |text| session.sink.note(text)).await?)
        }
        None => None,
    };
    if options.locked {
        lock::check(plan).await?;
    }
    let before = session.bound()?;
    alone_in_its_cluster(session, plan)?;
    match &before {
        Some(before) => same_place(before, plan)?,
        None if wanted.reason.is_empty() => {}
        None => session
            .sink
            .note(format!("target {}: {}", plan.target.name(), wanted.reason)),
    }
    for note in &plan.notes {
        session.sink.note(note.clone());
    }
    let mut record = Record::new(plan);
    let target = session.target(&record);
    check_support(plan, target.as_ref())?;
    if let Some(before) = before {
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
        ledger: Ledger::open(&paths.ledger())?,
        patience: Duration::from_secs(options.timeout),
        force: options.force,
        vault: &vault,
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
    show_keys(session, &made);
    Ok(has_failed(&findings).then_some(Exit::NotProved))
}

/// With a bundle, everything comes from it: the profile too where none is named and none was applied.
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
    if wish.profile.is_none() && session.bound()?.is_none() {
        wish.profile = Some(opened.profile().to_string_lossy().into_owned());
    }
    Ok(wish)
}

/// A key for callers that was made in this run: policy, name, and the key.
type Made = (String, String, Secret);

fn make_keys(
    session: &Session,
    to_make: &[(String, String)],
    vault: &mut Vault,
) -> Result<Vec<Made>> {
    let mut made = Vec::new();
    for (policy, name) in to_make {
        let secret = made_key::make(&session.environment(), policy, name)?;
        vault.put(&owner(policy), name, secret.clone());
        made.push((policy.clone(), name.clone(), secret));
    }
    Ok(made)
}

/// The one moment at which a key is shown; in JSON it never is.
fn show_keys(session: &Session, made: &[Made]) {
    if session.is_json() {
        return;
    }
    for (policy, name, secret) in made {
        let file = session.environment().made_key(policy, name);
        session.write(&format!(
            "\nKey of {name}, shown only now and kept in {}:\n  {}\n",
            file.display(),
            secret.expose()
        ));
    }
}

struct Work<'a> {
    session: &'a Session,
    plan: &'a Plan,
    target: &'a dyn Target,
    ledger: Ledger,
    patience: Duration,
    force: bool,
    vault: &'a Vault,
}

impl Work<'_> {
    /// What an earlier run proved about the way to this machine is taken on trust first; when the
    /// routes' own proof fails, it is looked for afresh.
    async fn apply_and_prove(&self, record: &mut Record) -> Result<(Vec<Done>, Vec<Finding>)> {
        let trusted = record.wires.clone();
        let (done, findings) = self.once(record).await?;
        let on_cluster = self.plan.cluster().is_some();
        let lost = |finding: &Finding| finding.verdict == Verdict::Fail && finding.route.is_some();
        if on_cluster && findings.iter().any(lost) && !trusted.is_empty() && record.wires == trusted
        {
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
            force: self.force,
            vault: self.vault,
        };
        let done = perform(self.plan, self.target, &run).await?;
        prune(self.plan, self.target, &run).await?;
        record.base_url = self.target.endpoint().await?;
        record.wires = wires.into_inner().unwrap_or_else(PoisonError::into_inner);
        record.save(&self.session.environment())?;
        let task = self.session.sink.begin("proof");
        let mut findings = self.session.prove(record, SETTLE).await;
        // A provider may repeat the key that it was given.
        for text in findings.iter_mut().flat_map(Finding::texts) {
            *text = self.vault.blot(text);
        }
        task.unchanged("");
        Ok((done, findings))
    }
}

/// A path is kept absolute, a text from standard input as a file: `gw up` works from any folder.
fn keep_source(session: &Session, wanted: &Wanted) -> Result<String> {
    let origin = &wanted.source.origin;
    if shipped::named(origin).is_some() {
        return Ok(origin.clone());
    }
    let kept = session.environment().profile();
    let path = match Path::new(origin).exists() {
        true => std::path::absolute(origin),
        false => std::fs::write(&kept, &wanted.source.text).map(|()| kept.clone()),
    };
    let path = path.map_err(|e| {
        Error::new(format!("{} can't be written", kept.display()), "df -h").because(&e)
    })?;
    Ok(path.to_string_lossy().into_owned())
}

/// One cluster, one environment: both would want the same port of its node.
fn alone_in_its_cluster(session: &Session, plan: &Plan) -> Result<()> {
    let Some(cluster) = plan.cluster() else {
        return Ok(());
    };
    match session.neighbour(&cluster.name) {
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
    let parts = [
        ("target", &before.target, &now.target),
        ("cluster", &before.cluster, &now.cluster),
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
