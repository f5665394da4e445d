//! What is wrong, why, and what repairs it: one look at everything, then rules that only think.
//!
//! `gather` is the one place with I/O; rules are pure functions from a snapshot to findings; `fold`
//! puts causes first and their effects beneath them.

pub mod applied;
mod backend;
pub mod bundle;
mod caller;
mod changed;
mod chart;
mod control;
pub mod counts;
pub mod finding;
pub mod fix;
pub mod fold;
mod gateway;
pub mod gather;
mod host;
mod key;
mod limits;
pub mod log;
mod place;
mod pod;
mod policy;
mod processor;
mod proxy;
mod route;
pub mod rule;
mod service;
mod silent;
pub mod snapshot;
pub mod upgrade;

use fold::Diagnosis;
use snapshot::Snapshot;

/// All rules over one snapshot.
pub fn diagnose(snapshot: &Snapshot) -> Diagnosis {
    fold::fold(
        rule::all()
            .map(|rule| fold::judge(rule, snapshot))
            .collect(),
    )
}
