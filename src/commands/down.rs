//! `gw down`: the ledger backwards.

use super::Outcome;
use super::session::Session;
use crate::apply::ledger::Ledger;
use crate::apply::perform::Run;
use crate::apply::record::{Record, TakenBack};
use crate::apply::undo::{Fate, undo};
use crate::cli::Down;
use crate::error::{Error, Result};
use crate::host::docker::{self, KindCluster};
use crate::host::paths::EnvironmentPaths;
use crate::plan::outcome::{Journal, Undone};
use crate::plan::thing::Thing;
use crate::report::document::Document;
use crate::secret::vault::Vault;
use crate::text;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

pub async fn run(session: &Session, options: &Down) -> Outcome {
    let paths = session.environment();
    if !paths.folder().exists() {
        return nothing(session);
    }
    let lock = session.lock("down").await?;
    let ledger = Ledger::open(&paths.ledger())?;
    let Some(mut record) = Record::load(&paths)? else {
        // An `up` that ended before it knew its target has made nothing.
        if ledger.things().is_empty() {
            forget(&paths)?;
        }
        return nothing(session);
    };
    let context = record.cluster_context();
    let _cluster_lock = session.cluster_lock(context.as_deref(), "down").await?;
    let cluster = created_cluster(&ledger);
    let keep_cluster = match &cluster {
        Some(name)
            if !options.keep_cluster && !options.forget && !is_shared(session, &record, name) =>
        {
            if is_there(name, &paths).await {
                confirm(session, options, name).await?;
            }
            false
        }
        other => other.is_some(),
    };
    let target = session.target(&record);
    let wires = Mutex::new(record.wires.clone());
    let run = Run {
        ledger: &ledger,
        sink: &session.sink,
        wires: &wires,
        patience: Duration::from_secs(options.timeout),
        force: false,
        vault: &Vault::default(),
    };
    let with_cluster = cluster.is_some() && !keep_cluster;
    let keep = |thing: &Thing| match thing {
        Thing::Cluster { .. } | Thing::Context { .. } if keep_cluster => {
            Some("it was asked to stay".to_string())
        }
        _ => None,
    };
    record.taken_back = Some(TakenBack::Begun);
    record.save(&paths)?;
    // What was proved is no longer so.
    let _ = fs::remove_file(paths.proof());
    let task = session.sink.begin("down");
    let fates = if options.forget {
        crate::apply::undo::forget(target.as_ref(), &run, &task).await?
    } else if with_cluster {
        crate::apply::undo::undo_with_cluster(target.as_ref(), &run, &task).await?
    } else {
        undo(target.as_ref(), &run, keep, &task).await?
    };
    task.done(summary(&fates));
    hand_over(session, &record, &ledger, &fates)?;
    let left: Vec<Thing> = ledger.things();
    if left.is_empty() {
        forget(&paths)?;
    } else {
        record.taken_back = Some(TakenBack::Done);
        record.save(&paths)?;
    }
    drop(lock);
    answer(session, &fates);
    Ok(None)
}

/// What stays for the sake of another environment in the same cluster becomes that one's: its own
/// `down` takes it away.
fn hand_over(session: &Session, record: &Record, ledger: &Ledger, fates: &[Fate]) -> Result<()> {
    let Some(heir) = session.neighbour(record) else {
        return Ok(());
    };
    let is_common = |thing: &Thing| match thing {
        Thing::Chart { .. } | Thing::GatewayApi => true,
        Thing::Object { kind, .. } => kind == "Namespace",
        Thing::Cluster { .. } | Thing::Context { .. } | Thing::Process { .. } => false,
    };
    let kept = fates
        .iter()
        .filter(|fate| matches!(fate.undone, Undone::Kept(_)));
    let common: Vec<&Thing> = kept
        .map(|fate| &fate.thing)
        .filter(|t| is_common(t))
        .collect();
    if common.is_empty() {
        return Ok(());
    }
    let heirs = Ledger::open(&session.paths.environment(&heir).ledger())?;
    // Oldest first, as it was made.
    for thing in common.iter().rev() {
        heirs.begin(thing)?;
        ledger.removed(thing)?;
    }
    session.sink.note(format!(
        "{} that environment `{heir}` needs too: its own `gw down` takes them away",
        text::count(common.len(), "thing")
    ));
    Ok(())
}

