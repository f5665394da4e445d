//! The way of a request as a person follows it.

use super::human::failure;
use super::style::Look;
use crate::text;
use crate::verify::check::{Finding, Verdict};
use std::time::Duration;

/// Columns that a line may fill.
const WIDTH: usize = 79;

/// One line a hop; the first that fails with its evidence.
pub fn path(title: &str, hops: &[Finding], look: Look) -> String {
    let widest = hops
        .iter()
        .map(|hop| hop.title.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = vec![look.bold(title)];
    for hop in hops {
        if hop.verdict == Verdict::Fail {
            lines.extend(failure(hop, look));
            continue;
        }
        let time = match hop.seconds {
            seconds if seconds > 0.0 => text::duration(Duration::from_secs_f64(seconds)),
            _ => String::new(),
        };
        let room = WIDTH.saturating_sub(widest + 6 + time.len() + 2);
        let told = text::excerpt(&hop.summary, room);
        let line = format!(
            "{} {:widest$}  {told:room$}  {time}",
            look.verdict(hop.verdict),
            hop.title
        );
        lines.push(line.trim_end().to_string());
    }
    lines.join("\n") + "\n"
}
