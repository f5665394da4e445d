//! The guide's screen: what is proposed, in lines that fit the terminal (screens, `gw` on a laptop).

use super::style::Look;
use crate::plan::{Action, Phase, Plan, PlannedRoute, Served};
use crate::profile::TargetKind;
use crate::target::place::Candidate;
use crate::target::propose::Proposal;
use crate::target::propose::offer::Offer;
use crate::text::{count, excerpt, list, table, wrap};
use console::measure_text_width;
use std::collections::BTreeSet;

/// The one question, with the key of each answer in brackets.
pub const QUESTION: &str = "? Go ahead?  [Y]es  [t]arget  [b]ackends  [s]how the YAML  [n]o";

/// Who answers at each route, what is left out and why, where all this runs and what is done for it.
pub fn plan(proposal: &Proposal, plan: &Plan, width: usize, look: Look) -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for route in &plan.routes {
        let offer = proposal.used.iter().find(|offer| offer.name == route.name);
        let why = offer.map(|offer| offer.reason.clone()).unwrap_or_default();
        rows.push([route.path.clone(), model(route), why]);
    }
    let left_out = proposal.left_out.iter();
    rows.extend(left_out.clone().map(self::left_out));
    let paths = rows.iter().map(|row| measure_text_width(&row[0])).max();
    let models = rows.iter().map(|row| measure_text_width(&row[1])).max();
    let first = paths.unwrap_or(0).max("profile".len());
    let second = models.unwrap_or(0);
    let mut lines = vec![look.bold(&title(plan))];
    for [path, model, why] in &rows {
        let start = format!("  {path:first$}  {model:second$}  ");
        lines.extend(hanging(&start, why, width, look));
    }
    let lacks = left_out.filter_map(|offer| offer.lacks.as_ref());
    let nexts: BTreeSet<&str> = lacks.map(|error| error.next.as_str()).collect();
    let mut about = |name: &str, text: &str| {
        let start = format!("  {name:first$}  ");
        lines.extend(hanging(&start, text, width, look));
    };
    about(
        "target",
        &format!("{}: {}", plan.place(), proposal.why_there),
    );
    if let Some(why) = &proposal.why_port {
        about("port", why);
    }
    let told = |note: &&String| proposal.used.iter().any(|offer| offer.reason == **note);
    for note in plan.notes.iter().filter(|note| !told(note)) {
        about("note", note);
    }
    about("does", &list(&deeds(proposal, plan)));
    // A key is typed where backends are chosen; what else is missing has a command.
    let by_command = |next: &&str| !next.contains("read -rs ") && !next.starts_with("gw");
    for next in nexts.into_iter().filter(by_command) {
        about("first", next);
    }
    lines.join("\n") + "\n"
}

fn title(plan: &Plan) -> String {
    let what = match (plan.target, version(plan)) {
        (TargetKind::Embedded, _) | (_, None) => "the embedded gateway".to_string(),
        (_, Some(version)) => format!("kgateway {version} on {}", plan.place()),
    };
    format!("Plan: {what}, at http://localhost:{}", plan.port)
}

fn version(plan: &Plan) -> Option<&str> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::Chart(chart) => Some(chart.version.as_str()),
        _ => None,
    })
}

fn model(route: &PlannedRoute) -> String {
    match &route.serves {
        Served::Tools => "tools".to_string(),
        Served::Chat { model, .. } => model.clone(),
    }
}

fn left_out(offer: &Offer) -> [String; 3] {
    let why = match &offer.lacks {
        Some(error) => format!("left out: {}", error.what),
        None => "left out: not wanted".to_string(),
    };
    [format!("/{}", offer.name), String::new(), why]
}

/// A text after its beginning; its further lines stand under its first.
fn hanging(start: &str, text: &str, width: usize, look: Look) -> Vec<String> {
    /// What is left for a text on a very narrow terminal.
    const LEAST: usize = 16;
    let indent = measure_text_width(start);
    let room = width.saturating_sub(indent).max(LEAST);
    let lines = wrap(text, room).into_iter().enumerate();
    let lines = lines.map(|(index, line)| match index {
        0 => format!("{start}{}", look.dim(&line)),
        _ => format!("{:indent$}{}", "", look.dim(&line)),
    });
    lines.map(|line| line.trim_end().to_string()).collect()
}

/// What will be done, by phase.
fn deeds(proposal: &Proposal, plan: &Plan) -> Vec<String> {
    let of = |phase: Phase| plan.steps.iter().filter(move |step| step.phase == phase);
    let mut deeds = Vec::new();
    if let Some(cluster) = plan.cluster() {
        let new = if proposal.creates { "a new " } else { "" };
        deeds.push(format!("{new}kind cluster {}", cluster.name));
    }
    if of(Phase::GatewayApi).count() > 0 {
        deeds.push(format!("Gateway API {}", crate::plan::GATEWAY_API_VERSION));
    }
    let charts = of(Phase::Charts).filter(|step| matches!(step.action, Action::Chart(_)));
    let charts = charts.count();
    if charts > 0 {
        deeds.push(count(charts, "chart"));
    }
    if plan.target == TargetKind::Embedded {
        deeds.push("a background process".to_string());
    }
    deeds.push(count(plan.objects().count(), "object"));
    deeds.push(format!(
        "a request to {}",
        count(plan.routes.len(), "route")
    ));
    deeds
}

/// What dialogues write before an item.
const MARK: usize = 6;

/// Places to choose from, one a line.
pub fn places(candidates: &[Candidate], width: usize) -> Vec<String> {
    let rows = candidates.iter();
    let rows = rows.map(|c| vec![c.place.name(), c.reason.clone()]);
    let lines = table(&rows.collect::<Vec<_>>()).into_iter();
    lines
        .map(|line| excerpt(&line, width.saturating_sub(MARK)))
        .collect()
}

/// Backends to choose from, one a line.
pub fn backends(offers: &[Offer], width: usize) -> Vec<String> {
    let rows = offers.iter();
    let rows = rows.map(|offer| vec![offer.name.clone(), offer.reason.clone()]);
    let lines = table(&rows.collect::<Vec<_>>()).into_iter();
    lines
        .map(|line| excerpt(&line, width.saturating_sub(MARK)))
        .collect()
}

/// Why there is no other target to choose.
pub fn does_not_move(environment: &str, place: &str, width: usize) -> String {
    let text = format!(
        "environment `{environment}` is on {place} and does not move: `gw down` takes it back, \
         `gw --env NAME` makes another"
    );
    wrap(&text, width).join("\n") + "\n"
}

/// Places that can't be chosen, each with what is in its way.
pub fn not_to_choose(candidates: &[Candidate], width: usize, look: Look) -> String {
    let rows = candidates.iter().map(|candidate| {
        let why = candidate.obstacle.as_deref();
        let why = why.unwrap_or(candidate.locality.evidence());
        vec![candidate.place.name(), why.to_string()]
    });
    let lines = table(&rows.collect::<Vec<_>>()).into_iter();
    let lines = lines.map(|line| excerpt(&format!("  {line}"), width));
    lines.map(|line| look.dim(&line) + "\n").collect()
}

/// How to do the same again without a question, and how to keep the choices: a command has a line of
/// its own, to be copied.
pub fn again(rows: &[(&str, String)], look: Look) -> String {
    let rows = rows.iter();
    let rows = rows.map(|(what, command)| format!("\n{what}:\n  {}\n", look.bold(command)));
    rows.collect()
}
