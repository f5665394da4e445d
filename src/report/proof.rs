//! A proof in each of its forms.

use super::document::Document;
use super::style::Look;
use super::{human, junit, markdown};
use crate::text;
use crate::verify::check::{Finding, Verdict};
use crate::verify::choose::dollars;
use serde_json::json;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Table,
    Json,
    Junit,
    Markdown,
}

/// What a proof came to, and what it was about.
pub struct Report<'a> {
    pub environment: &'a str,
    pub base: &'a str,
    pub findings: &'a [Finding],
    /// US dollars that it cost at most, and might have.
    pub cost: f64,
    pub cap: f64,
    /// Routes of others that were not asked.
    pub others: &'a [String],
    pub took: Duration,
}

impl Report<'_> {
    pub fn write(&self, form: Form, look: Look) -> String {
        match form {
            Form::Table => self.table(look),
            Form::Json => self.json(),
            Form::Junit => junit::write(self),
            Form::Markdown => markdown::write(self),
        }
    }

    fn json(&self) -> String {
        let document = Document::new("test", self.environment)
            .set("baseUrl", self.base)
            .set("seconds", self.took.as_secs_f64())
            .set(
                "cost",
                json!({"atMost": self.cost, "cap": self.cap, "currency": "USD"}),
            )
            .set("others", json!(self.others));
        document.findings(self.findings).text()
    }

    /// What failed comes last: it ends in what to do next.
    fn table(&self, look: Look) -> String {
        let mut beside = self.beside(look);
        if !beside.is_empty() {
            beside.push(String::new());
        }
        beside.push(self.summary());
        if self.cost > 0.0 {
            let (cost, cap) = (dollars(self.cost), dollars(self.cap));
            beside.push(format!(
                "cost at most {cost}, by list prices; the cap is {cap}"
            ));
        }
        if !self.others.is_empty() {
            let others = text::count(self.others.len(), "route");
            let names = text::excerpt(&self.others.join(", "), 40);
            beside.push(format!(
                "not asked: {others} of others ({names}); with --all they are"
            ));
        }
        human::proof_with(self.findings, &beside, look)
    }

    /// What holds besides the routes' own answers, one line each.
    fn beside(&self, look: Look) -> Vec<String> {
        let beside = self.findings.iter().filter(|finding| {
            let row = finding.route.is_some();
            finding.verdict == Verdict::Pass && !row && finding.id != crate::verify::gateway::ID
        });
        let line = |finding: &Finding| format!("{} {}", look.good(), finding.title);
        beside.map(line).collect()
    }

    /// `23 cases proved, 1 failed, 2 skipped in 0.42 s`.
    pub fn summary(&self) -> String {
        let count = |verdict: Verdict| {
            let of = self
                .findings
                .iter()
                .filter(|finding| finding.verdict == verdict);
            of.count()
        };
        let held = text::count(count(Verdict::Pass), "case");
        let mut parts = vec![format!("{held} proved")];
        for (verdict, word) in [
            (Verdict::Fail, "failed"),
            (Verdict::Warn, "doubtful"),
            (Verdict::Skip, "skipped"),
        ] {
            match count(verdict) {
                0 => {}
                number => parts.push(format!("{number} {word}")),
            }
        }
        format!("{} in {}", parts.join(", "), text::duration(self.took))
    }
}
