//! JUnit's XML as viewers of CI read it: one suite for each sort of case.

use super::proof::Report;
use crate::verify::check::{Finding, Verdict};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

pub fn write(report: &Report<'_>) -> String {
    let mut document = quick_junit::Report::new(format!("gw test {}", report.environment));
    document.set_time(report.took);
    let mut sorts: Vec<&str> = Vec::new();
    for finding in report.findings {
        let sort = sort(finding);
        if !sorts.contains(&sort) {
            sorts.push(sort);
        }
    }
    for sort in sorts {
        let mut suite = TestSuite::new(sort);
        let mine = report
            .findings
            .iter()
            .filter(|finding| self::sort(finding) == sort);
        mine.for_each(|finding| {
            suite.add_test_case(case(finding, report.environment));
        });
        document.add_test_suite(suite);
    }
    // Text in memory can always be written, and what XML can't hold the crate leaves out.
    document.to_string().unwrap_or_default()
}

fn sort(finding: &Finding) -> &str {
    match finding.sort.as_str() {
        "" => finding.id.split('.').next().unwrap_or("gateway"),
        sort => sort,
    }
}

fn case(finding: &Finding, environment: &str) -> TestCase {
    let status = match finding.verdict {
        Verdict::Pass | Verdict::Warn => TestCaseStatus::success(),
        Verdict::Skip => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(finding.summary.clone());
            status
        }
        Verdict::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(finding.summary.clone());
            status.set_type(sort(finding));
            status.set_description(told(finding));
            status
        }
    };
    let mut case = TestCase::new(finding.title.clone(), status);
    case.set_classname(format!("{environment}.{}", finding.id));
    case.set_time(Duration::from_secs_f64(finding.seconds.max(0.0)));
    case
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
