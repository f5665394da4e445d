//! The ledger backwards: what we made goes, what others use or own stays and is named.

use super::perform::Run;
use crate::error::Result;
use crate::event::Task;
use crate::plan::chart::is_crds;
use crate::plan::outcome::{Journal, Undone};
use crate::plan::thing::Thing;
use crate::target::Target;

/// One thing and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    pub thing: Thing,
    pub undone: Undone,
}

/// Undoes everything that the ledger holds, newest first, but for what `keep` says.
pub async fn undo(
    target: &dyn Target,
    run: &Run<'_>,
    keep: impl Fn(&Thing) -> Option<String>,
    task: &Task,
) -> Result<Vec<Fate>> {
    let mut fates = Vec::new();
    let mut things: Vec<Thing> = run.ledger.things().into_iter().rev().collect();
    things.sort_by_key(height);
    for thing in things {
        if let Some(reason) = keep(&thing).or_else(|| needed(&thing, &fates)) {
            fates.push(Fate {
                thing,
                undone: Undone::Kept(reason),
            });
            continue;
        }
        task.waiting(thing.title());
        let undone = undo_one(&thing, target, run, Some(task)).await?;
        if !matches!(undone, Undone::Kept(_)) {
            run.ledger.removed(&thing)?;
        }
        fates.push(Fate { thing, undone });
    }
    Ok(fates)
}

/// What must go before what (facts 12): steps run side by side, so the ledger's order alone does not
/// tell. Things of one height keep the ledger's order.
fn height(thing: &Thing) -> u8 {
    match thing {
        // First the door: no route is to be open without the policies that guard it.
        Thing::Object { kind, .. } if kind == "Gateway" => 0,
        Thing::Object { kind, .. } if kind == "Namespace" => 5,
        Thing::Object { kind, .. } if kind == "AgentgatewayParameters" => 2,
        Thing::Object { .. } | Thing::Process { .. } => 1,
        Thing::Chart { name, .. } if is_crds(name) => 4,
        Thing::Chart { .. } => 3,
        Thing::GatewayApi => 5,
        Thing::Context { .. } => 6,
        Thing::Cluster { .. } => 7,
    }
}

/// A chart that stays for somebody else's sake needs its namespace and the Gateway API.
fn needed(thing: &Thing, fates: &[Fate]) -> Option<String> {
    let base = match thing {
        Thing::GatewayApi => true,
        Thing::Object { kind, .. } => kind == "Namespace",
        _ => false,
    };
    let stays = |fate: &&Fate| {
        matches!(
            (&fate.thing, &fate.undone),
            (Thing::Chart { .. }, Undone::Kept(_))
        )
    };
    let chart = fates.iter().find(stays).filter(|_| base)?;
    Some(format!("{} stays and needs it", chart.thing.title()))
}

/// With the cluster goes everything in it: only what lies outside needs a step of its own.
pub async fn undo_with_cluster(
    target: &dyn Target,
    run: &Run<'_>,
    task: &Task,
) -> Result<Vec<Fate>> {
    let mut outside: Vec<Thing> = run.ledger.things().into_iter().filter(is_outside).collect();
    outside.sort_by_key(height);
    let mut fates = Vec::new();
    for thing in outside {
        task.waiting(thing.title());
        let undone = undo_one(&thing, target, run, Some(task)).await?;
        if !matches!(undone, Undone::Kept(_)) {
            run.ledger.removed(&thing)?;
        }
        fates.push(Fate { thing, undone });
    }
    // One that stays is another of its name: ours is gone then, too.
    if fates
        .iter()
        .any(|fate| matches!(fate.thing, Thing::Cluster { .. }))
    {
        for thing in run.ledger.things() {
            run.ledger.removed(&thing)?;
        }
    }
    Ok(fates)
}

/// For a cluster that is gone: our processes end, and what was in the cluster is left out of the
/// ledger, whatever has become of it.
pub async fn forget(target: &dyn Target, run: &Run<'_>, task: &Task) -> Result<Vec<Fate>> {
    let mut fates = Vec::new();
    for thing in run.ledger.things().into_iter().rev() {
        let undone = match &thing {
            Thing::Process { .. } | Thing::Context { .. } => {
                undo_one(&thing, target, run, Some(task)).await?
            }
            _ => Undone::Kept("forgotten as it is".to_string()),
        };
        run.ledger.removed(&thing)?;
        fates.push(Fate { thing, undone });
    }
    Ok(fates)
}

fn is_outside(thing: &Thing) -> bool {
    matches!(
        thing,
        Thing::Cluster { .. } | Thing::Context { .. } | Thing::Process { .. }
    )
}

pub async fn undo_one(
    thing: &Thing,
    target: &dyn Target,
    run: &Run<'_>,
    task: Option<&Task>,
) -> Result<Undone> {
    let waiting = |reason: String| {
        if let Some(task) = task {
            task.waiting(reason);
        }
    };
    target.undo(thing, &run.context(&waiting)).await
}
