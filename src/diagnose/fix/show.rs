//! A change as a diff, before anybody says yes.

use crate::diagnose::applied::Applied;
use crate::diagnose::finding::Change;
use crate::diagnose::snapshot::Snapshot;
use crate::plan::placeholder;
use crate::plan::thing::Thing;
use crate::verify::drift::Drift;
use crate::yaml;

/// One line of a diff.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// What is changed.
    Head(String),
    /// Where in it.
    Place(String),
    Minus(String),
    Plus(String),
}

/// What a change would do. Keys are never in it: they are named.
pub fn diff(change: &Change, snapshot: &Snapshot, applied: Option<&Applied>) -> Vec<Line> {
    match change {
        Change::Restore(thing) => restored(thing, snapshot, applied),
        Change::Rewire { service } => {
            let title = snapshot
                .services
                .iter()
                .find(|s| s.name == *service)
                .map_or(service.as_str(), |s| s.title.as_str());
            let now = snapshot
                .wires
                .get(service)
                .map_or("none".to_string(), |wire| wire.title());
            let mut lines = vec![
                Line::Head(format!("the way to {title}")),
                Line::Minus(format!("{now}, which does not answer")),
                Line::Plus(
                    "whichever address is proved to answer, through a relay where one is needed"
                        .to_string(),
                ),
            ];
            let dead = snapshot
                .processes
                .iter()
                .filter(|p| !p.alive && p.role != "gateway");
            lines.extend(dead.map(|process| Line::Plus(format!("process {}", process.role))));
            lines
        }
        Change::Scale {
            namespace,
            deployment,
            from,
            to,
        } => vec![
            Line::Head(format!("Deployment {namespace}/{deployment}")),
            Line::Place("/spec/replicas".to_string()),
            Line::Minus(from.to_string()),
            Line::Plus(to.to_string()),
        ],
        Change::Restart => {
            let objects = applied.map_or(0, |applied| applied.objects.len());
            vec![
                Line::Head("the embedded gateway".to_string()),
                Line::Plus("process gateway".to_string()),
                Line::Plus(crate::text::count(objects, "object")),
            ]
        }
    }
}

fn restored(thing: &Thing, snapshot: &Snapshot, applied: Option<&Applied>) -> Vec<Line> {
    let Thing::Object { kind, name, .. } = thing else {
        return Vec::new();
    };
    let mut lines = vec![Line::Head(thing.title())];
    match snapshot.drift(kind, name) {
        Some(drift) if !drift.missing => lines.extend(fields(drift)),
        Some(_) => {
            let planned = applied.and_then(|applied| applied.object(kind, name));
            let planned = planned.map(|planned| placeholder::fill(planned, &snapshot.wires));
            let text = planned.as_ref().map(yaml::write).unwrap_or_default();
            lines.extend(text.lines().map(|line| Line::Plus(line.to_string())));
        }
        // Of a Secret with another value nothing but that can be told.
        None => {
            lines.push(Line::Minus("(another key)".to_string()));
            lines.push(Line::Plus("(the key at hand)".to_string()));
        }
    }
    lines
}

fn fields(drift: &Drift) -> Vec<Line> {
    let mut lines = Vec::new();
    for field in &drift.fields {
        let who = match (&field.by, &field.at) {
            (Some(by), Some(at)) => format!("  ({by}, {at})"),
            (Some(by), None) => format!("  ({by})"),
            (None, _) => String::new(),
        };
        lines.push(Line::Place(format!("{}{who}", field.path)));
        lines.extend(
            field
                .live
                .iter()
                .map(|value| Line::Minus(value.to_string())),
        );
        lines.extend(
            field
                .planned
                .iter()
                .map(|value| Line::Plus(value.to_string())),
        );
    }
    lines
}
