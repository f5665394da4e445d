//! Which backends of a profile are used on this machine, and how. Pure.

use super::Bridged;
use super::choose::{llm, mcp};
use crate::error::{Error, Exit, Result};
use crate::profile::{Backend, Llm, Profile, Protocol, Selector, Serves, TargetKind};
use crate::provider::{Form, Provider};
use crate::text;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What this machine has that a plan can use, as found by `host` or given as a fixture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Services {
    pub found: Vec<Service>,
    /// Models of servers elsewhere that answered, by backend.
    pub elsewhere: BTreeMap<String, Vec<String>>,
    /// Ports of this machine at which the MCP servers of the profile answer.
    pub answering: BTreeSet<u16>,
    /// The objects of the profile's own manifests.
    pub manifests: Vec<Value>,
    /// Port for the built-in mock provider: the one it already has, or a free one.
    pub mock_port: u16,
    /// Port for the built-in processor: the one it already has, or a free one.
    pub processor_port: u16,
    /// The same for the bridge to MCP servers that are programs.
    pub bridge_port: u16,
    /// Those programs of the profile that are there.
    pub programs: BTreeSet<String>,
    /// Variables that say what providers can't be without and is no secret.
    pub settings: BTreeMap<String, String>,
    /// What is known of keys, by the name of whoever needs one.
    pub keys: BTreeMap<String, KeyState>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub provider: Provider,
    pub port: u16,
    /// Models it has, in its own order.
    pub models: Vec<String>,
}

/// What is known of a key; never the key.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyState {
    Here {
        /// Entries of its Secret.
        entries: Vec<String>,
        /// Where it came from.
        from: String,
        /// What is to be said about it all the same.
        note: Option<String>,
    },
    /// Not there, not taken, or nobody there to take it; why, and what to do.
    Lacking(Error),
}

/// A backend that is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    pub name: String,
    pub serves: Selection,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    Llm(Box<Chosen>),
    Groups(Vec<Vec<Chosen>>),
    Mcp {
        targets: Vec<Target>,
        stateless: bool,
    },
}

/// A provider, as it will be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The backend's name in the profile.
    pub name: String,
    pub provider: Provider,
    pub form: Form,
    /// Replaces whatever a client asks for.
    pub model: Option<String>,
    /// For clients that name none.
    pub default_model: Option<String>,
    pub aliases: BTreeMap<String, String>,
    pub at: At,
    /// What stands before the provider's usual paths at its address.
    pub prefix: String,
    pub settings: BTreeMap<String, String>,
    pub secret: Option<SecretNeed>,
}

/// Where something is.
#[derive(Debug, Clone, PartialEq)]
pub enum At {
    /// Where the proxy knows it to be.
    Home,
    Machine {
        port: u16,
    },
    Elsewhere {
        host: String,
        port: u16,
        tls: bool,
    },
}

/// A Secret that is needed: whose, its entries, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretNeed {
    pub owner: String,
    pub entries: Vec<String>,
    pub from: String,
}

/// An MCP server, as it will be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub name: String,
    pub at: At,
    pub server: Server,
    pub path: String,
    pub protocol: Protocol,
    pub secret: Option<SecretNeed>,
}

/// Who runs an MCP server.
#[derive(Debug, Clone, PartialEq)]
pub enum Server {
    /// Somebody else, at its address.
    Theirs,
    Mock,
    /// Our bridge.
    Bridged(Bridged),
    /// The Services that these labels pick; no address is known.
    Services(Selector),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    pub backends: Vec<Selected>,
    /// What was decided without asking, and why.
    pub notes: Vec<String>,
}

/// Takes every backend that can be used; a fallback only where no other is there.
pub fn select(profile: &Profile, target: TargetKind, services: &Services) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut lacking = Vec::new();
    let (fallback, usual): (Vec<&Backend>, Vec<&Backend>) =
        profile.backends.iter().partition(|b| b.fallback);
    for backend in usual {
        match one((profile, target), backend, services, &mut outcome.notes) {
            Ok(selected) => outcome.backends.push(selected),
            Err(error) if backend.required => return Err(error),
            Err(error) => lacking.push(error),
        }
    }
    let reasons: Vec<String> = lacking.iter().map(|error| error.what.clone()).collect();
    if outcome.backends.is_empty() {
        for backend in fallback {
            let selected = one((profile, target), backend, services, &mut outcome.notes)?;
            outcome.backends.push(selected);
        }
        let names: Vec<&str> = outcome.backends.iter().map(|b| b.name.as_str()).collect();
        if !names.is_empty() && !reasons.is_empty() {
            let instead = text::list(&names);
            let note = format!("{}: using {instead} instead", text::list(&reasons));
            outcome.notes.push(note);
        }
    } else {
        let left_out = lacking.iter().map(left_out);
        outcome.notes.extend(left_out);
    }
    if outcome.backends.is_empty() {
        return Err(nothing(lacking));
    }
    Ok(outcome)
}

