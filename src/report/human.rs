//! Words for a person: errors, proofs, plans.

use super::fold::{failures, folded, skips};
use super::style::Look;
use crate::error::Error;
use crate::plan::{Action, Phase, Plan};
use crate::target::{Support, Target};
use crate::text;
use crate::verify::check::{Finding, RouteProof, Verdict};
use console::measure_text_width;
use std::time::Duration;

/// Columns that a line may fill.
const WIDTH: usize = 79;

/// What failed, the facts, one exact command.
pub fn error(error: &Error, look: Look) -> String {
    let mut lines = vec![format!("{} {}", look.bad(), error.what)];
    for fact in error.facts.iter().flat_map(|fact| fact.lines()) {
        lines.push(format!("    {fact}"));
    }
    lines.push(format!("  {} {}", look.arrow(), look.bold(&error.next)));
    lines.join("\n") + "\n"
}

/// A table of routes, how much else holds, then every failure with its evidence.
pub fn proof(findings: &[Finding], look: Look) -> String {
    let own = findings
        .iter()
        .filter(|f| f.verdict == Verdict::Pass && f.id.starts_with("test."));
    let own = own.map(|finding| finding.title.clone());
    let beside: Vec<String> = beside(findings)
        .into_iter()
        .chain(own)
        .map(|text| format!("{} {text}", look.good()))
        .collect();
    proof_with(findings, &beside, look)
}

/// `2 streams, 3 refusals and 1 policy as set` that hold besides the routes' own answers.
fn beside(findings: &[Finding]) -> Option<String> {
    let held = |sort: &str| {
        let passed = findings
            .iter()
            .filter(|f| f.verdict == Verdict::Pass && f.route.is_none());
        passed.filter(|f| f.sort == sort).count()
    };
    let sorts = [
        ("answer", "other API"),
        ("stream", "stream"),
        ("refusal", "refusal"),
        ("policy", "policy"),
        ("limit", "limit"),
    ];
    let counted = sorts.iter().filter_map(|(sort, noun)| match held(sort) {
        0 => None,
        number => Some(text::count(number, noun)),
    });
    let counted: Vec<String> = counted.collect();
    (!counted.is_empty()).then(|| format!("{} as set", text::list(&counted)))
}

/// The table of routes, the lines of what else holds, then every failure with its evidence.
pub fn proof_with(findings: &[Finding], beside: &[String], look: Look) -> String {
    let routes: Vec<(&Finding, &RouteProof)> = findings
        .iter()
        .filter_map(|f| Some((f, f.route.as_ref()?)))
        .collect();
    let mut rows = Vec::new();
    if !routes.is_empty() {
        let head = ["route", "model", "status", "tokens", "time"].map(|title| look.dim(title));
        rows.push(std::iter::once(String::new()).chain(head).collect());
    }
    rows.extend(
        routes
            .iter()
            .map(|(finding, route)| row(finding, route, look)),
    );
    let mut lines = text::table(&rows);
    let width = lines
        .iter()
        .map(|line| measure_text_width(line))
        .max()
        .unwrap_or(0);
    for (line, (finding, route)) in lines.iter_mut().skip(1).zip(&routes) {
        line.push_str(&answer(
            finding,
            route,
            width - measure_text_width(line),
            WIDTH.saturating_sub(width),
        ));
    }
    if !beside.is_empty() {
        lines.push(String::new());
        lines.extend(beside.iter().cloned());
    }
    let mut skipped = skips(findings, look);
    if !skipped.is_empty() {
        lines.push(String::new());
        lines.append(&mut skipped);
    }
    for same in folded(findings) {
        lines.push(String::new());
        lines.extend(failures(&same, look));
    }
    if rows.is_empty() && lines.first().is_some_and(String::is_empty) {
        lines.remove(0);
    }
    lines.join("\n") + "\n"
}

