//! What stands below the routes: what is wrong, the log, what was tested or walked, the keys.

use super::row::rows;
use super::state::{Pane, State};
use super::table::WIDE;
use super::{Paint, cut, plain};
use crate::report::log;
use crate::report::style::Look;
use crate::verify::check::Verdict;
use console::measure_text_width;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

const HELP: [&str; 14] = [
    "up, down     choose a route, or all of them (also k, j)",
    "t            test it with real requests; what they cost is bounded as in gw test",
    "l            its lines of the proxy's log, as they come",
    "r            walk its way hop by hop, as gw reach does",
    "PgUp, PgDn   move through what stands here",
    "?            these keys",
    "Esc          back; from there the end",
    "q, Ctrl-C    end",
    "",
    "reqs, tok in, tok out and errors are counted by the proxy since it was started;",
    "errors are answers of 400 and above, with those that gw test asks for.",
    "/s is of the time since the look before.",
    "p50 and p95 are of the last minute; of all requests where it had none.",
    "The mark before a route tells of its last caller; without one, of its last proof.",
];

/// The title and the lines, no more than `room` of both.
pub fn pane(state: &State, width: usize, room: usize, paint: Paint) -> Vec<Line<'static>> {
    let (title, lines) = match state.pane {
        Pane::Now => (None, now(state, width, paint)),
        Pane::Log => (Some(state.titled("log")), log_lines(state, width, paint)),
        Pane::Told => told(state, width, paint),
        Pane::Help => {
            let lines = HELP.iter().map(|line| Line::raw(cut(line, width)));
            (Some("keys".to_string()), lines.collect())
        }
    };
    let titled = usize::from(title.is_some());
    let room = room.saturating_sub(titled);
    let most = lines.len().saturating_sub(room);
    let moved = state.scroll.min(most);
    let skipped = match state.pane {
        Pane::Log => most - moved,
        Pane::Now | Pane::Told | Pane::Help => moved,
    };
    let hidden = match state.pane {
        Pane::Log => moved,
        Pane::Now | Pane::Told | Pane::Help => most - moved,
    };
    let title = title.map(|title| match hidden {
        0 => Line::styled(cut(&title, width), paint.bold()),
        _ => {
            let title = format!("{title}   {hidden} more below, PgDn");
            Line::styled(cut(&title, width), paint.bold())
        }
    });
    let shown = lines.into_iter().skip(skipped).take(room);
    title.into_iter().chain(shown).collect()
}

/// What is wrong at this moment.
fn now(state: &State, width: usize, paint: Paint) -> Vec<Line<'static>> {
    let mut said: Vec<(Verdict, String)> = Vec::new();
    if let Some(Err(why)) = state.looked.as_ref().map(|looked| &looked.counts) {
        let what = "numbers are of the end of the log alone: the proxy's counts can't be read";
        said.push((Verdict::Warn, format!("{what}: {why}")));
    }
    said.extend(state.found.iter().flatten().cloned());
    if width < WIDE {
        let wrong = rows(state).into_iter().skip(1);
        let wrong = wrong.filter(|row| !row.reason.is_empty());
        said.extend(wrong.map(|row| {
            let text = format!("last error of {}: {}", row.path, row.reason);
            (Verdict::Skip, text)
        }));
    }
    if said.is_empty() {
        return match state.found {
            Some(_) => vec![Line::styled("nothing is wrong", paint.dim())],
            None => vec![Line::styled("looking", paint.dim())],
        };
    }
    let lines = said.iter().flat_map(|(verdict, text)| {
        let (mark, style) = paint.verdict(*verdict);
        let wrapped = crate::text::wrap(&plain(text), width.saturating_sub(2));
        wrapped.into_iter().enumerate().map(move |(place, text)| {
            let mark = if place == 0 { mark } else { " " };
            Line::from(vec![
                Span::styled(format!("{mark} "), style),
                Span::raw(text),
            ])
        })
    });
    lines.collect()
}

fn log_lines(state: &State, width: usize, paint: Paint) -> Vec<Line<'static>> {
    let lines = state.log();
    if lines.is_empty() {
        return vec![Line::styled("no line yet", paint.dim())];
    }
    let bare = Look {
        terminal: true,
        colour: false,
    };
    let line = |line: &&crate::diagnose::log::Line| {
        let text = log::line(line, line.source.len(), 0, bare);
        let style = match line.is_error() {
            true => paint.bad(),
            false => Style::new(),
        };
        Line::styled(cut(&plain(&text), width), style)
    };
    lines.iter().map(line).collect()
}

fn told(state: &State, width: usize, paint: Paint) -> (Option<String>, Vec<Line<'static>>) {
    if let Some(title) = &state.running {
        let waiting = Line::styled("running", paint.dim());
        return (Some(title.clone()), vec![waiting]);
    }
    let Some(told) = &state.told else {
        return (None, Vec::new());
    };
    let lines = told
        .lines
        .iter()
        .flat_map(|line| folded(&plain(line), width));
    let lines = lines.map(|line| marked(line, paint)).collect();
    (Some(told.title.clone()), lines)
}

/// A line in as many as it takes; what is told goes on under its own beginning.
fn folded(line: &str, width: usize) -> Vec<String> {
    if measure_text_width(line) <= width {
        return vec![line.to_string()];
    }
    let bare = line.trim_start();
    let indent = (line.len() - bare.len() + 2).min(width / 2);
    let blank = " ".repeat(indent);
    let wrapped = crate::text::wrap(bare, width.saturating_sub(indent));
    let mut lines = wrapped.into_iter().map(|part| format!("{blank}{part}"));
    let first = lines
        .next()
        .map(|first| first.get(2..).unwrap_or_default().to_string());
    first.into_iter().chain(lines).collect()
}

/// A line whose mark has its colour.
fn marked(line: String, paint: Paint) -> Line<'static> {
    let style = match line.trim_start().chars().next() {
        Some('✓') => paint.good(),
        Some('✗') => paint.bad(),
        Some('!') => paint.warned(),
        Some('→') => return Line::styled(line, paint.bold()),
        _ => return Line::raw(line),
    };
    let indent = line.len() - line.trim_start().len();
    let mut parts = line.char_indices().skip_while(|(at, _)| *at <= indent);
    let end = parts.next().map_or(line.len(), |(at, _)| at);
    let (mark, rest) = line.split_at(end);
    Line::from(vec![
        Span::styled(mark.to_string(), style),
        Span::raw(rest.to_string()),
    ])
}
