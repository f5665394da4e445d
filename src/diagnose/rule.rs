//! A rule: a stable code, a claim, the story behind it, and a pure look at a snapshot.

use super::finding::{Found, Severity};
use super::snapshot::Snapshot;
use super::{
    backend, caller, chart, control, gateway, host, key, limits, place, policy, processor, proxy,
    route, service,
};

/// Where a rule can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// A cluster whose API server answers.
    Cluster,
    /// The embedded gateway.
    Embedded,
    /// Objects: of a cluster that answers, or of an embedded gateway that runs.
    Objects,
    /// A request that came back through each route, or did not.
    Probes,
}

pub struct Rule {
    /// Stable: scripts and people remember it.
    pub code: &'static str,
    /// What holds when nothing is wrong.
    pub title: &'static str,
    pub severity: Severity,
    pub needs: Needs,
    /// What `gw explain` tells: what it looks at, why it happens, what to do.
    pub story: &'static str,
    /// Codes of effects: findings of these that concern the same are folded beneath this one's.
    pub explains: &'static [&'static str],
    pub look: fn(&Snapshot) -> Vec<Found>,
}

/// In the order of their codes.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    let groups: [&'static [Rule]; 14] = [
        &place::RULES,
        &policy::RULES,
        &limits::RULES,
        &host::RULES,
        &service::RULES,
        &key::RULES,
        &caller::RULES,
        &chart::RULES,
        &gateway::RULES,
        &backend::RULES,
        &route::RULES,
        &control::RULES,
        &proxy::RULES,
        &processor::RULES,
    ];
    let mut rules: Vec<&'static Rule> = groups.into_iter().flatten().collect();
    rules.sort_by_key(|rule| rule.code);
    rules.into_iter()
}

pub fn named(code: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.code.eq_ignore_ascii_case(code))
}

impl Rule {
    /// Why the rule can't be asked of this snapshot; nothing where it can.
    pub fn skipped(&self, snapshot: &Snapshot) -> Option<&'static str> {
        let answers = snapshot.place.alive;
        if snapshot.taken_back.is_some() && self.code != place::TAKEN_BACK {
            return Some("gw down has begun");
        }
        match self.needs {
            Needs::Nothing => None,
            Needs::Cluster if !snapshot.on_cluster() => Some("there is no cluster"),
            Needs::Cluster if !answers => Some("the cluster does not answer"),
            Needs::Embedded if snapshot.on_cluster() => Some("the gateway is on a cluster"),
            Needs::Objects if !answers => Some("its objects can't be read"),
            Needs::Probes if snapshot.probes.is_empty() => Some("no route was asked"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_every_effect_is_a_rule() {
        let codes: Vec<&str> = all().map(|rule| rule.code).collect();
        let unique: BTreeSet<&str> = codes.iter().copied().collect();
        assert_eq!(codes.len(), unique.len());
        for rule in all() {
            for effect in rule.explains {
                assert!(unique.contains(effect), "{} explains {effect}", rule.code);
                assert_ne!(*effect, rule.code);
            }
        }
    }

    #[test]
    fn no_two_rules_explain_each_other() {
        for rule in all() {
            for effect in rule.explains {
                let other = named(effect).unwrap();
                assert!(
                    !other.explains.contains(&rule.code),
                    "{} and {effect}",
                    rule.code
                );
            }
        }
    }

    #[test]
    fn every_rule_tells_its_story() {
        for rule in all() {
            let words = rule.story.split_whitespace().count();
            assert!(words >= 15, "{} has {words} words", rule.code);
            // Where a fact comes from is for who reads the source.
            assert!(!rule.story.contains("(facts"), "{}", rule.code);
            assert!(rule.code.len() == 5 && rule.code.starts_with("GW"));
        }
    }
}
