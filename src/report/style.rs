//! Marks and colours: on a terminal as drawn in `screens.md`, elsewhere words.

use crate::verify::check::Verdict;
use console::Style;

/// How one stream is written. Decided once, from the stream and the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Marks, spinners and cursor movement.
    pub terminal: bool,
    pub colour: bool,
}

/// What decides the look; a value, so that the decision can be tested.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub is_terminal: bool,
    pub no_color: bool,
    pub term: Option<String>,
    pub ci: bool,
}

impl Surroundings {
    pub fn of(is_terminal: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Surroundings {
            is_terminal,
            no_color: set("NO_COLOR"),
            term: std::env::var("TERM").ok(),
            ci: set("CI"),
        }
    }

    pub fn look(&self) -> Look {
        let terminal = self.is_terminal && !self.ci && self.term.as_deref() != Some("dumb");
        Look {
            terminal,
            colour: terminal && !self.no_color,
        }
    }
}

impl Look {
    pub fn good(self) -> String {
        self.mark("✓", "ok", Style::new().green())
    }

    pub fn bad(self) -> String {
        self.mark("✗", "fail", Style::new().red())
    }

    pub fn warned(self) -> String {
        self.mark("!", "warn", Style::new().yellow())
    }

    pub fn skipped(self) -> String {
        self.mark("-", "skip", Style::new().dim())
    }

    pub fn verdict(self, verdict: Verdict) -> String {
        match verdict {
            Verdict::Pass => self.good(),
            Verdict::Warn => self.warned(),
            Verdict::Fail => self.bad(),
            Verdict::Skip => self.skipped(),
        }
    }

    pub fn arrow(self) -> &'static str {
        if self.terminal { "→" } else { "->" }
    }

    pub fn dim(self, text: &str) -> String {
        self.paint(text, Style::new().dim())
    }

    pub fn styled(self, text: &str, style: Style) -> String {
        self.paint(text, style)
    }

    pub fn red(self, text: &str) -> String {
        self.paint(text, Style::new().red())
    }

    pub fn green(self, text: &str) -> String {
        self.paint(text, Style::new().green())
    }

    pub fn bold(self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    fn mark(self, sign: &str, word: &str, style: Style) -> String {
        match self.terminal {
            true => self.paint(sign, style),
            false => word.to_string(),
        }
    }

    fn paint(self, text: &str, style: Style) -> String {
        match self.colour {
            true => style.force_styling(true).apply_to(text).to_string(),
            false => text.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_for_terminals_and_colour_only_where_wanted() {
        let terminal = Surroundings {
            is_terminal: true,
            ..Surroundings::default()
        };
        assert_eq!(
            terminal.look(),
            Look {
                terminal: true,
                colour: true
            }
        );
        let plain = Surroundings {
            no_color: true,
            ..terminal.clone()
        };
        assert_eq!(
            plain.look(),
            Look {
                terminal: true,
                colour: false
            }
        );
        assert_eq!(plain.look().good(), "✓");
        let ci = Surroundings {
            ci: true,
            ..terminal.clone()
        };
        assert_eq!(ci.look().bad(), "fail");
        let dumb = Surroundings {
            term: Some("dumb".into()),
            ..terminal
        };
        assert!(!dumb.look().terminal);
        assert!(!Surroundings::default().look().terminal);
    }
}
