//! What was found on this machine, as a compact picture (screens, `gw` on a laptop).

use super::style::Look;
use crate::host::facts::{Answer, Context, Facts, Service};
use crate::target::detect::proposal;
use crate::target::place::{Candidate, Locality};
use crate::text::{self, list, table};
use std::time::Duration;

/// Columns that a line may fill where nobody says how many there are, and those of what stands in
/// its middle.
const WIDTH: usize = 79;
const WHAT_WIDTH: usize = 28;
const PLACE_WIDTH: usize = 24;
/// Contexts that were not asked and are shown one by one.
const UNASKED: usize = 3;

/// The facts, then the places where a gateway could run, best first.
pub fn machine(
    facts: &Facts,
    candidates: &[Candidate],
    took: Option<Duration>,
    look: Look,
) -> String {
    let mut lines = found(facts, took, WIDTH, look);
    lines.push(String::new());
    lines.push(look.bold("Where a gateway could run, best first"));
    let chosen = proposal(candidates);
    let rows: Vec<Vec<String>> = candidates
        .iter()
        .map(|candidate| place(candidate, chosen == Some(candidate), look))
        .collect();
    lines.extend(table(&rows).into_iter().map(|line| format!("  {line}")));
    lines.join("\n") + "\n"
}

/// The facts alone, in lines of at most `width` columns.
pub fn found(facts: &Facts, took: Option<Duration>, width: usize, look: Look) -> Vec<String> {
    let title = match took {
        Some(took) => format!("Found in {}", text::duration(took)),
        None => "Found".to_string(),
    };
    let rows = table(&rows(facts, width, look));
    let lines = rows.into_iter().map(|line| format!("  {line}"));
    std::iter::once(look.bold(&title)).chain(lines).collect()
}

fn rows(facts: &Facts, width: usize, look: Look) -> Vec<Vec<String>> {
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut row = |name: &str, what: String, note: String| {
        rows.push([name.to_string(), what, note]);
    };
    if let Some(orbstack) = &facts.orbstack {
        let state = if orbstack.running {
            "running"
        } else {
            "stopped"
        };
        row(
            &join("OrbStack", orbstack.version.as_deref()),
            state.to_string(),
            String::new(),
        );
    }
    match (&facts.docker.address, &facts.docker.reason) {
        (Some(_), _) => row(
            "Docker",
            join(&facts.docker.product, Some(&facts.docker.version)),
            "running".to_string(),
        ),
        (None, reason) => row(
            "Docker",
            "none".to_string(),
            reason.clone().unwrap_or_default(),
        ),
    }
    let unasked = |context: &&Context| context.answer.is_none() && !context.current;
    let hidden = facts.contexts.iter().filter(unasked).skip(UNASKED);
    let hidden: Vec<&str> = hidden.map(|context| context.name.as_str()).collect();
    let shown = facts.contexts.iter();
    for context in shown.filter(|context| !hidden.contains(&context.name.as_str())) {
        let (what, note) = cluster(context);
        row("Kubernetes", what, note);
        if let Some(installed) = installed(context) {
            row("", installed, String::new());
        }
    }
    if !hidden.is_empty() {
        let more = format!("{} more", text::count(hidden.len(), "context"));
        row("", more, "not asked".to_string());
    }
    for service in &facts.services {
        let name = join(&service.product, service.version.as_deref());
        row(&name, service.address.clone(), models(service));
    }
    let mut sources: Vec<&str> = facts.keys.iter().map(|key| key.source.as_str()).collect();
    sources.dedup();
    let mut keys: Vec<&str> = facts.keys.iter().map(|key| key.name.as_str()).collect();
    keys.dedup();
    match keys.is_empty() {
        true => row("Keys", "none".to_string(), String::new()),
        false => row(
            "Keys",
            format!("{} ({})", keys.join(", "), list(&sources)),
            String::new(),
        ),
    }
    if !facts.programs.is_empty() {
        let programs = facts
            .programs
            .iter()
            .map(|program| join(&program.name, program.version.as_deref()));
        row(
            "Programs",
            programs.collect::<Vec<_>>().join(", "),
            String::new(),
        );
    }
    let number = facts.port.number;
    let mut nodes = facts.docker.containers.iter();
    let node = nodes.find(|node| node.running && node.published.contains(&number));
    let state = match (&facts.port.owner, node) {
        (None, _) => "free".to_string(),
        (Some(_), Some(node)) => format!("taken by {} cluster {}", node.product, node.cluster),
        (Some(owner), None) => format!("taken by {owner}"),
    };
    row(&format!("Port {}", facts.port.number), state, String::new());
    if facts.wsl {
        row(
            "Windows",
            "this is Linux inside Windows (WSL), which reaches localhost too".to_string(),
            String::new(),
        );
    }
    fitted(rows, width, look)
}

