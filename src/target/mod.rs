//! A place that can make a plan true, and untrue again.

pub mod choose;
pub mod context;
pub mod detect;
pub mod embedded;
pub mod inside;
pub mod kind;
pub mod locality;
pub mod orbstack;
mod own;
pub mod place;
pub mod propose;
mod sight;

use crate::error::{Error, Result};
use crate::gateway::before;
use crate::host::paths::EnvironmentPaths;
use crate::host::process::{self, Identity};
use crate::host::{view, web};
use crate::plan::found::Found;
use crate::plan::outcome::{Context, Journal, Outcome, Undone};
use crate::plan::survey::{Part, Survey, Trouble};
use crate::plan::thing::Thing;
use crate::plan::view::{Address, View};
use crate::plan::{Plan, Step};
use futures::FutureExt;
use futures::future::BoxFuture;
use inside::Inside;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const COUNTED: Duration = Duration::from_secs(2);

/// What a target says of a step before anything changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Support {
    Native,
    /// Not needed here, and why.
    Skip(String),
    /// Impossible here: nothing of the plan is begun.
    Refuse(Error),
}

/// One sort of target. Object-safe, so that a test's target is an ordinary struct.
pub trait Target: Send + Sync {
    /// As people read it and reports keep it: `kind/gatewright`, `embedded`.
    fn name(&self) -> String;

    /// Whether a step can be made true here; without I/O.
    fn support(&self, step: &Step) -> Support;

    /// What others have put there already of what the plan would; read before anything changes.
    fn others<'a>(
        &'a self,
        plan: &'a Plan,
        journal: &'a dyn Journal,
    ) -> BoxFuture<'a, Result<Vec<Found>>>;

    /// Makes a step true; safe to repeat.
    fn perform<'a>(
        &'a self,
        step: &'a Step,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Outcome>>;

    /// Makes a thing that we made untrue; absent already is success.
    fn undo<'a>(
        &'a self,
        thing: &'a Thing,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Undone>>;

    /// The address on this machine to which callers send requests, such as `http://localhost:8080`.
    fn endpoint(&self) -> BoxFuture<'_, Result<String>>;

    /// What is there now, for `status`: never changes anything.
    fn survey(&self) -> BoxFuture<'_, Result<Survey>>;

    /// The half that every cluster shares, where this is a cluster.
    fn inside(&self) -> Option<&Inside> {
        None
    }

    /// Routes, backends, policies and what they refer to, whoever made them, with what controllers
    /// say of them: what a proof is derived from. Secrets without their values.
    fn objects(&self) -> BoxFuture<'_, Result<Vec<Value>>> {
        match self.inside() {
            Some(inside) => inside.objects().boxed(),
            None => async { Ok(Vec::new()) }.boxed(),
        }
    }

    /// The last lines of the gateway's access log.
    fn access_log(&self, lines: usize) -> BoxFuture<'_, Result<Vec<String>>> {
        match self.inside() {
            Some(inside) => inside.access_log(lines).boxed(),
            None => async { Ok(Vec::new()) }.boxed(),
        }
    }

    /// What the gateway has counted since it was started, in Prometheus' text format.
    fn metrics(&self) -> BoxFuture<'_, Result<String>> {
        match self.inside() {
            Some(inside) => inside.metrics().boxed(),
            None => async { Ok(String::new()) }.boxed(),
        }
    }

    /// What the gateway sees of an address behind it; from inside where the gateway is inside.
    fn view<'a>(
        &'a self,
        address: &'a Address,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<View>> {
        async move {
            match self.inside() {
                Some(inside) => inside.look(address, &self.endpoint().await?, context).await,
                None => Ok(view::look(address, view::ask(address)).await),
            }
        }
        .boxed()
    }

    /// Pods that are not well, and warnings about objects.
    fn troubles(&self) -> BoxFuture<'_, Result<Vec<Trouble>>> {
        match self.inside() {
            Some(inside) => inside.troubles().boxed(),
            None => async { Ok(Vec::new()) }.boxed(),
        }
    }
}

/// Where tools of operation ask, as parts of a survey.
fn doors(health: &Value) -> Vec<Part> {
    let doors = [
        ("ready", "ready"),
        ("metrics", "metrics"),
        ("configDump", "config dump"),
    ];
    let part = |(name, title): (&str, &str)| {
        Some(Part {
            sort: "door",
            name: health["urls"][name].as_str()?.to_string(),
            version: title.to_string(),
            state: "running".to_string(),
        })
    };
    doors.into_iter().filter_map(part).collect()
}

/// What a gateway of this machine has counted, from its door for that.
async fn counted(health: &Value) -> Result<String> {
    let url = health["urls"]["metrics"].as_str().unwrap_or_default();
    match web::get(url, None, COUNTED).await {
        Ok((200, text)) => Ok(text),
        Ok((status, _)) => {
            let error = Error::new("the gateway's counts can't be read", "gw status");
            Err(error.fact(format!("{url} answered {status}")))
        }
        Err(why) => {
            let error = Error::new("the gateway's counts can't be read", "gw status");
            Err(error.fact(format!("{url}: {why}")))
        }
    }
}

/// Our background processes that have ended.
fn process_troubles(paths: &EnvironmentPaths) -> Vec<Trouble> {
    let gone = process::all(paths)
        .into_iter()
        .filter(|(_, alive)| alive.is_none());
    let trouble = |(role, _)| Trouble {
        object: format!("process {role}"),
        what: "it has ended".to_string(),
        is_state: true,
        next: Some("gw up".to_string()),
    };
    gone.map(trouble).collect()
}

/// Our background processes as parts of a survey.
fn process_parts(paths: &EnvironmentPaths) -> Vec<Part> {
    let part = |(role, identity): (String, Option<Identity>)| Part {
        sort: "process",
        name: role,
        version: identity
            .as_ref()
            .map(|identity| format!("pid {}", identity.pid))
            .unwrap_or_default(),
        state: if identity.is_some() {
            "running"
        } else {
            "not running"
        }
        .to_string(),
    };
    process::all(paths).into_iter().map(part).collect()
}

/// The last lines of a log that may have been begun anew a moment ago.
fn end_of(log: &Path, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for part in [&before(log), log] {
        let text = std::fs::read_to_string(part).unwrap_or_default();
        lines.extend(text.lines().map(str::to_string));
    }
    lines.split_off(lines.len().saturating_sub(count))
}
