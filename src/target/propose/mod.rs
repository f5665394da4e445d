//! From what a machine shows, what providers said of their keys and what a person answered to one
//! proposal: where, with which profile, and why. Pure.

pub mod document;
pub mod offer;

use super::choose::{Asked, Choice, choose};
use super::detect::candidates;
use super::place::{Candidate, Place};
use crate::error::Result;
use crate::host::facts::Facts;
use crate::plan::select;
use crate::profile::TargetKind;
use crate::text::count;
use document::document;
use offer::{Offer, host_and_port, is_here, provider_of};
use std::collections::{BTreeMap, BTreeSet};

/// What is known before anybody is asked.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub facts: Facts,
    pub offers: Vec<Offer>,
    /// What flags say of the place, and where the environment is already: it does not move.
    pub asked: Asked,
    /// The environment's kind cluster where a profile names none.
    pub usual_cluster: String,
    /// The port of the environment that is there.
    pub last_port: Option<u16>,
}

/// What a person said, when asked; what they left open is decided by what is known.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    pub place: Option<Place>,
    /// Names of backends; `None` for all that can be used.
    pub backends: Option<BTreeSet<String>>,
    pub port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub place: Place,
    /// The same place with what proves it local.
    pub choice: Choice,
    pub why_there: String,
    /// Whether a kind cluster will be created.
    pub creates: bool,
    pub port: u16,
    /// Why it is not the usual port.
    pub why_port: Option<String>,
    /// What will answer.
    pub used: Vec<Offer>,
    /// What could answer and will not.
    pub left_out: Vec<Offer>,
    /// The profile.
    pub document: String,
}

/// One proposal, whatever is there: without a model and a key the mock stands in.
pub fn propose(known: &Known, answers: &Answers) -> Result<Proposal> {
    let choice = place(known, answers)?;
    let (place, why_there) = (choice.place.clone(), choice.reason.clone());
    let (port, why_port) = port(known, answers, &place);
    let wanted = |offer: &Offer| match &answers.backends {
        Some(names) => names.contains(&offer.name),
        None => true,
    };
    let offers = known.offers.iter().cloned();
    let (mut used, left_out): (Vec<Offer>, Vec<Offer>) =
        offers.partition(|offer| offer.lacks.is_none() && wanted(offer));
    if used.is_empty() {
        used.push(Offer::mock());
    }
    let cluster = place.cluster().filter(|name| *name != known.usual_cluster);
    let context = place.context();
    let target = document::Where {
        kind: place.kind(),
        cluster,
        context: context.filter(|_| place.kind() == TargetKind::Context),
    };
    Ok(Proposal {
        document: document(&used, Some(target), port),
        choice,
        creates: known.asked.last.as_ref() != Some(&place) && creates(&known.facts, &place),
        place,
        why_there,
        port,
        why_port,
        used,
        left_out,
    })
}

/// Places that can be chosen, best first, and those that can't.
pub fn choices(known: &Known) -> (Vec<Candidate>, Vec<Candidate>) {
    let found = candidates(&known.facts, &known.asked.own);
    found.into_iter().partition(Candidate::is_usable)
}

fn place(known: &Known, answers: &Answers) -> Result<Choice> {
    let own = answers.place.as_ref().and_then(Place::cluster);
    let own = own.unwrap_or(&known.asked.own).to_string();
    let found = candidates(&known.facts, &own);
    let reason = |place: &Place| {
        let candidate = found.iter().find(|candidate| candidate.place == *place);
        candidate.map(|candidate| candidate.reason.clone())
    };
    if let Some(place) = &answers.place {
        let reason = reason(place).unwrap_or_else(|| "asked for".to_string());
        let asked = Asked {
            target: Some(place.kind()),
            context: place.context().map(str::to_string),
            own,
            ..Asked::default()
        };
        let choice = choose(&asked, &known.facts)?;
        return Ok(Choice { reason, ..choice });
    }
    let choice = choose(&known.asked, &known.facts)?;
    // Somebody who can choose is told what for, not with which flag.
    let others = found
        .iter()
        .filter(|candidate| candidate.is_usable())
        .count();
    let others = others.saturating_sub(1);
    match reason(&Place::Embedded) {
        Some(reason) if choice.place == Place::Embedded && !known.asked.is_decided() => {
            let reason = match others {
                0 => reason,
                others => format!("{reason}; [t] has {}", count(others, "other place")),
            };
            Ok(Choice { reason, ..choice })
        }
        _ => Ok(choice),
    }
}

/// Whether a place is a kind cluster that is not there.
fn creates(facts: &Facts, place: &Place) -> bool {
    let Some(cluster) = place.cluster() else {
        return false;
    };
    let mut nodes = facts.docker.containers.iter();
    !nodes.any(|node| node.product == "kind" && node.cluster == cluster)
}

/// The port that was asked for, that the environment or the cluster has, or that is free.
fn port(known: &Known, answers: &Answers, place: &Place) -> (u16, Option<String>) {
    let facts = &known.facts.port;
    let stays = known.asked.last.as_ref() == Some(place);
    if let Some(port) = answers.port {
        let has = stays && known.last_port == Some(port) || mapped(&known.facts, place).is_some();
        let taken = facts
            .owner
            .as_ref()
            .filter(|_| facts.number == port && !has);
        return (
            port,
            taken.map(|owner| format!("{port} is taken by {owner}")),
        );
    }
    if let Some(port) = known.last_port.filter(|_| stays) {
        return (port, None);
    }
    if let Some(port) = mapped(&known.facts, place) {
        let why = (port != facts.number).then(|| "the cluster's port mapping".to_string());
        return (port, why);
    }
    match (&facts.owner, facts.next) {
        (Some(owner), Some(next)) => {
            let why = format!("{} is taken by {owner}, {next} is free", facts.number);
            (next, Some(why))
        }
        _ => (facts.number, None),
    }
}

/// The port of this machine that leads to a gateway in a cluster that is there: a mapping is made
/// when the cluster is.
fn mapped(facts: &Facts, place: &Place) -> Option<u16> {
    let Place::Kind { cluster } = place else {
        return None;
    };
    let context = format!("kind-{cluster}");
    let server = facts.contexts.iter().find(|c| c.name == context);
    let server = server.and_then(|c| url::Url::parse(&c.server).ok()?.port());
    let mut nodes = facts.docker.containers.iter();
    let node = nodes.find(|node| node.product == "kind" && node.cluster == *cluster)?;
    let mut ports = node.published.iter().filter(|port| Some(**port) != server);
    match ports.clone().any(|port| *port == facts.port.number) {
        true => Some(facts.port.number),
        false => ports.next().copied(),
    }
}

/// The model servers that were found, as a plan takes them.
pub fn services(facts: &Facts) -> Vec<select::Service> {
    let here = |service: &crate::host::facts::Service| {
        let (host, port) = host_and_port(service)?;
        Some(select::Service {
            provider: provider_of(service)?,
            port: Some(port).filter(|_| is_here(host))?,
            models: service.models.iter().map(|m| m.name.clone()).collect(),
        })
    };
    facts.services.iter().filter_map(here).collect()
}

/// Models of those that are elsewhere, by backend.
pub fn elsewhere(facts: &Facts) -> BTreeMap<String, Vec<String>> {
    let there = |service: &crate::host::facts::Service| {
        let (host, _) = host_and_port(service)?;
        let name = provider_of(service)?.ways().name.to_string();
        let models = service.models.iter().map(|m| m.name.clone()).collect();
        (!is_here(host)).then_some((name, models))
    };
    facts.services.iter().filter_map(there).collect()
}

#[cfg(test)]
mod tests;
