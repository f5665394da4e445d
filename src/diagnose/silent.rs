//! A place that says nothing, and one from which gw itself has taken its things back.

use super::finding::{Change, Fix, Found};
use super::snapshot::{Container, Snapshot};
use crate::apply::record::TakenBack;
use crate::plan::thing::Thing;
use crate::text;

const NEVER_UP: &str = "`gw up` has not come to its end here yet";

/// Why nothing can be asked of the place itself.
pub fn answers(snapshot: &Snapshot) -> Vec<Found> {
    let place = &snapshot.place;
    if place.alive {
        return Vec::new();
    }
    let up = Fix::command("gw up");
    if !snapshot.on_cluster() {
        let process = snapshot
            .processes
            .iter()
            .find(|process| process.role == "gateway");
        let pid = process.and_then(|process| process.pid);
        let dead = process.is_none_or(|process| !process.alive);
        let fix = if dead && snapshot.door.owner.is_none() {
            Fix::Change(Change::Restart)
        } else {
            up
        };
        let cause = match (dead, pid) {
            (true, Some(pid)) => format!("its process {pid} has ended"),
            (true, None) if !snapshot.was_up() => NEVER_UP.to_string(),
            (true, None) => "it was never started, or its process file is gone".to_string(),
            (false, _) => "its process is alive and does not answer on its socket".to_string(),
        };
        let found = Found::new("the embedded gateway runs", "gateway", fix).cause(cause);
        let found = found.saw("socket", place.silence.clone());
        let last = process.and_then(|process| process.last.clone());
        return vec![match last {
            Some(last) => found.saw("last line of its log", text::excerpt(&last, 200)),
            None => found,
        }];
    }
    let title = match snapshot.cluster.as_str() {
        "" if snapshot.context.is_empty() => "the cluster answers".to_string(),
        "" => format!("the cluster of context {} answers", snapshot.context),
        cluster => format!("kind cluster {cluster} is there and answers"),
    };
    let found = |fix: Fix| {
        let source = match place.unasked.as_str() {
            "" => "API server",
            _ => "kubeconfig",
        };
        Found::new(title.clone(), "cluster", fix).saw(source, place.silence.clone())
    };
    let told = match place.container {
        Some(Container::Missing) => found(up)
            .cause("Docker has no such cluster: somebody deleted it")
            .saw("Docker", "no node container"),
        Some(Container::Stopped) => found(up)
            .cause("its node is stopped, as after a reboot")
            .saw("Docker", "the node container is not running"),
        Some(Container::Paused) => found(up)
            .cause("somebody paused its node")
            .saw("Docker", "the node container is paused"),
        Some(Container::Another) => found(up)
            .cause("it is another cluster than the one gw was in: somebody deleted that one and made it anew")
            .saw("Docker", "the node container is another one"),
        // Nobody has asked it: no way leads there.
        Some(Container::Running) | None if !place.unasked.is_empty() => {
            found(Fix::command(place.unasked.clone())).cause("no way leads to its API server")
        }
        Some(Container::Running) => found(up)
            .cause("its node runs and its API server does not answer")
            .saw("Docker", "the node container is running"),
        None if snapshot.cluster.is_empty() => found(Fix::command(snapshot.kubectl("get nodes")))
            .cause("its API server does not answer: it is stopped, or gone"),
        None => found(up).cause("the API server does not answer, and Docker can't be asked why"),
    };
    vec![match snapshot.was_up() {
        true => told,
        // What never came to be was deleted by nobody.
        false => Found {
            cause: NEVER_UP.to_string(),
            ..told
        },
    }]
}

/// A `down` that has begun, and how far it came.
pub fn taken_back(snapshot: &Snapshot) -> Vec<Found> {
    let Some(far) = snapshot.taken_back else {
        return Vec::new();
    };
    let left: Vec<String> = snapshot.ledger.iter().map(Thing::title).collect();
    let (cause, next) = match far {
        TakenBack::Begun => ("`gw down` has begun and did not come to its end", "gw down"),
        TakenBack::Done => (
            "`gw down` has taken back what gw made, but for what was to stay",
            "gw up",
        ),
    };
    let found = Found::new("no `gw down` has begun", "environment", Fix::command(next));
    vec![found.short("gw down has begun").cause(cause).saw(
        "ledger",
        match left.as_slice() {
            [] => "nothing is left".to_string(),
            [one] => format!("{one} is left"),
            [first, rest @ ..] => format!("{first} and {} more are left", rest.len()),
        },
    )]
}

#[cfg(test)]
#[path = "tests/silent.rs"]
mod tests;
