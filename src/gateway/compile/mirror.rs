//! The RequestMirror filters of a rule or of a backend reference.

use std::sync::Arc;

use serde_json::Value;

use super::Backends;
use super::rule::destination;
use super::status::Problem;
use crate::gateway::config::Filter;
use crate::gateway::mirror::Mirror;
use crate::gateway::object::{World, dig, list, text};

/// Reads them, and says of the first that goes nowhere why; that one is left out.
pub(super) fn read(
    world: &World,
    backends: &Backends,
    route: &Value,
    spec: &Value,
) -> (Vec<Filter>, Option<Problem>) {
    let mut problem = None;
    let mirrors = list(spec, &["filters"])
        .iter()
        .filter(|filter| text(filter, &["type"]) == "RequestMirror")
        .map(|filter| dig(filter, &["requestMirror"]));
    let mut found = Vec::new();
    for mirror in mirrors {
        match destination(world, backends, route, dig(mirror, &["backendRef"])) {
            Ok(destination) => {
                found.push(Filter::Mirror(Arc::new(Mirror::new(destination, mirror))));
            }
            Err(cause) => problem = problem.or(Some(cause)),
        }
    }
    (found, problem)
}
