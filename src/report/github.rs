//! What GitHub's runner makes annotations of: lines that begin with `::error` or `::warning`
//! (docs.github.com, workflow commands). It reads them on stdout and stderr alike.

use crate::error::Error;
use crate::verify::check::{Finding, Verdict};

/// One line for each finding that failed or warns.
pub fn findings(findings: &[Finding]) -> String {
    let lines = findings.iter().filter_map(|finding| {
        let level = match finding.verdict {
            Verdict::Fail => "error",
            Verdict::Warn => "warning",
            Verdict::Pass | Verdict::Skip => return None,
        };
        let facts = finding
            .facts
            .iter()
            .map(|(name, text)| format!("{name}: {text}"));
        let next = finding.next.iter().map(|next| format!("-> {next}"));
        let told: Vec<String> = std::iter::once(finding.summary.clone())
            .chain(facts)
            .chain(next)
            .collect();
        Some(line(level, &finding.title, &told.join("\n")))
    });
    lines.collect()
}

/// A command that failed before anything could be proved.
pub fn error(command: &str, error: &Error) -> String {
    let told: Vec<String> = std::iter::once(error.what.clone())
        .chain(error.facts.iter().cloned())
        .chain([format!("-> {}", error.next)])
        .collect();
    line("error", &format!("gw {command}"), &told.join("\n"))
}

fn line(level: &str, title: &str, text: &str) -> String {
    format!("::{level} title={}::{}\n", property(title), data(text))
}

/// A message goes to the end of its line, so it has no line ends of its own.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property ends at a comma or a colon besides.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_others_can_end_an_annotation_or_begin_one() {
        let said = Error::new("answered \"100%\"\n::error::planted", "gw status").fact("a: b");
        let line = error("up", &said);
        assert_eq!(
            line,
            "::error title=gw up::answered \"100%25\"%0A::error::planted%0Aa: b%0A-> gw status\n"
        );
        assert_eq!(property("GET /a: b, c"), "GET /a%3A b%2C c");
    }
}
