//! Walks a plan wave by wave: steps of one wave side by side, each phase with its line.

use super::ledger::Ledger;
use super::phases::Phases;
use super::undo::undo_one;
use crate::cluster::forward::ROLE as FORWARD;
use crate::error::Result;
use crate::event::Sink;
use crate::plan::outcome::{Change, Context, Journal, Outcome, Undone, Wire};
use crate::plan::thing::Thing;
use crate::plan::{Action, HostService, PROOF_PREFIX, Phase, Plan, Step, WITNESS_PREFIX};
use crate::secret::vault::Vault;
use crate::target::{Support, Target};
use crate::text;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
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
    /// Whether fields of our objects that somebody else manages by now are taken back.
    pub force: bool,
    /// The keys of this run.
    pub vault: &'a Vault,
}

impl Run<'_> {
    pub fn context<'a>(&'a self, waiting: &'a (dyn Fn(String) + Send + Sync)) -> Context<'a> {
        Context {
            journal: self.ledger,
            waiting,
            patience: self.patience,
            force: self.force,
            wires: self.wires,
            vault: self.vault,
        }
    }
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

/// Makes every step true, each as soon as what it needs is true. After a failure no step begins any
/// more; those under way come to their end, but for waits, which would be waits for nothing.
pub async fn perform(plan: &Plan, target: &dyn Target, run: &Run<'_>) -> Result<Vec<Done>> {
    let steps: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| target.support(step) == Support::Native)
        .collect();
    let phases = Phases::new(&steps, run.sink);
    let mut not_begun = steps.clone();
    let mut under_way = FuturesUnordered::new();
    let mut changing = 0;
    let mut done: Vec<Done> = Vec::new();
    let mut failure = None;
    loop {
        let is_open = |need: &String| {
            steps.iter().any(|s| s.id == *need) && !done.iter().any(|d| d.id == *need)
        };
        let can_begin = |step: &&Step| failure.is_none() && !step.needs.iter().any(is_open);
        let (ready, blocked): (Vec<&Step>, Vec<&Step>) = not_begun.into_iter().partition(can_begin);
        not_begun = blocked;
        for step in ready {
            phases.begin(step.phase);
            changing += usize::from(!step.is_wait());
            let phases = &phases;
            under_way.push(async move { (step, perform_one(step, target, run, phases).await) });
        }
        if failure.is_some() && changing == 0 {
            break;
        }
        let Some((step, result)) = under_way.next().await else {
            break;
        };
        changing -= usize::from(!step.is_wait());
        match result {
            Ok(outcome) => {
                done.push(finished(step, outcome));
                phases.end_if_over(step.phase, &done);
            }
            Err(error) => {
                phases.fail(step.phase);
                failure = failure.or(Some(error.fact(format!("step {}", step.id))));
            }
        }
    }
    drop(under_way);
    failure.map_or(Ok(done), Err)
}

async fn perform_one(
    step: &Step,
    target: &dyn Target,
    run: &Run<'_>,
    phases: &Phases<'_>,
) -> Result<Outcome> {
    stop_here(&step.id);
    let waiting = |reason: String| phases.waiting(step.phase, reason);
    let outcome = target.perform(step, &run.context(&waiting)).await;
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

/// Removes what earlier runs made and this plan does not want.
pub async fn prune(plan: &Plan, target: &dyn Target, run: &Run<'_>) -> Result<()> {
    let things = run.ledger.things();
    let left = unwanted(plan, &things);
    remove(target, run, |thing| left.contains(&thing)).await
}

/// Of what earlier runs made, what this plan does not want: objects of another plan, and the witnesses
/// of a run that was killed.
pub fn unwanted<'a>(plan: &Plan, things: &'a [Thing]) -> Vec<&'a Thing> {
    let mut wanted: Vec<Thing> = plan.objects().map(Thing::of).collect();
    if plan
        .steps
        .iter()
        .any(|step| matches!(step.action, Action::Forward { .. }))
    {
        wanted.push(Thing::Process {
            role: FORWARD.to_string(),
        });
    }
    let services: Vec<&HostService> = plan.steps.iter().filter_map(host_service).collect();
    for service in &services {
        wanted.push(Thing::Process {
            role: format!("relay-{}", service.name),
        });
        wanted.extend(service.role().map(|role| Thing::Process {
            role: role.to_string(),
        }));
    }
    let is_unwanted = |thing: &&Thing| match thing {
        Thing::Process { role } => role != "gateway" && !wanted.contains(thing),
        Thing::Object { .. } => !wanted.contains(thing),
        Thing::Cluster { .. } | Thing::Context { .. } | Thing::GatewayApi | Thing::Chart { .. } => {
            false
        }
    };
    things.iter().filter(is_unwanted).collect()
}

/// What was there for a moment only: a witness or the copy of a route.
fn is_passing(thing: &Thing) -> bool {
    let passing = |name: &str| name.starts_with(WITNESS_PREFIX) || name.starts_with(PROOF_PREFIX);
    matches!(thing, Thing::Object { name, .. } if passing(name))
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
        let undone = undo_one(thing, target, run, None).await?;
        if undone == Undone::Removed && !is_passing(thing) {
            let title = thing.title();
            run.sink.note(format!(
                "{title} taken away: the profile does not want it any more"
            ));
        }
        if !matches!(undone, Undone::Kept(_)) {
            run.ledger.removed(thing)?;
        }
    }
    Ok(())
}
