//! Which place it is, when nobody can be asked (architecture, decision 12). Pure.

use super::detect::{candidates, proposal};
use super::place::Place;
use crate::host::facts::Facts;
use crate::profile::TargetKind;

/// What was said about the place, by flags, by the environment's last run, by the profile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asked {
    /// By flag.
    pub target: Option<TargetKind>,
    /// Where the environment is.
    pub last: Option<Place>,
    pub profile: Option<TargetKind>,
    /// The kind cluster that is ours, or would be made.
    pub own: String,
}

impl Asked {
    /// Whether what is on this machine has no say any more: then nothing need be looked at.
    pub fn is_decided(&self) -> bool {
        self.target.is_some() || self.last.is_some() || self.profile.is_some()
    }
}

/// A place, and why it is this one, for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub place: Place,
    pub reason: String,
}

/// The flag's, else the environment's last, else the profile's, else the best that is there: OrbStack
/// with Kubernetes, our own kind cluster, the embedded gateway. A cluster is never created unasked.
pub fn choose(asked: &Asked, facts: &Facts) -> Choice {
    let because = |place, reason: &str| Choice {
        place,
        reason: reason.to_string(),
    };
    let named = |target: TargetKind| match target {
        TargetKind::Kind => Place::Kind {
            cluster: asked.own.clone(),
        },
        TargetKind::Embedded => Place::Embedded,
    };
    if let Some(target) = asked.target {
        return because(named(target), "asked for by --target");
    }
    if let Some(last) = &asked.last {
        return because(last.clone(), "this environment's last target");
    }
    if let Some(target) = asked.profile {
        return because(named(target), "asked for by the profile");
    }
    let found = candidates(facts, &asked.own);
    match proposal(&found) {
        Some(best) if best.place != Place::Embedded => because(best.place.clone(), &best.reason),
        _ => because(Place::Embedded, &no_cluster(facts)),
    }
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
mod tests {
    use super::*;
    use crate::host::facts::{Container, Docker};

    /// A machine with our kind cluster.
    fn machine() -> Facts {
        Facts {
            docker: Docker {
                address: Some("unix:///var/run/docker.sock".into()),
                containers: vec![Container {
                    name: "gatewright-control-plane".into(),
                    product: "kind".into(),
                    cluster: "gatewright".into(),
                    running: true,
                    published: Vec::new(),
                }],
                ..Docker::default()
            },
            ..Facts::default()
        }
    }

    fn nothing_said() -> Asked {
        Asked {
            own: "gatewright".into(),
            ..Asked::default()
        }
    }

    #[test]
    fn what_was_said_wins_over_what_is_found() {
        let own = Place::Kind {
            cluster: "gatewright".into(),
        };
        let asked = nothing_said();
        assert_eq!(choose(&asked, &Facts::default()).place, Place::Embedded);
        assert_eq!(choose(&asked, &machine()).place, own);
        let profile = Asked {
            profile: Some(TargetKind::Embedded),
            ..asked
        };
        assert_eq!(choose(&profile, &machine()).place, Place::Embedded);
        let last = Asked {
            last: Some(own.clone()),
            ..profile
        };
        assert_eq!(choose(&last, &Facts::default()).place, own);
        let flag = Asked {
            target: Some(TargetKind::Embedded),
            ..last
        };
        assert_eq!(choose(&flag, &machine()).place, Place::Embedded);
    }

    #[test]
    fn an_embedded_gateway_says_why_it_is_no_cluster() {
        let facts = Facts {
            docker: Docker {
                reason: Some("no Docker socket found".into()),
                ..Docker::default()
            },
            ..Facts::default()
        };
        let reason = choose(&nothing_said(), &facts).reason;
        let expected = "no cluster: Docker does not answer; no Docker socket found";
        assert_eq!(reason, expected);
    }
}