fn nothing(session: &Session) -> Outcome {
    let env = &session.global.env;
    match session.is_json() {
        true => session.write(&Document::new("down", env).fates(&[]).text()),
        false => session.write(&format!(
            "nothing to take back: environment `{env}` is not there\n"
        )),
    }
    Ok(None)
}

fn created_cluster(ledger: &Ledger) -> Option<String> {
    ledger.things().into_iter().find_map(|thing| match thing {
        Thing::Cluster { name } => Some(name),
        _ => None,
    })
}

/// Nobody need be asked about a cluster that is gone, nor about another of its name, which stays. Docker
/// that can't be asked counts as a yes.
async fn is_there(cluster: &str, paths: &EnvironmentPaths) -> bool {
    let clusters = async { docker::kind_clusters(&docker::connect().await?).await };
    let id = fs::read_to_string(paths.cluster_id());
    let is_ours = |kind: &KindCluster| id.as_ref().map_or(true, |id| *id == kind.id);
    clusters.await.map_or(true, |found| {
        found
            .iter()
            .any(|kind| kind.name == cluster && is_ours(kind))
    })
}

/// Whether another environment of this machine lives in the cluster.
fn is_shared(session: &Session, record: &Record, cluster: &str) -> bool {
    let user = session.neighbour(record);
    if let Some(user) = &user {
        session.sink.note(format!(
            "kind cluster {cluster} stays: environment `{user}` uses it"
        ));
    }
    user.is_some()
}

/// A cluster goes only by a word of the person.
async fn confirm(session: &Session, options: &Down, cluster: &str) -> Result<()> {
    if options.yes {
        return Ok(());
    }
    let keep = "gw created it; `gw down --keep-cluster` takes back only what is in it";
    let question =
        format!("Delete kind cluster {cluster}, which gw created, with everything in it?");
    match session.ask(&question).await {
        Some(true) => return Ok(()),
        Some(false) => {}
        None => {
            let what = format!("`gw down` would delete kind cluster {cluster}");
            return Err(Error::usage(what, "gw down --yes").fact(keep));
        }
    }
    let what = format!("kind cluster {cluster} and everything in it are left as they are");
    Err(Error::new(what, "gw down --keep-cluster").fact(keep))
}

/// The folder goes last: until then every file in it may be needed by a second `down`.
fn forget(paths: &EnvironmentPaths) -> Result<()> {
    let _ = fs::remove_file(paths.socket());
    fs::remove_dir_all(paths.folder()).map_err(|e| {
        let what = format!("{} can't be removed", paths.folder().display());
        Error::new(what, format!("rm -r {}", paths.folder().display())).because(&e)
    })
}

fn summary(fates: &[Fate]) -> String {
    let removed = fates
        .iter()
        .filter(|fate| fate.undone == Undone::Removed)
        .count();
    let kept = fates
        .iter()
        .filter(|fate| matches!(fate.undone, Undone::Kept(_)))
        .count();
    match kept {
        0 => format!("{} taken back", text::count(removed, "thing")),
        kept => format!("{} taken back, {kept} left", text::count(removed, "thing")),
    }
}

fn answer(session: &Session, fates: &[Fate]) {
    if session.is_json() {
        return session.write(
            &Document::new("down", &session.global.env)
                .fates(fates)
                .text(),
        );
    }
    let mut text = String::new();
    for fate in fates {
        if let Undone::Kept(reason) = &fate.undone {
            text.push_str(&format!(
                "{} {} stays: {reason}\n",
                session.out.skipped(),
                fate.thing.title()
            ));
        }
    }
    session.write(&text);
}