fn row(finding: &Finding, route: &RouteProof, look: Look) -> Vec<String> {
    let status = if route.status == 0 {
        "none".to_string()
    } else {
        route.status.to_string()
    };
    let tokens = match finding.verdict {
        Verdict::Pass if route.tools.is_some() || !finding.summary.is_empty() => String::new(),
        Verdict::Pass => format!("{} + {}", route.input_tokens, route.output_tokens),
        Verdict::Warn | Verdict::Fail | Verdict::Skip => String::new(),
    };
    let model = match route.tools {
        Some(count) => text::count(count, "tool"),
        // Nobody may take the mock for a model.
        None if route.mock => format!("{} (no model)", route.model),
        None => route.model.clone(),
    };
    let time = text::duration(Duration::from_secs_f64(finding.seconds));
    vec![
        look.verdict(finding.verdict),
        route.path.clone(),
        model,
        status,
        tokens,
        time,
    ]
}

/// What was said, as far as it fits on the line; nothing where too little would be left of it.
fn answer(finding: &Finding, route: &RouteProof, gap: usize, room: usize) -> String {
    const LEAST: usize = 8;
    // A pass with reservations says them instead.
    let reserved = finding.verdict == Verdict::Pass && !finding.summary.is_empty();
    let (said, quote) = match reserved {
        true => (finding.summary.as_str(), ""),
        false => (route.answer.as_str(), "\""),
    };
    // Two blanks before, two quotes around.
    let room = room.saturating_sub(4);
    if said.is_empty() || room < LEAST {
        return String::new();
    }
    let said = text::excerpt(said, room.min(60)).replace('"', "'");
    format!("{:gap$}  {quote}{said}{quote}", "")
}

/// Mark, claim, summary; evidence in columns; the next command.
pub fn failure(finding: &Finding, look: Look) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {}: {}",
        look.verdict(finding.verdict),
        finding.title,
        finding.summary
    )];
    let rows: Vec<Vec<String>> = finding
        .facts
        .iter()
        .map(|(name, text)| vec![name.clone(), text.clone()])
        .collect();
    lines.extend(
        text::table(&rows)
            .into_iter()
            .map(|line| format!("    {line}")),
    );
    if let Some(next) = &finding.next {
        lines.push(format!("  {} {}", look.arrow(), look.bold(next)));
    }
    lines
}

/// The end of a good `up`: the address and one command to copy.
///
/// `shown` is what a caller of a route has to show, by its path, as options of curl.
pub fn ready(
    base: &str,
    findings: &[Finding],
    elapsed: Duration,
    shown: impl Fn(&str) -> Option<String>,
) -> String {
    let proved: Vec<&RouteProof> = proved(findings).collect();
    let routes = text::count(paths(&proved).len(), "route");
    let mut lines = vec![format!(
        "{base} is ready: {routes} proved in {}.",
        text::duration(elapsed)
    )];
    if let Some(route) = proved.iter().find(|route| route.tools.is_none()) {
        lines.push(String::new());
        lines.push(format!("curl {base}{}/v1/chat/completions \\", route.path));
        if let Some(options) = shown(&route.path) {
            lines.push(format!("  {options} \\"));
        }
        lines.push("  -H 'content-type: application/json' \\".to_string());
        lines.push("  -d '{\"messages\":[{\"role\":\"user\",\"content\":\"ping\"}]}'".to_string());
    }
    lines.join("\n") + "\n"
}

/// A second `up` in one line: `✓ /ollama ✓ /openai  2 routes proved`.
pub fn proved_again(findings: &[Finding], look: Look) -> String {
    let proved: Vec<&RouteProof> = proved(findings).collect();
    let paths = paths(&proved);
    let routes: Vec<String> = paths
        .iter()
        .map(|path| format!("{} {path}", look.good()))
        .collect();
    format!(
        "{}  {} proved",
        routes.join(" "),
        text::count(routes.len(), "route")
    )
}

/// Routes that answered with what they are for; one that refused proves its refusal alone.
fn proved(findings: &[Finding]) -> impl Iterator<Item = &RouteProof> {
    let passed = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Pass);
    passed
        .filter_map(|finding| finding.route.as_ref())
        .filter(|route| (200..300).contains(&route.status))
}

