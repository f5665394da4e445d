//! A state on a screen of any size.

use super::pane::pane;
use super::state::{Proved, State};
use super::table::table;
use super::{Paint, cut, plain};
use crate::report::style::Look;
use crate::text::{count, duration};
use crate::verify::check::Verdict;
use ratatui::buffer::Buffer;
use ratatui::text::{Line, Span};
use std::time::Duration;

const KEYS: &str = "up, down choose   t test   l log   r reach   ? help   q end";
/// Lines that the pane keeps, however many routes there are.
const PANE: usize = 7;

/// Draws everything; `now` is in seconds since 1970, for the age of the proof.
pub fn draw(state: &State, buffer: &mut Buffer, look: Look, now: u64) {
    let paint = Paint(look);
    let (width, height) = (
        usize::from(buffer.area.width),
        usize::from(buffer.area.height),
    );
    let mut lines = head(state, width, paint, now);
    lines.push(Line::raw(""));
    let room = height.saturating_sub(lines.len() + 2);
    let rows = room.saturating_sub(PANE.min(room / 2));
    lines.extend(table(state, width, rows, paint));
    lines.push(Line::raw(""));
    let room = height.saturating_sub(lines.len() + 1);
    lines.extend(pane(state, width, room, paint));
    lines.truncate(height.saturating_sub(1));
    for (y, line) in (buffer.area.y..buffer.area.bottom()).zip(&lines) {
        buffer.set_line(buffer.area.x, y, line, buffer.area.width);
    }
    if let Some(last) = buffer.area.bottom().checked_sub(1).filter(|_| height > 0) {
        let keys = Line::styled(cut(KEYS, width), paint.dim());
        buffer.set_line(buffer.area.x, last, &keys, buffer.area.width);
    }
}

/// Where it is, whether it answers, what was proved last.
fn head(state: &State, width: usize, paint: Paint, now: u64) -> Vec<Line<'static>> {
    let (verdict, address, said) = match &state.looked {
        None => (Verdict::Skip, "", "looking".to_string()),
        Some(looked) => match (&looked.answers, looked.base.as_str()) {
            (_, "") => (Verdict::Fail, "no address yet", "gw up".to_string()),
            (Ok(()), base) => (Verdict::Pass, base, "answers".to_string()),
            (Err(why), base) => (Verdict::Fail, base, plain(why)),
        },
    };
    let place = format!("{}, environment {}", state.place, state.environment);
    let text = [place.as_str(), address, said.as_str()].map(str::to_string);
    let text: Vec<String> = text.into_iter().filter(|part| !part.is_empty()).collect();
    let proof = state
        .looked
        .as_ref()
        .and_then(|looked| looked.proof.as_ref());
    let (proved, told) = proved(proof, now);
    let line = |verdict: Verdict, text: String| {
        let (mark, style) = paint.verdict(verdict);
        let text = cut(&text, width.saturating_sub(2));
        Line::from(vec![
            Span::styled(format!("{mark} "), style),
            Span::raw(text),
        ])
    };
    vec![line(verdict, text.join("   ")), line(proved, told)]
}

fn proved(proof: Option<&Proved>, now: u64) -> (Verdict, String) {
    let Some(proof) = proof else {
        return (Verdict::Skip, "not proved yet".to_string());
    };
    let age = match now.saturating_sub(proof.at) {
        0..2 => "just now".to_string(),
        seconds @ 2..120 => format!("{seconds} s ago"),
        seconds => format!("{} ago", duration(Duration::from_secs(seconds))),
    };
    let (verdict, failed) = match proof.failed {
        0 => (Verdict::Pass, String::new()),
        failed => (Verdict::Fail, format!(", {failed} failed")),
    };
    let passed = count(proof.passed, "claim");
    (verdict, format!("last proof {age}: {passed} held{failed}"))
}
