//! Findings as in `screens.md`: the cause, where, evidence; what it explains; one exact next step.

use super::style::Look;
use crate::diagnose::finding::{Change, Fix, Severity};
use crate::diagnose::fix::show::Line;
use crate::diagnose::fold::{Diagnosis, Finding};
use crate::diagnose::rule::{self, Rule};
use crate::text;

const WIDTH: usize = 79;
/// Under the title, past code and mark.
const INDENT: usize = 8;

/// All findings and the sum of it. `complete` makes a suggested command one that can be typed.
pub fn findings(diagnosis: &Diagnosis, complete: &dyn Fn(&str) -> String, look: Look) -> String {
    let mut lines = Vec::new();
    for finding in &diagnosis.findings {
        lines.extend(self::finding(finding, complete, look));
    }
    lines.push(sum(diagnosis));
    lines.join("\n") + "\n"
}

fn finding(finding: &Finding, complete: &dyn Fn(&str) -> String, look: Look) -> Vec<String> {
    let found = &finding.found;
    let mark = match finding.severity {
        Severity::Fail => look.bad(),
        Severity::Warn => look.warned(),
    };
    let head = format!("{} {mark} {}", look.bold(finding.code), found.title);
    let gap = WIDTH
        .saturating_sub(console::measure_text_width(&head) + found.subject.chars().count())
        .max(2);
    let mut lines = vec![format!("{head}{:gap$}{}", "", look.dim(&found.subject))];
    lines.extend(wrapped(&found.cause, INDENT));
    for evidence in &found.evidence {
        let line = format!("{}: {}", evidence.source, evidence.text.replace('\n', " "));
        lines.extend(
            wrapped(&line, INDENT + 2)
                .into_iter()
                .map(|line| look.dim(&line)),
        );
    }
    if !finding.explains.is_empty() {
        let effects: Vec<String> = finding
            .explains
            .iter()
            .map(|e| format!("{} {}", e.code, e.short))
            .collect();
        lines.extend(wrapped(
            &format!("explains: {}", effects.join(", ")),
            INDENT,
        ));
    }
    let next = complete(&next(finding));
    lines.push(format!(
        "{:width$}{} {}",
        "",
        look.arrow(),
        look.bold(&next),
        width = INDENT - 2
    ));
    lines
}

/// The one thing to do.
pub fn next(finding: &Finding) -> String {
    match &finding.found.fix {
        Fix::Command(command) => command.clone(),
        Fix::Change(_) => format!("gw debug --fix {}", finding.code),
    }
}

/// What a fix would do, in a few words.
pub fn change(change: &Change) -> String {
    match change {
        Change::Restore(thing) => format!("{} again as gw applied it", thing.title()),
        Change::Rewire { service } => format!("the way to {service} looked for again"),
        Change::Scale {
            deployment,
            from,
            to,
            ..
        } => format!("Deployment {deployment} scaled from {from} to {to}"),
        Change::Restart => "the embedded gateway started, with all that it was given".to_string(),
    }
}

/// A change as a diff.
pub fn diff(lines: &[Line], look: Look) -> String {
    let text = |line: &Line| match line {
        Line::Head(text) => format!("  {}", look.bold(text)),
        Line::Place(text) => format!("    {}", look.dim(text)),
        Line::Minus(text) => look.red(&format!("    - {text}")),
        Line::Plus(text) => look.green(&format!("    + {text}")),
    };
    lines
        .iter()
        .map(|line| format!("{}\n", text(line)))
        .collect()
}

fn sum(diagnosis: &Diagnosis) -> String {
    let mut parts = vec![format!("{} passed", text::count(diagnosis.passed, "rule"))];
    if diagnosis.tripped > 0 {
        parts.push(format!("{} found something", diagnosis.tripped));
    }
    for (reason, count) in &diagnosis.skipped {
        parts.push(format!("{count} skipped ({reason})"));
    }
    parts.join(", ")
}

/// Words on lines of the screen's width.
pub fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let full = indent + line.chars().count() + 1 + word.chars().count() > WIDTH;
        if full && !line.is_empty() {
            lines.push(format!("{:indent$}{line}", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(format!("{:indent$}{line}", ""));
    }
    lines
}

/// The story of one rule, from its own text.
pub fn story(rule: &Rule, look: Look) -> String {
    let weight = match rule.severity {
        Severity::Fail => "failure",
        Severity::Warn => "warning",
    };
    let mut lines = vec![
        format!(
            "{} {}  {}",
            look.bold(rule.code),
            rule.title,
            look.dim(weight)
        ),
        String::new(),
    ];
    lines.extend(wrapped(rule.story, 2));
    if !rule.explains.is_empty() {
        lines.push(String::new());
        lines.push("  What it explains where it is found:".to_string());
        let effects = rule.explains.iter().filter_map(|code| rule::named(code));
        lines.extend(effects.map(|effect| format!("    {} {}", effect.code, effect.title)));
    }
    lines.join("\n") + "\n"
}

/// Every rule with its claim.
pub fn list(look: Look) -> String {
    let lines: Vec<String> = rule::all()
        .map(|rule| format!("{} {}", look.bold(rule.code), rule.title))
        .collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::snapshot::tests::{answered, healthy};

    const PLAIN: Look = Look {
        terminal: true,
        colour: false,
    };

    #[test]
    fn a_finding_reads_as_in_the_sketch() {
        let mut snapshot = answered(
            healthy(),
            "ollama",
            503,
            "upstream call failed: Connect: Connection refused (os error 111)",
        );
        snapshot.processes[0].alive = false;
        let text = findings(
            &crate::diagnose::diagnose(&snapshot),
            &|next| next.to_string(),
            PLAIN,
        );
        let expected = "\
GW021 ✗ the relay to Ollama runs                                           host
        its process 4711 has ended
          process relay-ollama: its process 4711 has ended
        explains: GW040 /ollama answers 503, GW038 nothing answers at
        host-ollama.kgateway-system.svc.cluster.local:11434
      → gw debug --fix GW021
";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn words_stay_within_the_screen_and_none_is_lost() {
        let lines = wrapped(&"word ".repeat(40), 8);
        assert_eq!(
            lines
                .iter()
                .map(|line| line.split_whitespace().count())
                .sum::<usize>(),
            40
        );
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }
}
