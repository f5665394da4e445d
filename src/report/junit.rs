//! JUnit's XML as viewers of CI read it: one suite for each sort of case.
//!
//! There is no one standard. It is what the strictest takes, the schema by which Jenkins' xUnit plugin
//! validates (`junit-10.xsd`), with what others can't do without: GitLab shows the text of a failure and
//! not its message, dorny/test-reporter reads the time of each suite.

use super::proof::Report;
use crate::verify::check::{Finding, Verdict};

pub fn write(report: &Report<'_>) -> String {
    let mut sorts: Vec<&str> = Vec::new();
    for finding in report.findings {
        let sort = sort(finding);
        if !sorts.contains(&sort) {
            sorts.push(sort);
        }
    }
    let all: Vec<&Finding> = report.findings.iter().collect();
    let name = format!("gw test {}", report.environment);
    let head = [
        ("name", name),
        ("tests", all.len().to_string()),
        ("failures", failures(&all)),
        ("errors", "0".to_string()),
        ("time", seconds(report.took.as_secs_f64())),
    ];
    let mut lines = vec![
        r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_string(),
        tag("testsuites", &head, ""),
    ];
    for wanted in sorts {
        let mine = report.findings.iter().filter(|f| sort(f) == wanted);
        suite(&mut lines, wanted, &mine.collect::<Vec<_>>(), report);
    }
    lines.push("</testsuites>".to_string());
    lines.join("\n") + "\n"
}

fn suite(lines: &mut Vec<String>, name: &str, findings: &[&Finding], report: &Report<'_>) {
    let skipped = findings.iter().filter(|f| f.verdict == Verdict::Skip);
    // Cases run side by side: of a suite the longest is its time, their sum would be none.
    let longest = findings.iter().map(|f| f.seconds).fold(0.0, f64::max);
    let head = [
        ("name", name.to_string()),
        ("tests", findings.len().to_string()),
        ("failures", failures(findings)),
        ("errors", "0".to_string()),
        ("skipped", skipped.count().to_string()),
        ("time", seconds(longest)),
    ];
    lines.push(format!("  {}", tag("testsuite", &head, "")));
    for finding in findings {
        case(lines, finding, report.environment);
    }
    lines.push("  </testsuite>".to_string());
}

fn case(lines: &mut Vec<String>, finding: &Finding, environment: &str) {
    let head = [
        ("name", finding.title.clone()),
        ("classname", format!("{environment}.{}", finding.id)),
        ("time", seconds(finding.seconds)),
    ];
    let (element, kind, text) = match finding.verdict {
        Verdict::Pass | Verdict::Warn => {
            lines.push(format!("    {}", tag("testcase", &head, "/")));
            return;
        }
        Verdict::Skip => ("skipped", "skipped", finding.summary.clone()),
        Verdict::Fail => {
            let text = format!("{}\n{}", finding.summary, told(finding));
            ("failure", sort(finding), text.trim_end().to_string())
        }
    };
    let about = [
        ("message", finding.summary.clone()),
        ("type", kind.to_string()),
    ];
    lines.push(format!("    {}", tag("testcase", &head, "")));
    let open = tag(element, &about, "");
    lines.push(format!("      {open}{}</{element}>", escaped(&text, false)));
    lines.push("    </testcase>".to_string());
}

fn sort(finding: &Finding) -> &str {
    match finding.sort.as_str() {
        "" => finding.id.split('.').next().unwrap_or("gateway"),
        sort => sort,
    }
}

fn failures(findings: &[&Finding]) -> String {
    let failed = findings.iter().filter(|f| f.verdict == Verdict::Fail);
    failed.count().to_string()
}

/// A number without an exponent, which is all that the schema takes.
fn seconds(time: f64) -> String {
    format!("{:.3}", time.clamp(0.0, 1e9))
}

fn tag(name: &str, attributes: &[(&str, String)], end: &str) -> String {
    let attributes = attributes.iter();
    let attributes: String = attributes
        .map(|(name, value)| format!(r#" {name}="{}""#, escaped(value, true)))
        .collect();
    format!("<{name}{attributes}{end}>")
}

/// Text as XML 1.0 can hold it: what is no `Char` of its section 2.2 is left out, and `>` never stands
/// bare, because of `]]>`. In an attribute a line's end would be read as a blank (3.3.3).
fn escaped(text: &str, is_attribute: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            '\n' | '\t' if is_attribute => escaped.push_str(&format!("&#{};", u32::from(c))),
            '\n' | '\t' => escaped.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Facts and the next command, as a person reads them.
pub fn told(finding: &Finding) -> String {
    let facts = finding.facts.iter();
    let mut lines: Vec<String> = facts
        .map(|(name, text)| format!("{name}: {text}"))
        .collect();
    lines.extend(finding.next.iter().map(|next| format!("next: {next}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
