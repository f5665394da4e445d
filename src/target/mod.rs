//! A place that can make a plan true, and untrue again.

pub mod choose;
pub mod context;
pub mod detect;
pub mod embedded;
pub mod inside;
pub mod kind;
pub mod locality;
pub mod mock;
pub mod orbstack;
pub mod place;
pub mod propose;

use crate::error::{Error, Result};
use crate::host::paths::EnvironmentPaths;
use crate::host::process::{self, Identity};
use crate::plan::found::Found;
use crate::plan::outcome::{Context, Journal, Outcome, Undone};
use crate::plan::survey::{Part, Survey};
use crate::plan::thing::Thing;
use crate::plan::{Plan, Step};
use futures::future::BoxFuture;

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
