//! What is installed, for a proof.

use crate::apply::record::Record;
use crate::diagnose::applied::Applied;
use crate::error::{Error, Result};
use crate::host::paths::EnvironmentPaths;
use crate::target::Target;
use crate::verify::derive::{Fault, faults};
use crate::verify::installed::Installed;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A tenth of a second is the pace at which controllers write status.
const PAUSE: Duration = Duration::from_millis(100);

/// Objects as the last `up` has left them; empty before one has. Secrets by their names alone; what
/// was not needed here is left out.
pub fn applied(paths: &EnvironmentPaths, record: &Record) -> Vec<Value> {
    let Some(applied) = Applied::load(paths) else {
        return Vec::new();
    };
    let mut objects = applied.standing(&record.wires);
    for object in &mut objects {
        if let Some(fields) = object.as_object_mut() {
            fields.shift_remove("stringData");
        }
    }
    objects
}

/// What is installed, once controllers have had their say or the time for it is over.
pub async fn look(
    target: &dyn Target,
    record: &Record,
    applied: &[Value],
    settle: Duration,
) -> Result<(Installed, Vec<Fault>)> {
    let start = Instant::now();
    loop {
        let installed = Installed {
            objects: target.objects().await?,
            environment: record.environment.clone(),
        };
        let wrong = faults(&installed, applied);
        if wrong.is_empty() || start.elapsed() >= settle {
            return Ok((installed, wrong));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Of the fault that nothing could be read.
pub const UNREADABLE: &str = "object.all";

/// A place that can't be read is a fact of its proof.
pub fn unreadable(error: &Error) -> Fault {
    Fault {
        id: UNREADABLE.to_string(),
        title: "what is installed can be read".to_string(),
        summary: error.what.clone(),
        cause: error.facts.first().cloned().unwrap_or_default(),
        next: error.next.clone(),
    }
}
