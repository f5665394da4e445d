//! What applying an object changes.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::clock;
use super::object::{Id, World, dig};

/// What an apply did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created,
    Updated,
    Unchanged,
}

impl Change {
    pub fn name(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Updated => "updated",
            Change::Unchanged => "unchanged",
        }
    }
}

/// Puts an object in, with the metadata that an API server would keep: when it was made, and how
/// often its meaning has changed.
pub(super) fn put(world: &mut World, id: &Id, object: Value) -> Change {
    let old = world.find(id).cloned();
    let (created, generation) = match &old {
        None => (json!(clock::seconds(SystemTime::now())), 1),
        Some(old) => (
            dig(old, &["metadata", "creationTimestamp"]).clone(),
            dig(old, &["metadata", "generation"]).as_u64().unwrap_or(1),
        ),
    };
    let keep = |world: &mut World, generation: u64| {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("creationTimestamp".to_string(), created.clone());
            metadata.insert("generation".to_string(), json!(generation));
        }
        world.put(id.clone(), object);
    };
    keep(world, generation);
    match old {
        None => Change::Created,
        Some(old) if world.find(id) == Some(&old) => Change::Unchanged,
        Some(_) => {
            keep(world, generation + 1);
            Change::Updated
        }
    }
}
