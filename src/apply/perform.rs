//! Walks a plan wave by wave: steps of one wave side by side, each phase with its line.

use super::ledger::Ledger;
use super::undo::undo_one;
use crate::error::Result;
use crate::event::{Sink, Task};
use crate::plan::outcome::{Change, Context, Outcome, Wire};
use crate::plan::thing::Thing;
use crate::plan::{Action, HostService, Phase, Plan, Step, WITNESS_PREFIX};
use crate::provider::Provider;
use crate::target::{Support, Target};
use crate::text;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// What each step took.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    pub id: String,
    pub phase: Phase,
    pub change: Change,
    pub detail: String,
    pub is_chart: bool,
    pub is_object: bool,
}

/// What a run is given besides plan and target.
pub struct Run<'a> {
    pub ledger: &'a Ledger,
    pub sink: &'a Sink,
    pub wires: &'a Mutex<BTreeMap<String, Wire>>,
    pub patience: Duration,
}

/// Asks the target about the whole plan before anything changes.
pub fn check_support(plan: &Plan, target: &dyn Target) -> Result<()> {
    for step in &plan.steps {
        if let Support::Refuse(error) = target.support(step) {
            return Err(error.fact(format!("step {} of the plan", step.id)));
        }
    }
    Ok(())
}

/// Makes every step true. After a failure the steps of the same wave still end, later waves do not begin.
pub async fn perform(plan: &Plan, target: &dyn Target, run: &Run<'_>) -> Result<Vec<Done>> {
    let mut done: Vec<Done> = Vec::new();
    let mut tasks: BTreeMap<Phase, Task> = BTreeMap::new();
    let waves: std::collections::BTreeSet<u8> = plan.steps.iter().map(|step| step.wave).collect();
    for wave in waves {
        let native = |step: &&Step| step.wave == wave && target.support(step) == Support::Native;
        let steps: Vec<&Step> = plan.steps.iter().filter(native).collect();
        for step in &steps {
            tasks
                .entry(step.phase)
                .or_insert_with(|| run.sink.begin(step.phase.name()));
        }
        let work = steps
            .iter()
            .map(|step| perform_one(step, target, run, tasks.get(&step.phase)));
        let mut failure = None;
        for (step, result) in steps.iter().zip(join_all(work).await) {
            match result {
                Ok(outcome) => done.push(finished(step, outcome)),
                Err(error) => {
                    if let Some(task) = tasks.remove(&step.phase) {
                        task.failed(error.what.clone());
                    }
                    failure = failure.or(Some(error.fact(format!("step {}", step.id))));
                }
            }
        }
        // What the later waves would have added to a phase is not there to be claimed.
        let over = |phase: &Phase| {
            failure.is_some()
                || !plan
                    .steps
                    .iter()
                    .any(|s| s.phase == *phase && s.wave > wave)
        };
        let ended: Vec<Phase> = tasks.keys().copied().filter(over).collect();
        for phase in ended {
            if let Some(task) = tasks.remove(&phase) {
                end(task, phase, &done);
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(done)
}

async fn perform_one(
    step: &Step,
    target: &dyn Target,
    run: &Run<'_>,
    task: Option<&Task>,
) -> Result<Outcome> {
    stop_here(&step.id);
    let changing = |thing: &_| run.ledger.begin(thing);
    let removed = |thing: &_| run.ledger.removed(thing);
    let known = |thing: &_| run.ledger.knows(thing);
    let waiting = |reason: String| {
        if let Some(task) = task {
            task.waiting(reason);
        }
    };
    let context = Context {
        changing: &changing,
        removed: &removed,
        known: &known,
        waiting: &waiting,
        patience: run.patience,
        wires: run.wires,
    };
    let outcome = target.perform(step, &context).await;
    stop_here(&format!("{}:after", step.id));
    outcome
}

/// Tests kill this process at a step of their choice: it stops itself there and waits for the kill.
#[cfg(debug_assertions)]
fn stop_here(place: &str) {
    if std::env::var("GATEWRIGHT_STOP_AT").is_ok_and(|wanted| wanted == place) {
        // SAFETY: raise has no memory effects.
        unsafe { libc::raise(libc::SIGSTOP) };
    }
}

#[cfg(not(debug_assertions))]
fn stop_here(_place: &str) {}

fn finished(step: &Step, outcome: Outcome) -> Done {
    Done {
        id: step.id.clone(),
        phase: step.phase,
        change: outcome.change,
        detail: outcome.detail,
        is_chart: matches!(step.action, Action::Chart(_)),
        is_object: matches!(step.action, Action::Object(_)),
    }
}

fn end(task: Task, phase: Phase, done: &[Done]) {
    let mine: Vec<&Done> = done.iter().filter(|d| d.phase == phase).collect();
    let detail = detail(phase, &mine);
    match mine.iter().all(|d| d.change == Change::Unchanged) {
        true => task.unchanged(detail),
        false => task.done(detail),
    }
}

fn detail(phase: Phase, done: &[&Done]) -> String {
    if phase == Phase::Objects {
        let number = |change| done.iter().filter(|d| d.change == change).count();
        let words = [
            (Change::Created, "created"),
            (Change::Updated, "updated"),
            (Change::Unchanged, "unchanged"),
        ];
        let parts: Vec<String> = words
            .into_iter()
            .map(|(change, word)| (number(change), word))
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        return parts.join(", ");
    }
    let said = done
        .iter()
        .filter(|d| !d.detail.is_empty() && !d.id.ends_with("-crds"));
    let mut details: Vec<&str> = said.map(|d| d.detail.as_str()).collect();
    details.dedup();
    details.join(", ")
}

/// `11 objects, 4 charts as planned`: the whole run in one line when nothing had to change.
pub fn nothing_to_change(done: &[Done]) -> Option<String> {
    if done.iter().any(|d| d.change != Change::Unchanged) {
        return None;
    }
    let objects = text::count(done.iter().filter(|d| d.is_object).count(), "object");
    let charts = done.iter().filter(|d| d.is_chart).count();
    let charts = if charts > 0 {
        format!(", {}", text::count(charts, "chart"))
    } else {
        String::new()
    };
    Some(format!("nothing to change: {objects}{charts} as planned"))
}

/// Removes the witnesses that an earlier run could not take away itself.
pub async fn sweep(target: &dyn Target, run: &Run<'_>) -> Result<()> {
    let is_witness = |thing: &Thing| matches!(thing, Thing::Object { name, .. } if name.starts_with(WITNESS_PREFIX));
    remove(target, run, is_witness).await
}

/// Removes what an earlier plan made and this one does not want any more.
pub async fn prune(plan: &Plan, target: &dyn Target, run: &Run<'_>) -> Result<()> {
    let mut wanted: Vec<Thing> = plan.objects().map(Thing::of).collect();
    let services: Vec<&HostService> = plan.steps.iter().filter_map(host_service).collect();
    for service in &services {
        wanted.push(Thing::Process {
            role: format!("relay-{}", service.name),
        });
        if service.provider == Provider::Mock {
            wanted.push(Thing::Process {
                role: "mock".to_string(),
            });
        }
    }
    let alias = |name: &str| {
        services
            .iter()
            .any(|service| name == format!("host-{}", service.name))
    };
    let is_unwanted = |thing: &Thing| match thing {
        Thing::Process { role } => role != "gateway" && !wanted.contains(thing),
        Thing::Object { name, .. } => !wanted.contains(thing) && !alias(name),
        Thing::Cluster { .. } | Thing::Context { .. } | Thing::GatewayApi | Thing::Chart { .. } => {
            false
        }
    };
    remove(target, run, is_unwanted).await
}

fn host_service(step: &Step) -> Option<&HostService> {
    match &step.action {
        Action::HostService(service) => Some(service),
        _ => None,
    }
}

async fn remove(
    target: &dyn Target,
    run: &Run<'_>,
    unwanted: impl Fn(&Thing) -> bool,
) -> Result<()> {
    let left: Vec<Thing> = run.ledger.things().into_iter().filter(unwanted).collect();
    for thing in left.iter().rev() {
        undo_one(thing, target, run, None).await?;
        run.ledger.removed(thing)?;
    }
    Ok(())
}
