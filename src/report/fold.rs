//! What has one reason is told once.

use super::human::failure;
use super::style::Look;
use crate::text;
use crate::verify::check::{Finding, Verdict};

/// What was skipped, each once with its reason; many for one reason are one line.
pub fn skips(findings: &[Finding], look: Look) -> Vec<String> {
    let skipped: Vec<&Finding> = findings
        .iter()
        .filter(|f| f.verdict == Verdict::Skip)
        .collect();
    let mut told: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for finding in &skipped {
        let same = skipped
            .iter()
            .filter(|f| f.summary == finding.summary)
            .count();
        if same < 4 {
            lines.extend(failure(finding, look));
        } else if !told.contains(&finding.summary.as_str()) {
            told.push(&finding.summary);
            let cases = text::count(same, "case");
            lines.push(format!("{} {cases}: {}", look.skipped(), finding.summary));
        }
    }
    lines
}

/// Failures with one cause are told together: a route that is broken fails every case of it.
pub fn folded(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let cause = |finding: &Finding| {
        let cause = finding.facts.iter().find(|(name, _)| name == "cause");
        (cause.map(|(_, text)| text.clone()), finding.next.clone())
    };
    let mut all: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings.iter().filter(|f| f.verdict == Verdict::Fail) {
        let known = all.iter_mut().find(|same| {
            let first = same.first().map(|first| cause(first));
            // Objects are told one by one: each is a thing of its own to mend.
            first.is_some_and(|first| first.0.is_some() && first == cause(finding))
                && !finding.id.starts_with("object.")
        });
        match known {
            Some(same) => same.push(finding),
            None => all.push(vec![finding]),
        }
    }
    all
}

/// The first in full, then the others by their claims.
pub fn failures(same: &[&Finding], look: Look) -> Vec<String> {
    let Some((first, others)) = same.split_first() else {
        return Vec::new();
    };
    let mut lines = failure(first, look);
    let at = lines.len() - usize::from(first.next.is_some());
    let also = others
        .iter()
        .map(|other| format!("    also  {}", other.title));
    lines.splice(at..at, also);
    lines
}
