//! Causes first, their effects beneath them.

use super::finding::{Found, Severity};
use super::rule::Rule;
use super::snapshot::Snapshot;
use serde::Serialize;

/// Rules that tell of one object that it was changed or deleted.
const OF_OBJECT: [&str; 2] = ["GW007", CHANGED];
const CHANGED: &str = "GW008";
/// A limit that does what it is there for: requests fail, and nothing is broken.
const LIMITED: &str = "GW039";

/// What one rule said.
pub enum Verdict {
    Passed,
    Skipped(&'static str),
    Found(Vec<Finding>),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    pub code: &'static str,
    pub severity: Severity,
    #[serde(flatten)]
    pub found: Found,
    /// What is as it is because of this one.
    pub explains: Vec<Effect>,
    #[serde(skip)]
    effects: &'static [&'static str],
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    pub code: &'static str,
    pub short: String,
}

/// All rules' answers, folded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    pub findings: Vec<Finding>,
    pub passed: usize,
    /// Reasons with how many rules each kept from being asked.
    pub skipped: Vec<(&'static str, usize)>,
    /// How many rules found something, effects included.
    pub tripped: usize,
}

impl Diagnosis {
    /// Whether requests fail, or something that was asked for is not there.
    pub fn has_failed(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Fail)
    }
}

pub fn judge(rule: &'static Rule, snapshot: &Snapshot) -> Verdict {
    if let Some(reason) = rule.skipped(snapshot) {
        return Verdict::Skipped(reason);
    }
    let found = (rule.look)(snapshot);
    if found.is_empty() {
        return Verdict::Passed;
    }
    let finding = |found: Found| Finding {
        code: rule.code,
        severity: rule.severity,
        found: found.told(),
        explains: Vec::new(),
        effects: rule.explains,
    };
    Verdict::Found(found.into_iter().map(finding).collect())
}

pub fn fold(verdicts: Vec<Verdict>) -> Diagnosis {
    let mut all: Vec<Finding> = Vec::new();
    let (mut passed, mut tripped) = (0, 0);
    let mut skipped: Vec<(&'static str, usize)> = Vec::new();
    for verdict in verdicts {
        match verdict {
            Verdict::Passed => passed += 1,
            Verdict::Skipped(reason) => match skipped.iter_mut().find(|(why, _)| *why == reason) {
                Some((_, count)) => *count += 1,
                None => skipped.push((reason, 1)),
            },
            Verdict::Found(findings) => {
                tripped += 1;
                all.extend(findings);
            }
        }
    }
    Diagnosis {
        findings: beneath(all),
        passed,
        skipped,
        tripped,
    }
}

/// Puts every effect beneath the cause that stands highest; what remains is ordered by how much it
/// explains, failures before warnings.
fn beneath(all: Vec<Finding>) -> Vec<Finding> {
    let cause_of = |effect: &Finding| {
        let explains = |cause: &&Finding| {
            cause.effects.contains(&effect.code)
                && cause
                    .found
                    .reaches(&effect.found, OF_OBJECT.contains(&effect.code))
        };
        let causes = all.iter().enumerate().filter(|(_, cause)| explains(cause));
        // What fails says more than what is only odd, and a change most of all may be somebody's wish.
        let weight = |cause: &Finding| (cause.severity, cause.code == CHANGED);
        let first = causes.min_by_key(|(_, cause)| weight(cause));
        first.map(|(index, _)| index)
    };
    let causes: Vec<Option<usize>> = all.iter().map(cause_of).collect();
    // Chains end: no two rules explain each other, and a longer circle is cut after as many steps.
    let root = |start: usize| {
        let mut at = start;
        for _ in 0..all.len() {
            match causes.get(at).copied().flatten() {
                Some(cause) => at = cause,
                None => break,
            }
        }
        at
    };
    let mut top: Vec<(usize, Finding)> = Vec::new();
    for (index, finding) in all.iter().enumerate() {
        if root(index) == index {
            top.push((index, finding.clone()));
        }
    }
    for (index, finding) in all.iter().enumerate() {
        let cause = root(index);
        if cause == index {
            continue;
        }
        let effect = Effect {
            code: finding.code,
            short: finding.found.short.clone(),
        };
        if let Some((_, cause)) = top.iter_mut().find(|(at, _)| *at == cause) {
            if cause.code != LIMITED {
                cause.severity = cause.severity.min(finding.severity);
            }
            if !cause.explains.contains(&effect) {
                cause.explains.push(effect);
            }
        }
    }
    for (_, cause) in &mut top {
        // What callers see comes first.
        cause
            .explains
            .sort_by_key(|effect| (effect.code != "GW040", effect.code));
    }
    let mut findings: Vec<Finding> = top.into_iter().map(|(_, finding)| finding).collect();
    findings.sort_by_key(|f| (f.severity, usize::MAX - f.explains.len(), f.code));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::finding::{Fix, Scope};

    fn finding(
        code: &'static str,
        severity: Severity,
        route: &str,
        effects: &'static [&'static str],
    ) -> Finding {
        let found = Found::new(code, "x", Fix::command("gw up")).short(format!("{code} {route}"));
        let scope = match route {
            "" => Scope::Everything,
            route => Scope::route(route),
        };
        Finding {
            code,
            severity,
            found: found.scope(scope),
            explains: Vec::new(),
            effects,
        }
    }

    #[test]
    fn effects_are_folded_beneath_the_cause_of_the_same_route_only() {
        let all = vec![
            finding("GW040", Severity::Fail, "a", &[]),
            finding("GW040", Severity::Fail, "b", &[]),
            finding("GW014", Severity::Warn, "a", &[]),
            finding("GW021", Severity::Fail, "a", &["GW040"]),
        ];
        let folded = beneath(all);
        let codes: Vec<&str> = folded.iter().map(|f| f.code).collect();
        assert_eq!(codes, ["GW021", "GW040", "GW014"]);
        assert_eq!(folded[0].explains[0].short, "GW040 a");
        assert_eq!(folded[1].found.short, "GW040 b");
    }

    #[test]
    fn a_chain_of_causes_is_folded_beneath_its_first() {
        let all = vec![
            finding("GW040", Severity::Fail, "a", &[]),
            finding("GW033", Severity::Fail, "a", &["GW040"]),
            finding("GW001", Severity::Fail, "", &["GW033"]),
        ];
        let folded = beneath(all);
        assert_eq!(folded.len(), 1);
        let effects: Vec<&str> = folded[0].explains.iter().map(|e| e.code).collect();
        assert_eq!(effects, ["GW040", "GW033"]);
    }
}
