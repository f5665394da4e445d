//! The dialogues of the guide: by keyboard, on stderr, each in a thread of its own so that a signal
//! is heard meanwhile.

use crate::error::{Error, Exit, Result};
use crate::report::guide::QUESTION;
use crate::report::style::Look;
use crate::secret::Secret;
use crate::secret::prompt::unseen;
use console::{Key, Term};
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{MultiSelect, Select};
use std::io::{self, ErrorKind};

/// Answers to the one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Yes,
    Target,
    Backends,
    Show,
    No,
}

impl Answer {
    fn of(key: &Key) -> Option<Answer> {
        match key {
            Key::Enter => Some(Answer::Yes),
            Key::Escape => Some(Answer::No),
            Key::Char(letter) => match letter.to_ascii_lowercase() {
                'y' => Some(Answer::Yes),
                't' => Some(Answer::Target),
                'b' => Some(Answer::Backends),
                's' => Some(Answer::Show),
                'n' | 'q' => Some(Answer::No),
                _ => None,
            },
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Answer::Yes => "yes",
            Answer::Target => "target",
            Answer::Backends => "backends",
            Answer::Show => "show the YAML",
            Answer::No => "no",
        }
    }
}

/// Asks the one question until a key answers it.
pub async fn question(look: Look) -> Result<Answer> {
    aside(move || {
        let term = Term::stderr();
        term.write_str(&format!("{} ", look.bold(QUESTION)))?;
        loop {
            if let Some(answer) = Answer::of(&term.read_key()?) {
                term.write_line(answer.word())?;
                return Ok(answer);
            }
        }
    })
    .await
}

/// The place of the chosen item; `None` where the choice was left with Esc.
pub async fn one(
    prompt: &'static str,
    items: Vec<String>,
    now: usize,
    look: Look,
) -> Result<Option<usize>> {
    aside(move || {
        let theme = theme(look);
        let select = Select::with_theme(theme.as_ref()).with_prompt(prompt);
        let select = select.items(&items).default(now).report(false);
        Ok(select.interact_opt()?)
    })
    .await
}

/// The places of the ticked items; `None` where the choice was left with Esc.
pub async fn several(
    prompt: &'static str,
    items: Vec<(String, bool)>,
    look: Look,
) -> Result<Option<Vec<usize>>> {
    aside(move || {
        let theme = theme(look);
        let select = MultiSelect::with_theme(theme.as_ref()).with_prompt(prompt);
        let select = select.items_checked(items).report(false);
        Ok(select.interact_opt()?)
    })
    .await
}

/// A key, without a sign of it on the screen; `None` for none.
pub async fn hidden(prompt: String, look: Look) -> Result<Option<Secret>> {
    aside(move || {
        let question = format!("? {} › ", look.bold(&prompt));
        let line = unseen(&question)?;
        // Esc, or another key that writes nothing: no key of a provider has such characters.
        let is_text = !line.trim().contains(char::is_control);
        Ok(Secret::new(&line).filter(|_| is_text))
    })
    .await
}

fn theme(look: Look) -> Box<dyn Theme> {
    match look.colour {
        true => Box::new(ColorfulTheme::default()),
        false => Box::new(SimpleTheme),
    }
}

/// What a dialogue's own errors come from.
struct Broken(io::Error);

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Broken(error)
    }
}

impl From<dialoguer::Error> for Broken {
    fn from(error: dialoguer::Error) -> Self {
        match error {
            dialoguer::Error::IO(error) => Broken(error),
        }
    }
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, Broken> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.unwrap_or_else(|e| Err(Broken(io::Error::other(e))));
    done.map_err(|Broken(error)| match error.kind() {
        // Ctrl-C while a key is waited for comes as this, and as a signal.
        ErrorKind::Interrupted => interrupted(libc::SIGINT),
        _ => Error::new("nobody can be asked on this terminal", "gw up").because(&error),
    })
}

/// Ended while asking: nothing has been made by then.
pub fn interrupted(signal: i32) -> Error {
    let error = Error::new("interrupted", "gw").fact("nothing was changed");
    error.exit(Exit::Signal(u8::try_from(signal).unwrap_or(0)))
}
