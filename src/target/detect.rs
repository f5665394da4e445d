//! From facts to ranked candidates with reasons. Pure (architecture, decisions 9 and 12).
//!
//! The one decider: `gw detect`, the guide and `gw up` all ask here. `host::look::look` gathers the
//! facts (`look::places` only those that matter here); `candidates` ranks every place, best first;
//! `choose::choose` says which one it is without a person. Where a person is there, show the
//! candidates, propose `choose::choose`'s, and pass the chosen `Place::flags` on to `gw up`: what
//! `choose` takes for those flags is that very place.

use super::locality::{locality, product};
use super::place::{Candidate, Locality, Place, Product};
use crate::host::facts::{Answer, Context, Facts};

/// Every candidate, best first. `own` is the name of the kind cluster that is ours or would be made:
/// `place::DEFAULT_CLUSTER` where nobody names another.
pub fn candidates(facts: &Facts, own: &str) -> Vec<Candidate> {
    let mut found: Vec<(u32, Candidate)> = facts
        .contexts
        .iter()
        .map(|context| of_context(facts, context, own))
        .collect();
    found.extend(without_context(facts, own));
    found.extend(new_kind(facts, own));
    let embedded = Candidate {
        place: Place::Embedded,
        locality: Locality::Local("it is this program".to_string()),
        reason: "no cluster needed, ready in under a second".to_string(),
        obstacle: None,
    };
    found.push((weight(&Place::Embedded, own), embedded));
    // Stable, so that equal candidates keep the kubeconfig's order.
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The one to propose. Never one that would have to be created or that is not proved local.
pub fn proposal(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().find(|candidate| candidate.is_usable())
}

/// Whether another candidate is as good as the proposed one: then a person is asked.
pub fn is_tied(candidates: &[Candidate]) -> bool {
    let Some(first) = proposal(candidates) else {
        return false;
    };
    let sort = |place: &Place| std::mem::discriminant(place);
    let same = |c: &&Candidate| sort(&c.place) == sort(&first.place) && c.reason == first.reason;
    let usable = candidates.iter().filter(|c| c.is_usable());
    usable.filter(same).count() > 1
}

/// Which sort of place comes first: architecture, decision 12.
fn weight(place: &Place, own: &str) -> u32 {
    match place {
        Place::OrbStack { .. } => 10,
        Place::Kind { cluster } if cluster == own => 20,
        Place::Embedded => 40,
        Place::Kind { .. } | Place::Context { .. } => 50,
        Place::NewKind { .. } => 60,
    }
}

/// The cluster to which one context leads.
pub fn judge(facts: &Facts, context: &Context, own: &str) -> Candidate {
    of_context(facts, context, own).1
}

/// A candidate and its rank: less is better.
fn of_context(facts: &Facts, context: &Context, own: &str) -> (u32, Candidate) {
    let product = product(context);
    let locality = locality(facts, context, product);
    let cluster = context.name.strip_prefix("kind-");
    let place = match product {
        Product::OrbStack => Place::OrbStack {
            context: context.name.clone(),
        },
        Product::Kind if cluster == Some(own) => Place::Kind {
            cluster: own.to_string(),
        },
        _ => Place::Context {
            name: context.name.clone(),
            product,
        },
    };
    let stopped = cluster.is_some_and(|cluster| is_stopped(facts, cluster));
    let is_own = matches!(place, Place::Kind { .. });
    let obstacle = match (stopped, is_own) {
        (true, true) => None,
        (true, false) => Some("its container is stopped".to_string()),
        (false, _) => obstacle(context),
    };
    let mut rank = weight(&place, own);
    // Among others of its sort, the one that kubectl uses comes first.
    if context.current && matches!(place, Place::Context { .. }) {
        rank -= 1;
    }
    rank += match (locality.is_local(), obstacle.is_some()) {
        (true, false) => 0,
        (true, true) => 100,
        (false, _) => 200,
    };
    let reason = match &place {
        Place::OrbStack { .. } => "OrbStack has a load balancer on localhost".to_string(),
        Place::Kind { .. } if stopped => "our kind cluster is there, stopped".to_string(),
        Place::Kind { .. } => "our kind cluster is there".to_string(),
        _ if context.current => "kubectl's current context".to_string(),
        _ => format!("{} is there", product.title()),
    };
    let candidate = Candidate {
        place,
        locality,
        reason,
        obstacle,
    };
    (rank, candidate)
}

/// Whether a kind cluster's container is on this machine and stopped, as a reboot leaves it.
fn is_stopped(facts: &Facts, cluster: &str) -> bool {
    let mut nodes = facts.docker.containers.iter();
    nodes.any(|node| node.product == "kind" && node.cluster == cluster && !node.running)
}

/// Why a context can't be used as it is.
fn obstacle(context: &Context) -> Option<String> {
    match &context.answer {
        None => None,
        Some(Answer::None { why }) => Some(format!("its API server: {why}")),
        Some(Answer::Cluster { version, .. }) => unsupported(version),
    }
}

/// What is wrong with a Kubernetes version; kgateway v2.2 supports 1.31 to 1.35 (facts 1.1).
pub fn unsupported(version: &str) -> Option<String> {
    let mut parts = version.trim_start_matches('v').split('.');
    let major: u32 = parts.next()?.parse().ok()?;
    let minor: u32 = parts.next()?.trim_end_matches('+').parse().ok()?;
    let fits = major == 1 && (31..=35).contains(&minor);
    (!fits).then(|| format!("Kubernetes {version}; kgateway v2.2 takes 1.31-1.35"))
}

/// kind clusters that no context leads to.
fn without_context(facts: &Facts, own: &str) -> Vec<(u32, Candidate)> {
    let mut found: Vec<(u32, Candidate)> = Vec::new();
    let nodes = facts.docker.containers.iter();
    for node in nodes.filter(|c| c.product == "kind") {
        let context = format!("kind-{}", node.cluster);
        let place = Place::Kind {
            cluster: node.cluster.clone(),
        };
        let known = facts.contexts.iter().any(|c| c.name == context)
            || found.iter().any(|(_, c)| c.place == place);
        if known {
            continue;
        }
        let is_own = node.cluster == own;
        let candidate = Candidate {
            locality: Locality::Local(format!("container {} is on this machine", node.name)),
            reason: match (is_own, node.running) {
                (true, true) => "our kind cluster is there".to_string(),
                (true, false) => "our kind cluster is there, stopped".to_string(),
                (false, _) => "kind is there".to_string(),
            },
            obstacle: match (is_own, node.running) {
                (true, _) => None,
                (false, true) => Some("no context of the kubeconfig leads to it".to_string()),
                (false, false) => Some("its container is stopped".to_string()),
            },
            place,
        };
        let rank = weight(&candidate.place, own) + 100 * u32::from(candidate.obstacle.is_some());
        found.push((rank, candidate));
    }
    found
}

/// A cluster that could be created: only where Docker answers, and never unasked.
fn new_kind(facts: &Facts, own: &str) -> Option<(u32, Candidate)> {
    let mut containers = facts.docker.containers.iter();
    let has_own = containers.any(|c| c.product == "kind" && c.cluster == own);
    if has_own || facts.docker.address.is_none() {
        return None;
    }
    let has = |name: &str| facts.programs.iter().any(|program| program.name == name);
    let missing: Vec<&str> = ["kind", "helm"]
        .into_iter()
        .filter(|name| !has(name))
        .collect();
    let obstacle = match missing.as_slice() {
        [] => None,
        missing => Some(format!("{} not on PATH", crate::text::list(missing))),
    };
    let candidate = Candidate {
        place: Place::NewKind {
            cluster: own.to_string(),
        },
        locality: Locality::Local(format!("in {} on this machine", facts.docker.product)),
        reason: "a cluster of its own, created when asked for".to_string(),
        obstacle,
    };
    let rank = weight(&candidate.place, own) + 100 * u32::from(candidate.obstacle.is_some());
    Some((rank, candidate))
}
