//! What a person is told when something fails: what failed, the facts, and one exact next command.
//!
//! The next command is not optional: an error without one can't be built (architecture, decision 13).

use std::fmt;

/// Exit codes of `gw` (architecture, decision 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Something failed while doing what was asked.
    Failed,
    /// The command line or the profile is wrong; nothing was touched.
    Usage,
    /// There is no target that could be used.
    NoTarget,
    /// Everything was applied, but a route did not answer as claimed.
    NotProved,
    /// Ended by this signal.
    Signal(u8),
}

impl Exit {
    /// The number the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NoTarget => 3,
            Exit::NotProved => 4,
            Exit::Signal(number) => 128 + number,
        }
    }
}

/// A failure as facts; `report` turns it into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// One lower-case sentence without a full stop: what failed first.
    pub what: String,
    /// Evidence, one line each, in the order a person would ask for it.
    pub facts: Vec<String>,
    /// One exact command that is the next thing to do.
    pub next: String,
    /// How the process ends if nobody handles this.
    pub exit: Exit,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Error {
            what: what.into(),
            facts: Vec::new(),
            next: next.into(),
            exit: Exit::Failed,
        }
    }

    /// A mistake in what was typed or in a profile: exit code 2.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Error::new(what, next).exit(Exit::Usage)
    }

    /// Adds one line of evidence.
    pub fn fact(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }

    /// Adds an underlying error with everything beneath it as one line of evidence.
    pub fn because(self, cause: &(dyn std::error::Error + 'static)) -> Self {
        self.fact(chain(cause))
    }

    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for fact in &self.facts {
            write!(f, "; {fact}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// An error and its sources as one line, without saying the same twice: many crates repeat the
/// source's text in their own.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_readme() {
        let codes = [
            Exit::Failed,
            Exit::Usage,
            Exit::NoTarget,
            Exit::NotProved,
            Exit::Signal(2),
        ];
        assert_eq!(codes.map(Exit::code), [1, 2, 3, 4, 130]);
    }

    #[test]
    fn a_chain_says_nothing_twice() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: inner")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("inner")]
        struct Inner(#[source] std::io::Error);
        let error = Outer(Inner(std::io::Error::other("root")));
        assert_eq!(chain(&error), "outer: inner: root");
    }
}
