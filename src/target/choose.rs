//! Which place it is, when nobody can be asked (architecture, decisions 9 and 12). Pure.

use super::detect::{candidates, judge, proposal, unsupported};
use super::place::{Candidate, Locality, Place, Product};
use crate::error::{Error, Exit, Result};
use crate::host::facts::{Answer, Context, Facts};
use crate::profile::TargetKind;
use crate::text;

/// What was said about the place, by flags, by the environment's last run, by the profile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asked {
    /// By --target.
    pub target: Option<TargetKind>,
    /// By --context.
    pub context: Option<String>,
    /// Where the environment is.
    pub last: Option<Place>,
    pub profile: Option<TargetKind>,
    pub profile_context: Option<String>,
    /// The kind cluster that is ours, or would be made.
    pub own: String,
}

/// What has to be looked at before a choice can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs<'a> {
    Nothing,
    /// One context, whatever it leads to.
    Context(&'a str),
    Everything,
}

/// A place, and why it is this one, for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub place: Place,
    pub reason: String,
    pub locality: Locality,
    /// Address of the API server of a cluster that is there already.
    pub server: String,
    /// Whether --context named it: only then may it be a cluster that is not proved local.
    pub named: bool,
}

impl Asked {
    /// Whether somebody has said where: then what is there has no say.
    pub fn is_decided(&self) -> bool {
        let said = self.target.is_some() || self.context.is_some();
        said || self.last.is_some() || self.profile.is_some()
    }

    pub fn needs(&self) -> Needs<'_> {
        let last = self.last.as_ref();
        match (&self.context, self.target, last, self.profile) {
            (Some(name), ..) => Needs::Context(name),
            (_, Some(TargetKind::Kind | TargetKind::Embedded), ..) => Needs::Nothing,
            (_, Some(TargetKind::OrbStack | TargetKind::Context), ..) => Needs::Everything,
            (_, _, Some(last), _) => last.context().map_or(Needs::Nothing, Needs::Context),
            (_, _, _, Some(TargetKind::Context)) => match &self.profile_context {
                Some(name) => Needs::Context(name),
                None => Needs::Everything,
            },
            (_, _, _, Some(TargetKind::Kind | TargetKind::Embedded)) => Needs::Nothing,
            (_, _, _, Some(TargetKind::OrbStack) | None) => Needs::Everything,
        }
    }
}

/// The flags', else the environment's last, else the profile's, else the best that is there: OrbStack
/// with Kubernetes, our own kind cluster, the embedded gateway. A cluster is never created unasked.
/// What was asked for and can't be used is an error with the reason, and nothing else is taken.
pub fn choose(asked: &Asked, facts: &Facts) -> Result<Choice> {
    if let Some(name) = &asked.context {
        let mut choice = by_name(asked, facts, name, asked.target)?;
        choice.reason = "asked for by --context".to_string();
        choice.named = true;
        return Ok(choice);
    }
    if let Some(target) = asked.target {
        return by_sort(asked, facts, target, "asked for by --target");
    }
    if let Some(last) = &asked.last {
        let reason = "this environment's last target";
        return match last.context() {
            Some(name) => Ok(Choice {
                reason: reason.to_string(),
                ..by_name(asked, facts, name, Some(last.kind()))?
            }),
            None => Ok(here(last.clone(), reason)),
        };
    }
    if let Some(target) = asked.profile {
        let reason = "asked for by the profile";
        return match &asked.profile_context {
            Some(name) if target == TargetKind::Context => Ok(Choice {
                reason: reason.to_string(),
                ..by_name(asked, facts, name, Some(target))?
            }),
            _ => by_sort(asked, facts, target, reason),
        };
    }
    let found = candidates(facts, &asked.own);
    match proposal(&found) {
        Some(best) if best.place != Place::Embedded => Ok(of(facts, best, &best.reason)),
        _ => Ok(here(Place::Embedded, &no_cluster(facts))),
    }
}

/// A place that is this machine by its nature.
fn here(place: Place, reason: &str) -> Choice {
    Choice {
        place,
        reason: reason.to_string(),
        locality: Locality::Local("it is on this machine".to_string()),
        server: String::new(),
        named: false,
    }
}

fn of(facts: &Facts, candidate: &Candidate, reason: &str) -> Choice {
    let name = candidate.place.context();
    let context = facts.contexts.iter().find(|c| name == Some(&c.name));
    Choice {
        place: candidate.place.clone(),
        reason: reason.to_string(),
        locality: candidate.locality.clone(),
        server: context.map(|c| c.server.clone()).unwrap_or_default(),
        named: false,
    }
}

