//! `gw status --watch` on a terminal: what happened goes into a state, and a state is drawn. Neither asks
//! anybody anything.

pub mod draw;
mod pane;
mod row;
pub mod state;
mod table;

use super::style::Look;
use crate::verify::check::Verdict;
use ratatui::style::{Color, Modifier, Style};

/// How the parts of the screen are painted: not at all where no colour is wanted.
#[derive(Debug, Clone, Copy)]
struct Paint(Look);

impl Paint {
    fn style(self, style: Style) -> Style {
        match self.0.colour {
            true => style,
            false => Style::new(),
        }
    }

    fn good(self) -> Style {
        self.style(Style::new().fg(Color::Green))
    }

    fn bad(self) -> Style {
        self.style(Style::new().fg(Color::Red))
    }

    fn warned(self) -> Style {
        self.style(Style::new().fg(Color::Yellow))
    }

    fn dim(self) -> Style {
        self.style(Style::new().add_modifier(Modifier::DIM))
    }

    fn bold(self) -> Style {
        self.style(Style::new().add_modifier(Modifier::BOLD))
    }

    fn verdict(self, verdict: Verdict) -> (&'static str, Style) {
        match verdict {
            Verdict::Pass => ("✓", self.good()),
            Verdict::Warn => ("!", self.warned()),
            Verdict::Fail => ("✗", self.bad()),
            Verdict::Skip => ("-", self.dim()),
        }
    }
}

/// One line without anything that moves a cursor: clients choose the names of models that logs repeat.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}

/// A text cut to so many columns.
fn cut(text: &str, width: usize) -> String {
    console::truncate_str(text, width, "…").into_owned()
}
