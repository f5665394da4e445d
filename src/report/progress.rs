//! Progress on stderr: spinners on a terminal, one line a phase elsewhere, JSON lines on request.

use super::style::Look;
use crate::event::{Ending, Event, Sink};
use crate::text;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Width of the column of phase names.
const NAME: usize = 12;
/// Where the elapsed time ends.
const WIDTH: usize = 79;

/// Spinners, each replaced by its line when the phase ends.
pub fn spinners(look: Look) -> Sink {
    let bars = MultiProgress::new();
    let running: Mutex<HashMap<String, ProgressBar>> = Mutex::new(HashMap::new());
    Sink::new(move |event| {
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Begin { name } => {
                let bar = bars.add(ProgressBar::new_spinner().with_style(spinner()));
                bar.set_prefix(format!("{name:NAME$}"));
                bar.enable_steady_tick(Duration::from_millis(100));
                running.insert(name, bar);
            }
            Event::Waiting { name, reason } => {
                if let Some(bar) = running.get(&name) {
                    bar.set_message(text::excerpt(&reason, WIDTH - NAME - 14));
                }
            }
            Event::End {
                name,
                ending,
                detail,
                elapsed,
            } => {
                if let Some(bar) = running.remove(&name) {
                    bar.finish_and_clear();
                }
                if let Some(line) = line(&name, ending, &detail, elapsed, look) {
                    // Nothing can be done about a terminal that is gone.
                    let _ = bars.println(line);
                }
            }
            Event::Note { text } => {
                let _ = bars.println(format!("{}{text}", indent(look)));
            }
        }
    })
}

fn spinner() -> ProgressStyle {
    let style = ProgressStyle::with_template("{spinner} {prefix} {msg}  {elapsed}");
    style.unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// One line when a phase ends; waits are said once each, so that a log tells why it took long.
pub fn lines(look: Look) -> Sink {
    let said: Mutex<HashSet<String>> = Mutex::new(HashSet::new());
    Sink::new(move |event| match event {
        Event::Begin { .. } => {}
        Event::Waiting { name, reason } => {
            let line = format!("{}{name:NAME$} {reason}", indent(look));
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.insert(line.clone()) {
                write_line(&line);
            }
        }
        Event::End {
            name,
            ending,
            detail,
            elapsed,
        } => {
            if let Some(line) = line(&name, ending, &detail, elapsed, look) {
                write_line(&line);
            }
        }
        Event::Note { text } => write_line(&format!("{}{text}", indent(look))),
    })
}

/// One JSON object a line: `{"event": "begin"|"waiting"|"end"|"note", …}`.
pub fn json_lines() -> Sink {
    Sink::new(|event| {
        let value = match event {
            Event::Begin { name } => json!({"event": "begin", "phase": name}),
            Event::Waiting { name, reason } => {
                json!({"event": "waiting", "phase": name, "reason": reason})
            }
            Event::End {
                name,
                ending,
                detail,
                elapsed,
            } => {
                let ending = match ending {
                    Ending::Done => "done",
                    Ending::Unchanged => "unchanged",
                    Ending::Skipped => "skipped",
                    Ending::Failed => "failed",
                };
                json!({"event": "end", "phase": name, "ending": ending, "detail": detail, "seconds": elapsed.as_secs_f64()})
            }
            Event::Note { text } => json!({"event": "note", "text": text}),
        };
        write_line(&value.to_string());
    })
}

/// What is as it should be gets no line.
fn line(name: &str, ending: Ending, detail: &str, elapsed: Duration, look: Look) -> Option<String> {
    let mark = match ending {
        Ending::Done => look.good(),
        Ending::Failed => look.bad(),
        Ending::Skipped => look.skipped(),
        Ending::Unchanged => return None,
    };
    Some(timed(&format!("{mark} {name:NAME$} {detail}"), elapsed))
}

/// Text with the elapsed time at the right edge.
pub fn timed(text: &str, elapsed: Duration) -> String {
    let time = text::duration(elapsed);
    let used = console::measure_text_width(text) + time.len();
    let gap = WIDTH.saturating_sub(used).max(2);
    format!("{text}{}{time}", " ".repeat(gap))
}

fn indent(look: Look) -> String {
    " ".repeat(console::measure_text_width(&look.good()) + 1)
}

fn write_line(line: &str) {
    // A reader that has gone away must not end the work.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_its_time_and_fits_80_columns() {
        let look = Look {
            terminal: true,
            colour: true,
        };
        let line = line(
            "charts",
            Ending::Done,
            "agentgateway v2.2.0",
            Duration::from_millis(6210),
            look,
        )
        .unwrap();
        assert!(line.ends_with("6.21 s"));
        assert_eq!(console::measure_text_width(&line), WIDTH);
    }
}