/// The cluster to which a context leads. A target that was named with it decides how it is used.
fn by_name(asked: &Asked, facts: &Facts, name: &str, target: Option<TargetKind>) -> Result<Choice> {
    let Some(context) = facts.contexts.iter().find(|c| c.name == name) else {
        return Err(Error::usage(
            format!("there is no context `{name}` in the kubeconfig"),
            "kubectl config get-contexts",
        ));
    };
    let mut candidate = judge(facts, context, &asked.own);
    match target {
        None => {}
        Some(TargetKind::Context) => {
            candidate.place = Place::Context {
                name: name.to_string(),
                product: super::locality::product(context),
            };
        }
        Some(target) if candidate.place.kind() == target => {}
        Some(target) => {
            let what = format!(
                "context `{name}` leads to no cluster of --target {}",
                target.name()
            );
            let next = format!("gw up --context {}", text::shell(name));
            return Err(Error::usage(what, next));
        }
    }
    match &candidate.obstacle {
        Some(why) => Err(unusable(context, &candidate.place, why)),
        None => Ok(of(facts, &candidate, "")),
    }
}

/// The best place of a sort.
fn by_sort(asked: &Asked, facts: &Facts, target: TargetKind, reason: &str) -> Result<Choice> {
    match target {
        TargetKind::Kind => {
            let cluster = asked.own.clone();
            return Ok(here(Place::Kind { cluster }, reason));
        }
        TargetKind::Embedded => return Ok(here(Place::Embedded, reason)),
        TargetKind::OrbStack | TargetKind::Context => {}
    }
    let found = candidates(facts, &asked.own);
    let mut of_sort = found.iter().filter(|c| c.place.kind() == target);
    let mut usable = of_sort.clone().filter(|c| c.is_usable());
    let ways: Vec<String> = usable.clone().map(|c| c.place.name()).collect();
    match (usable.next(), target) {
        (Some(best), TargetKind::Context) if ways.len() > 1 && !is_current(facts, best) => {
            let next = format!(
                "gw up --context {}",
                text::shell(best.place.context().unwrap_or(""))
            );
            let error = Error::usage("--target context needs --context NAME", next);
            Err(error.fact(format!("there are: {}", ways.join(", "))))
        }
        (Some(best), _) => Ok(of(facts, best, reason)),
        (None, TargetKind::OrbStack) => {
            let error = Error::new("OrbStack's Kubernetes can't be used", "orb start k8s");
            let why = of_sort.next().map(|c| match &c.obstacle {
                Some(obstacle) => obstacle.clone(),
                None => c.locality.evidence().to_string(),
            });
            let why = why.unwrap_or_else(|| "there is no context of it".to_string());
            Err(error.exit(Exit::NoTarget).fact(why))
        }
        (None, _) => {
            let what = "no context leads to a cluster that is proved to be on this machine";
            let error = Error::new(what, "gw detect").exit(Exit::NoTarget);
            Err(of_sort.fold(error, |error, c| {
                let why = c.obstacle.as_deref().unwrap_or(c.locality.evidence());
                error.fact(format!("{}: {why}", c.place.name()))
            }))
        }
    }
}

fn is_current(facts: &Facts, candidate: &Candidate) -> bool {
    let name = candidate.place.context();
    let mut contexts = facts.contexts.iter();
    contexts.any(|context| context.current && name == Some(&context.name))
}

/// A context that was asked for and can't be used, with what would make it usable.
fn unusable(context: &Context, place: &Place, why: &str) -> Error {
    let name = text::shell(&context.name);
    let rest = |prefix| text::shell(context.name.strip_prefix(prefix).unwrap_or(&context.name));
    let is_unsupported = matches!(&context.answer, Some(Answer::Cluster { version, .. }) if unsupported(version).is_some());
    let next = match place {
        _ if is_unsupported => "gw detect".to_string(),
        Place::OrbStack { .. } => "orb start k8s".to_string(),
        Place::Context { product, .. } => match product {
            Product::Kind => format!("docker start {}-control-plane", rest("kind-")),
            Product::K3d => format!("k3d cluster start {}", rest("k3d-")),
            Product::Minikube => format!("minikube start -p {name}"),
            Product::Colima
            | Product::DockerDesktop
            | Product::RancherDesktop
            | Product::OrbStack
            | Product::Unknown => format!("kubectl --context {name} get nodes"),
        },
        Place::Kind { .. } | Place::NewKind { .. } | Place::Embedded => "gw detect".to_string(),
    };
    let what = format!("context {} can't be used: {why}", context.name);
    let error = Error::new(what, next).exit(Exit::NoTarget);
    error.fact(format!("its API server is {}", context.server))
}

/// Why the embedded gateway is taken.
fn no_cluster(facts: &Facts) -> String {
    match (&facts.docker.address, &facts.docker.reason) {
        (None, Some(why)) => format!("no cluster: Docker does not answer; {why}"),
        (None, None) => "no cluster: Docker does not answer".to_string(),
        (Some(_), _) => {
            "no cluster of ours is there, and none is created unasked (--target kind creates one)"
                .to_string()
        }
    }
}

#[cfg(test)]
mod tests;
