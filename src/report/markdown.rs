//! Markdown for a pull request or the summary of a step: what failed first, then everything.

use super::proof::Report;
use crate::text;
use crate::verify::check::{Finding, Verdict};
use std::time::Duration;

pub fn write(report: &Report<'_>) -> String {
    let failed: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fail)
        .collect();
    let state = match failed.is_empty() {
        true => "proved",
        false => "not proved",
    };
    let mut lines = vec![
        format!("### Gateway {}: {state}", cell(report.environment)),
        String::new(),
        format!("{}, {}", cell(report.base), report.summary()),
    ];
    for finding in &failed {
        lines.extend(failure(finding));
    }
    lines.extend(["", "| | case | | time |", "|---|---|---|---:|"].map(str::to_string));
    lines.extend(report.findings.iter().map(row));
    lines.join("\n") + "\n"
}

fn failure(finding: &Finding) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!("**{}**: {}", cell(&finding.title), cell(&finding.summary)),
        String::new(),
    ];
    let facts = finding.facts.iter();
    lines.extend(facts.map(|(name, text)| format!("- {name}: {}", code(text))));
    lines.extend(
        finding
            .next
            .iter()
            .map(|next| format!("- next: {}", code(next))),
    );
    lines
}

fn row(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Pass => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "**fail**",
        Verdict::Skip => "skip",
    };
    let about = match (&finding.route, finding.summary.as_str()) {
        (Some(route), "") => format!("{} {}", route.model, route.status),
        (_, summary) => summary.to_string(),
    };
    let time = text::duration(Duration::from_secs_f64(finding.seconds.max(0.0)));
    format!(
        "| {verdict} | {} | {} | {time} |",
        cell(&finding.title),
        cell(&about)
    )
}

/// A text in which nothing is markup, and which ends no cell.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => cell.push(' '),
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#' => {
                cell.push('\\');
                cell.push(c);
            }
            c => cell.push(c),
        }
    }
    cell
}

/// Code in as many backticks as it has not.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let mut fence = "`".to_string();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence} {text} {fence}")
}
