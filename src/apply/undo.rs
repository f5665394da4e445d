//! The ledger backwards: what we made goes, what others use or own stays and is named.

use super::perform::Run;
use crate::error::Result;
use crate::event::Task;
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
    for thing in run.ledger.things().into_iter().rev() {
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
    let outside = |thing: &Thing| {
        matches!(
            thing,
            Thing::Cluster { .. } | Thing::Context { .. } | Thing::Process { .. }
        )
    };
    let (outside, inside): (Vec<Thing>, Vec<Thing>) =
        run.ledger.things().into_iter().partition(outside);
    let mut fates = Vec::new();
    for thing in outside.into_iter().rev() {
        task.waiting(thing.title());
        let undone = undo_one(&thing, target, run, Some(task)).await?;
        run.ledger.removed(&thing)?;
        fates.push(Fate { thing, undone });
    }
    for thing in inside {
        run.ledger.removed(&thing)?;
    }
    Ok(fates)
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
