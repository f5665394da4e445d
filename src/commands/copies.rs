//! Copies of routes for the moment of a proof: in the ledger before they are made, taken away in any
//! case; what a killed run has left is taken away by the next.

use super::prove::Run;
use super::session::Session;
use crate::apply::ledger::Ledger;
use crate::apply::lock::Lock;
use crate::apply::perform;
use crate::apply::record::Record;
use crate::error::Result;
use crate::event::Sink;
use crate::plan::outcome::{Journal, Undone};
use crate::plan::thing::Thing;
use crate::plan::{Action, PROOF_PREFIX, Phase, Step};
use crate::secret::vault::Vault;
use crate::target::Target;
use crate::verify::case::Case;
use crate::verify::check::{Check, Finding};
use crate::verify::derive::Copy;
use crate::verify::runner;
use futures::future::join_all;
use serde_json::Value;
use std::sync::Mutex;
use std::time::Duration;

/// How long making or taking away one object may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a gateway may take to know a copy that it has just been given: a controller that has only
/// just begun waits for the lease of the one before it, 15 s and more.
pub const SETTLE: Duration = Duration::from_secs(40);
/// An interrupted command does not hold its user up longer.
const LAST: Duration = Duration::from_secs(8);

/// Asks the cases that go through copies: first those with large limits, then those with small ones.
/// `before`: what was found of the gateway itself.
pub async fn prove(
    run: &Run<'_>,
    cases: &[Case],
    copies: &[Copy],
    ledger: Option<&Ledger>,
    before: &[Finding],
) -> Result<Vec<Finding>> {
    let session = run.session;
    let paths = session.environment();
    let opened;
    let mut lock = None;
    let ledger = match ledger {
        Some(ledger) => ledger,
        // A command that changes something holds the lock already.
        None => {
            if !Lock::is_ours(&paths.lock()) {
                lock = Some(session.lock("test").await?);
            }
            opened = Ledger::open(&paths.ledger())?;
            &opened
        }
    };
    let work = Work {
        target: run.target,
        ledger,
        sink: &session.sink,
    };
    work.sweep().await?;
    let made = join_all(copies.iter().map(|copy| work.make(copy))).await;
    let mut findings = Vec::new();
    let mut wide: Vec<Box<dyn Check>> = Vec::new();
    let mut small: Vec<Box<dyn Check>> = Vec::new();
    for (copy, made) in copies.iter().zip(made) {
        for case in cases
            .iter()
            .filter(|case| case.copy.as_ref() == Some(&copy.name))
        {
            match (&made, run.limit(case, copy)) {
                (Ok(()), Some(limit)) => small.push(limit),
                (Ok(()), None) => wide.push(run.check(case, SETTLE)),
                (Err(error), _) => {
                    let claim = run.check(case, SETTLE).claim();
                    let what = format!("a copy of the route can't be made: {}", error.what);
                    let finding = Finding::fail(&claim, what, &error.next);
                    let facts = error.facts.iter();
                    findings.push(facts.fold(finding, |f, fact| f.fact("answered", fact)));
                }
            }
        }
    }
    for checks in [wide, small] {
        findings.extend(runner::run(&checks, before, &|_| {}).await);
    }
    work.sweep().await?;
    drop(lock);
    Ok(findings)
}

struct Work<'a> {
    target: &'a dyn Target,
    ledger: &'a Ledger,
    sink: &'a Sink,
}

impl Work<'_> {
    /// Policies first: before the route is there nobody comes by.
    async fn make(&self, copy: &Copy) -> Result<()> {
        for object in &copy.objects {
            self.apply(object).await?;
        }
        Ok(())
    }

    async fn apply(&self, object: &Value) -> Result<()> {
        let step = Step {
            id: "proof".to_string(),
            phase: Phase::Objects,
            needs: Vec::new(),
            action: Action::Object(object.clone()),
        };
        let (wires, vault) = (Mutex::default(), Vault::default());
        let run = self.run(&wires, &vault);
        self.target.perform(&step, &run.context(&|_| {})).await?;
        Ok(())
    }

    fn run<'a>(
        &'a self,
        wires: &'a Mutex<std::collections::BTreeMap<String, crate::plan::outcome::Wire>>,
        vault: &'a Vault,
    ) -> perform::Run<'a> {
        perform::Run {
            ledger: self.ledger,
            sink: self.sink,
            wires,
            patience: PATIENCE,
            force: false,
            vault,
        }
    }

    /// Takes away every copy that the ledger knows, of this run and of one that was killed.
    async fn sweep(&self) -> Result<()> {
        let left: Vec<Thing> = self.ledger.things().into_iter().filter(is_copy).collect();
        let (wires, vault) = (Mutex::default(), Vault::default());
        let run = self.run(&wires, &vault);
        // Routes go first, so that nobody is let through by what has lost its policy.
        for routes in [true, false] {
            let part = left.iter().filter(|thing| is_route(thing) == routes);
            let gone = part.map(|thing| async {
                let undone = self.target.undo(thing, &run.context(&|_| {})).await?;
                match undone {
                    Undone::Kept(_) => Ok(()),
                    Undone::Removed | Undone::Absent => self.ledger.removed(thing),
                }
            });
            join_all(gone).await.into_iter().collect::<Result<()>>()?;
        }
        Ok(())
    }
}

fn is_copy(thing: &Thing) -> bool {
    matches!(thing, Thing::Object { name, .. } if name.starts_with(PROOF_PREFIX))
}

fn is_route(thing: &Thing) -> bool {
    matches!(thing, Thing::Object { kind, .. } if kind == "HTTPRoute")
}

/// What an interrupted proof has put beside routes goes before the command ends.
pub async fn sweep(session: &Session) {
    let paths = session.environment();
    if !Ledger::peek(&paths.ledger()).iter().any(is_copy) {
        return;
    }
    // Whoever holds the lock is proving: the copies are its own, and it takes them away.
    let Some(_lock) = Lock::take_free(&paths.lock()) else {
        return;
    };
    let Ok(Some(record)) = Record::load(&paths) else {
        return;
    };
    let target = session.target(&record);
    let work = async {
        let ledger = Ledger::open(&paths.ledger())?;
        let work = Work {
            target: target.as_ref(),
            ledger: &ledger,
            sink: &session.sink,
        };
        work.sweep().await
    };
    // What stays is in the ledger: the next run takes it away.
    let _ = tokio::time::timeout(LAST, work).await;
}