/// A backend that is left out, and the command that would take it in.
fn left_out(error: &Error) -> String {
    match error.next.as_str() {
        "" | "gw up" => format!("left out: {}", error.what),
        next => format!("left out: {}; take it in: {next}", error.what),
    }
}

/// The first command that would change it is the next one.
fn nothing(lacking: Vec<Error>) -> Error {
    let next = lacking.first().map(|error| error.next.clone());
    let next = next.unwrap_or_else(|| "gw up --profile default".to_string());
    let error = Error::new("no backend of the profile is available", next);
    let error = lacking
        .into_iter()
        .fold(error, |error, one| error.fact(one.what));
    error.exit(Exit::Usage)
}

fn one(
    (profile, target): (&Profile, TargetKind),
    backend: &Backend,
    services: &Services,
    notes: &mut Vec<String>,
) -> Result<Selected> {
    let name = &backend.name;
    let serves = match &backend.serves {
        Serves::Llm(served) => Selection::Llm(Box::new(llm(name, served, services, notes)?)),
        Serves::Groups(members) => groups(profile, name, members, services, notes)?,
        Serves::Mcp(servers) => Selection::Mcp {
            targets: mcp(name, servers, target, services, notes)?,
            stateless: servers.stateless,
        },
    };
    Ok(Selected {
        name: name.clone(),
        serves,
    })
}

/// Members that can't be used are left out of their group, groups without a member too.
fn groups(
    profile: &Profile,
    name: &str,
    members: &[Vec<String>],
    services: &Services,
    notes: &mut Vec<String>,
) -> Result<Selection> {
    let mut lacking = Vec::new();
    let mut groups = Vec::new();
    for group in members {
        let mut chosen = Vec::new();
        for member in group {
            let Some((_, served)) = provider_of(profile, member) else {
                continue;
            };
            match llm(member, served, services, &mut Vec::new()) {
                Ok(one) => chosen.push(one),
                Err(error) => lacking.push(error),
            }
        }
        if !chosen.is_empty() {
            groups.push(chosen);
        }
    }
    match (groups.is_empty(), lacking.pop()) {
        (true, last) => {
            let next = last.map_or("gw up".to_string(), |error| error.next);
            Err(Error::new(
                format!("no member of {name} is available"),
                next,
            ))
        }
        (false, Some(last)) => {
            notes.push(format!("{name} goes without a member: {}", last.what));
            Ok(Selection::Groups(groups))
        }
        (false, None) => Ok(Selection::Groups(groups)),
    }
}

fn provider_of<'a>(profile: &'a Profile, name: &str) -> Option<(&'a Backend, &'a Llm)> {
    let backend = profile.backends.iter().find(|b| b.name == name)?;
    match &backend.serves {
        Serves::Llm(served) => Some((backend, served)),
        Serves::Groups(_) | Serves::Mcp(_) => None,
    }
}

impl Selected {
    /// Every provider behind it.
    pub fn providers(&self) -> Vec<&Chosen> {
        match &self.serves {
            Selection::Llm(chosen) => vec![chosen],
            Selection::Groups(groups) => groups.iter().flatten().collect(),
            Selection::Mcp { .. } => Vec::new(),
        }
    }

    /// Every Secret that it needs.
    pub fn secrets(&self) -> Vec<&SecretNeed> {
        let targets = match &self.serves {
            Selection::Mcp { targets, .. } => targets.as_slice(),
            Selection::Llm(_) | Selection::Groups(_) => &[],
        };
        let of_targets = targets.iter().filter_map(|target| target.secret.as_ref());
        let of_providers = self.providers().into_iter();
        let of_providers = of_providers.filter_map(|chosen| chosen.secret.as_ref());
        of_providers.chain(of_targets).collect()
    }
}
