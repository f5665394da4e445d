//! The list of routes: one row each, in columns that fit.

use super::row::{Row, rows};
use super::state::State;
use super::{Paint, cut};
use crate::text::duration;
use console::measure_text_width;
use ratatui::text::{Line, Span};
use std::time::Duration;

const TITLES: [&str; 7] = ["reqs", "/s", "p50", "p95", "tok in", "tok out", "errors"];
const WIDTHS: [usize; 7] = [6, 5, 7, 7, 7, 8, 7];
/// The mark of the choice, and that of the last request.
const MARKS: usize = 4;
/// From here on there is room for reasons beside the numbers.
pub const WIDE: usize = 120;
/// Columns of a model's name that are worth showing.
const LEAST: usize = 8;

/// The head, then as many rows as there is room for, the chosen one among them.
pub fn table(state: &State, width: usize, room: usize, paint: Paint) -> Vec<Line<'static>> {
    let rows = rows(state);
    let numbers: usize = WIDTHS.iter().sum();
    let left = width.saturating_sub(MARKS + numbers + 2);
    let (path, model) = columns(&rows, left);
    let rest = match width >= WIDE {
        true => left.saturating_sub(path + model + 2),
        false => 0,
    };
    let head = TITLES.iter().zip(WIDTHS);
    let head: String = head
        .map(|(title, wide)| format!("{title:>wide$}"))
        .collect();
    let more = if rest > 0 { "  last error" } else { "" };
    let blank = " ".repeat(MARKS);
    let head = format!(
        "{blank}{:path$}  {:model$}{head}{more}",
        "route",
        cut("model", model)
    );
    let mut lines = vec![Line::styled(head, paint.dim())];
    let chosen = state.row();
    let skipped = (chosen + 1).saturating_sub(room.max(1));
    for (place, row) in rows.iter().enumerate().skip(skipped).take(room.max(1)) {
        lines.push(line(row, place == chosen, (path, model, rest), paint));
    }
    lines
}

/// Columns of path and model: what they need; where that is too much, the model gives way first.
fn columns(rows: &[Row], left: usize) -> (usize, usize) {
    let widest = |text: fn(&Row) -> &str, least: usize| {
        let widths = rows.iter().map(|row| measure_text_width(text(row)));
        widths.max().unwrap_or(0).max(least)
    };
    let path = widest(|row| &row.path, "route".len());
    let model = widest(|row| &row.model, "model".len());
    let path = path.min(left.saturating_sub(model.min(LEAST)));
    (path, model.min(left.saturating_sub(path)))
}

fn line(row: &Row, chosen: bool, widths: (usize, usize, usize), paint: Paint) -> Line<'static> {
    let (path, model, rest) = widths;
    let (mark, style) = paint.verdict(row.mark);
    let pointer = if chosen { "> " } else { "  " };
    let name = if chosen {
        paint.bold()
    } else {
        paint.style(ratatui::style::Style::new())
    };
    let errors = match row.reason.as_str() {
        "" => paint.dim(),
        _ => paint.bad(),
    };
    let cells = [
        number(row.counts.requests),
        rate(row.rate),
        time(row.half),
        time(row.most),
        number(row.counts.input),
        number(row.counts.output),
    ];
    let cells = cells.iter().zip(WIDTHS);
    let cells: String = cells.map(|(cell, wide)| format!("{cell:>wide$}")).collect();
    let last = WIDTHS.last().copied().unwrap_or(0);
    let mut spans = vec![
        Span::styled(pointer, name),
        Span::styled(format!("{mark} "), style),
        Span::styled(padded(&row.path, path), name),
        Span::raw(format!("  {}", padded(&row.model, model))),
        Span::raw(cells),
        Span::styled(format!("{:>last$}", number(row.counts.errors)), errors),
    ];
    if rest > 0 {
        let reason = format!("  {}", cut(&row.reason, rest));
        spans.push(Span::styled(reason, paint.dim()));
    }
    Line::from(spans)
}

fn padded(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let gap = width.saturating_sub(measure_text_width(&text));
    text + &" ".repeat(gap)
}

/// At most five columns.
fn number(number: u64) -> String {
    let short = |unit: f64, name: char| {
        let value = number as f64 / unit;
        let digits = usize::from(value < 99.95);
        format!("{value:.digits$}{name}")
    };
    match number {
        0..10_000 => number.to_string(),
        10_000..999_500 => short(1e3, 'k'),
        999_500..999_500_000 => short(1e6, 'M'),
        _ => short(1e9, 'G'),
    }
}

fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_string(),
        Some(0.0) => "0".to_string(),
        Some(rate) if rate < 99.95 => format!("{rate:.1}"),
        Some(rate) => number(rate.round() as u64),
    }
}

/// `0.4 ms`, `12 ms`, `0.27 s`, `34.2 s`.
fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_string(),
        Some(s) if s < 0.01 => format!("{:.1} ms", s * 1000.0),
        Some(s) if s < 0.1 => format!("{:.0} ms", s * 1000.0),
        Some(s) => duration(Duration::from_secs_f64(s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_stay_in_their_columns() {
        for value in [
            0,
            9_999,
            10_000,
            99_949,
            99_951,
            999_499,
            999_500,
            2_000_000_000,
        ] {
            assert!(number(value).len() <= 6, "{}", number(value));
        }
        assert_eq!(number(12_345), "12.3k");
        assert_eq!(number(999_600), "1.0M");
        for value in [0.0004, 0.0123, 0.27, 34.2, 600.0] {
            assert!(time(Some(value)).len() <= 6, "{}", time(Some(value)));
        }
        assert_eq!(time(Some(0.0004)), "0.4 ms");
        assert_eq!((rate(None), rate(Some(0.25))), ("-".into(), "0.2".into()));
    }
}