/// Each once: a route may be asked in several forms.
fn paths<'a>(proved: &[&'a RouteProof]) -> Vec<&'a str> {
    let mut paths: Vec<&str> = Vec::new();
    for route in proved {
        if !paths.contains(&route.path.as_str()) {
            paths.push(&route.path);
        }
    }
    paths
}

/// Steps by phase, for `gw plan`; where the target does not do one, why.
pub fn plan(plan: &Plan, target: &dyn Target, look: Look) -> String {
    let mut lines = vec![format!(
        "profile {} on target {}, environment {}",
        plan.profile,
        plan.place(),
        plan.environment
    )];
    lines.extend(plan.notes.iter().map(|note| format!("  {note}")));
    lines.push(String::new());
    let mut phases: Vec<Phase> = plan.steps.iter().map(|step| step.phase).collect();
    phases.sort_unstable();
    phases.dedup();
    for phase in phases {
        for step in plan.steps.iter().filter(|step| step.phase == phase) {
            let about = match target.support(step) {
                Support::Native => about(&step.action),
                Support::Skip(why) => format!("left out: {why}"),
                Support::Refuse(error) => format!("refused: {}", error.what),
            };
            lines.push(
                format!("{:12} {:42} {}", phase.name(), step.id, look.dim(&about))
                    .trim_end()
                    .to_string(),
            );
        }
    }
    lines.join("\n") + "\n"
}

fn about(action: &Action) -> String {
    match action {
        Action::Cluster(cluster) => {
            let image = cluster
                .node_image
                .as_deref()
                .unwrap_or("the image pinned for this kind");
            format!("{image}, 127.0.0.1:{}", cluster.host_port)
        }
        Action::Existing { context } => format!("context {context}, as it is"),
        Action::Forward { port } => {
            format!("127.0.0.1:{port} to the gateway's pod, a background process of this program")
        }
        Action::Adopted(whose) => whose.clone(),
        Action::Process => "background process of this program".to_string(),
        Action::GatewayApi => crate::plan::GATEWAY_API_VERSION.to_string(),
        Action::Chart(chart) => format!("{} {}", chart.source, chart.version),
        Action::Answers(_) => "a request comes back".to_string(),
        Action::HostService(service) => {
            format!("{} on port {} of this machine", service.title, service.port)
        }
        Action::Object(_) => String::new(),
        Action::Ready(_) => "its pod is ready".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        terminal: true,
        colour: false,
    };

    #[test]
    fn an_answer_is_cut_to_what_is_left_of_80_columns() {
        let claim = crate::verify::check::Claim {
            id: "route.a".into(),
            title: "/a answers a POST".into(),
            needs: Vec::new(),
            deadline: Duration::from_secs(1),
            lane: String::new(),
        };
        let proof_of = |model: &str| {
            let route = RouteProof {
                path: "/a".into(),
                model: model.into(),
                status: 200,
                input_tokens: 6,
                output_tokens: 16,
                answer: "word ".repeat(30),
                mock: false,
                tools: None,
            };
            Finding {
                route: Some(route),
                ..Finding::new(&claim, Verdict::Pass)
            }
        };
        for model in ["m", &"long".repeat(8), &"longer".repeat(20)] {
            let shown = proof(&[proof_of(model), proof_of("m")], LOOK);
            let widest = shown.lines().map(measure_text_width).max().unwrap();
            assert!(widest <= WIDTH || model.len() > 60, "{shown}");
        }
    }

    #[test]
    fn an_error_ends_in_its_next_command() {
        let shown = error(
            &Error::new("port 8080 is taken", "gw up --port 8081").fact("by nginx (pid 7)"),
            LOOK,
        );
        assert_eq!(
            shown,
            "✗ port 8080 is taken\n    by nginx (pid 7)\n  → gw up --port 8081\n"
        );
    }
}
