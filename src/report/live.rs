//! What moves: fields that somebody changed, and what the last requests tell of each route.

use super::style::Look;
use crate::diagnose::log::Line;
use crate::diagnose::snapshot::Snapshot;
use crate::text;
use crate::verify::drift::Drift;
use serde_json::Value;

/// Field by field: who changed what, and when.
pub fn drift(all: &[Drift], look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    for drift in all.iter().filter(|drift| !drift.missing) {
        lines.push(format!(
            "{} {} is not as applied",
            look.warned(),
            drift.thing.title()
        ));
        for field in &drift.fields {
            let said = |value: &Option<Value>| {
                let shown = value.as_ref();
                shown.map_or("nothing".to_string(), |v| text::excerpt(&v.to_string(), 50))
            };
            let who = match (&field.by, &field.at) {
                (Some(by), Some(at)) => format!("  {by}, {at}"),
                (Some(by), None) => format!("  {by}"),
                (None, _) => String::new(),
            };
            lines.push(format!(
                "    {}: {}, applied {}{}",
                field.path,
                said(&field.live),
                said(&field.planned),
                look.dim(&who)
            ));
        }
    }
    lines
}

/// Routes with what the log's last requests tell: how many, how fast, tokens, errors.
pub fn live(snapshot: &Snapshot, logs: bool, look: Look) -> String {
    let mut rows = vec![
        ["", "route", "requests", "errors", "tokens", "last"]
            .map(|title| look.dim(title))
            .to_vec(),
    ];
    for route in &snapshot.routes {
        let of_route = |line: &&Line| {
            let path = line.field("http.path").unwrap_or("");
            path == route.path || path.starts_with(&format!("{}/", route.path))
        };
        let requests: Vec<&Line> = snapshot.proxy_log.iter().filter(of_route).collect();
        let wrong = requests.iter().filter(|line| line.is_error()).count();
        let number = |line: &&&Line, name: &str| {
            line.field(name)
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let tokens: u64 = requests
            .iter()
            .map(|line| {
                number(&line, "gen_ai.usage.input_tokens")
                    + number(&line, "gen_ai.usage.output_tokens")
            })
            .sum();
        let last = requests
            .last()
            .and_then(|line| line.field("duration"))
            .unwrap_or("");
        let mark = match requests.last() {
            Some(line) if line.is_error() => look.bad(),
            Some(_) => look.good(),
            None => look.skipped(),
        };
        rows.push(vec![
            mark,
            route.path.clone(),
            requests.len().to_string(),
            wrong.to_string(),
            tokens.to_string(),
            last.to_string(),
        ]);
    }
    let mut lines = vec![String::new()];
    lines.extend(text::table(&rows));
    if logs {
        lines.push(String::new());
        let tail = snapshot.proxy_log.iter().rev().take(6).collect::<Vec<_>>();
        lines.extend(
            tail.into_iter().rev().map(|line| {
                text::excerpt(&super::log::line(line, line.source.len(), 0, look), 120)
            }),
        );
    }
    lines.join("\n") + "\n"
}