/// Cut to the width of a terminal: long names of contexts first, then what is said beside them.
fn fitted(rows: Vec<[String; 3]>, width: usize, look: Look) -> Vec<Vec<String>> {
    let cut = |row: &[String; 3]| text::excerpt(&row[1], WHAT_WIDTH.max(width / 3));
    let widest = |cells: Vec<usize>| cells.into_iter().max().unwrap_or(0);
    let first = widest(rows.iter().map(|row| row[0].chars().count()).collect());
    let noted = rows.iter().filter(|row| !row[2].is_empty());
    let second = widest(noted.map(|row| cut(row).chars().count()).collect());
    let left = width.saturating_sub(2 + first + 2);
    let lines = |row: &[String; 3]| match row[2].is_empty() {
        true => text::wrap(&row[1], left),
        false => {
            let note = text::excerpt(&row[2], left.saturating_sub(second + 2));
            vec![format!("{:second$}  {}", cut(row), look.dim(&note))]
        }
    };
    let named = |row: &[String; 3]| {
        let lines = lines(row).into_iter().enumerate();
        let name = |index| {
            if index == 0 {
                row[0].clone()
            } else {
                String::new()
            }
        };
        lines
            .map(|(index, line)| vec![name(index), line])
            .collect::<Vec<_>>()
    };
    rows.iter().flat_map(named).collect()
}

fn join(name: &str, version: Option<&str>) -> String {
    match version {
        Some(version) if !version.is_empty() => format!("{name} {version}"),
        _ => name.to_string(),
    }
}

fn cluster(context: &Context) -> (String, String) {
    let note = match &context.answer {
        None => "not asked".to_string(),
        Some(Answer::None { why }) => why.clone(),
        Some(Answer::Cluster { version, .. }) => version.clone(),
    };
    let current = if context.current { ", current" } else { "" };
    (context.name.clone(), format!("{note}{current}"))
}

/// What a cluster has of what would be installed.
fn installed(context: &Context) -> Option<String> {
    let Some(Answer::Cluster { installed, .. }) = &context.answer else {
        return None;
    };
    let parts: Vec<String> = installed
        .iter()
        .map(|part| {
            let whose = if part.ours { " (ours)" } else { "" };
            join(&part.what, Some(&part.version)) + whose
        })
        .collect();
    (!parts.is_empty()).then(|| format!("has {}", list(&parts)))
}

/// The first models by name, the rest by number.
fn models(service: &Service) -> String {
    const SHOWN: usize = 3;
    let size = |bytes: u64| match bytes {
        small @ ..100_000_000 => format!(" ({:.1} MB)", small as f64 / 1e6),
        large => format!(" ({:.1} GB)", large as f64 / 1e9),
    };
    let mut names: Vec<String> = service
        .models
        .iter()
        .take(SHOWN)
        .map(|model| {
            let size = model.size.map(size).unwrap_or_default();
            let loaded = if model.loaded { ", loaded" } else { "" };
            format!("{}{size}{loaded}", model.name)
        })
        .collect();
    match service.models.len() {
        0 => "no models".to_string(),
        all if all > SHOWN => {
            names.push(format!("{} more", all - SHOWN));
            list(&names)
        }
        _ => names.join(", "),
    }
}

fn place(candidate: &Candidate, is_proposed: bool, look: Look) -> Vec<String> {
    let mark = match (is_proposed, &candidate.obstacle, &candidate.locality) {
        (true, _, _) => look.good(),
        (_, None, Locality::Local(_)) => String::new(),
        _ => look.skipped(),
    };
    let why = match (&candidate.obstacle, &candidate.locality) {
        (Some(obstacle), _) => obstacle.clone(),
        (None, Locality::Unproved(why)) => why.clone(),
        (None, Locality::Local(_)) => candidate.reason.clone(),
    };
    let name = text::excerpt(&candidate.place.name(), PLACE_WIDTH);
    vec![mark, name, look.dim(&why)]
}
