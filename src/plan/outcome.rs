//! What performing and undoing steps is given and gives back.

use super::placeholder;
use super::thing::Thing;
use crate::error::Result;
use crate::secret::vault::Vault;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What making a step true took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created,
    Updated,
    Unchanged,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub change: Change,
    /// What a person reads about it, such as `Ollama answers pods at 172.18.0.1:11434`.
    pub detail: String,
}

impl Outcome {
    pub fn new(change: Change, detail: impl Into<String>) -> Self {
        Outcome {
            change,
            detail: detail.into(),
        }
    }
}

/// What undoing did.
#[derive(Debug, Clone, PartialEq)]
pub enum Undone {
    Removed,
    /// It was not there any more.
    Absent,
    /// It stays, and why.
    Kept(String),
}

/// How the gateway reaches a service of this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wire {
    /// What stands in the backend as its host.
    pub host: String,
    /// The address behind the name, where the name is one of ours.
    pub address: Option<Ipv4Addr>,
    /// The port at that address.
    pub port: u16,
    /// Whether a relay of ours carries it.
    pub relay: bool,
}

impl Wire {
    /// What stands for an image of ours; known under the image's own name, which no service has.
    pub fn image(name: &str) -> Self {
        Wire {
            host: name.to_string(),
            address: None,
            port: 0,
            relay: false,
        }
    }

    pub fn is_image(&self) -> bool {
        self.port == 0
    }

    /// As people read it: `172.18.0.1:11434, through a relay`.
    pub fn title(&self) -> String {
        let relay = if self.relay { ", through a relay" } else { "" };
        match self.address {
            Some(address) => format!("{address}:{}{relay}", self.port),
            None => format!("{}:{}{relay}", self.host, self.port),
        }
    }
}

/// Where a step says what it makes, before it makes it: a killed run leaves a trace of what it may
/// have made. The ledger, seen from below.
pub trait Journal: Send + Sync {
    /// Called before the first change to a thing.
    fn begin(&self, thing: &Thing) -> Result<()>;
    /// Called when a thing that was only for the moment is gone again.
    fn removed(&self, thing: &Thing) -> Result<()>;
    /// Whether an earlier run made this thing, or began to.
    fn knows(&self, thing: &Thing) -> bool;
    /// All that earlier runs made, or began to, and did not remove.
    fn things(&self) -> Vec<Thing>;
}

/// What a step is given while it runs.
pub struct Context<'a> {
    pub journal: &'a dyn Journal,
    /// Says what a wait is for.
    pub waiting: &'a (dyn Fn(String) + Send + Sync),
    /// How long any one wait may take.
    pub patience: Duration,
    /// Whether fields of our objects that somebody else manages by now are taken back.
    pub force: bool,
    /// The way to each host service, by backend: as remembered, or as proved in this run.
    pub wires: &'a Mutex<BTreeMap<String, Wire>>,
    /// The keys of this run.
    pub vault: &'a Vault,
}

impl Context<'_> {
    pub fn wire(&self, backend: &str) -> Option<Wire> {
        self.wires
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(backend)
            .cloned()
    }

    /// An object with its placeholders filled from the ways that are known by now, and with its keys.
    /// It is for the wire alone.
    pub fn fill(&self, object: &Value) -> Result<Value> {
        let wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        placeholder::unlock(placeholder::fill(object, &wires), self.vault)
    }

    pub fn set_wire(&self, backend: &str, wire: Wire) {
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        wires.insert(backend.to_string(), wire);
    }
}
