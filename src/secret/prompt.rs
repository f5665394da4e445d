//! A key that a person types, unseen. Only where there is a terminal, and one question at a time.

use super::Secret;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};

/// No key is longer.
const LONGEST: u64 = 64 * 1024;

/// One at a time: two questions on one terminal would take each other's answers.
static ASKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// How the terminal was, while it shows nothing of what is typed.
static SHOWN: Mutex<Option<libc::termios>> = Mutex::new(None);

pub async fn read(title: &str) -> Result<Secret> {
    let _alone = ASKING.lock().await;
    let next = "read -rs KEY && export KEY";
    let error = |what: &str| Error::usage(what, next).fact("in the profile: `{env: KEY}`");
    let asked = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !asked || std::env::var_os("CI").is_some_and(|ci| !ci.is_empty()) {
        return Err(error(&format!(
            "there is no terminal on which to ask for {title}"
        )));
    }
    let question = format!("{title} (not shown): ");
    let reading = tokio::task::spawn_blocking(move || unseen(&question));
    let typed = reading
        .await
        .map_err(|e| error("nothing could be read").because(&e))?;
    let typed = typed.map_err(|e| error("the terminal can't be read").because(&e))?;
    Secret::new(&typed).ok_or_else(|| error(&format!("nothing was typed for {title}")))
}

/// Asks on the terminal of this process and reads a line, which the terminal does not show: from before
/// the question is there, because who pastes is fast.
pub fn unseen(question: &str) -> std::io::Result<String> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    hide(&terminal)?;
    let mut line = String::new();
    let asked = terminal.write_all(question.as_bytes());
    let read = asked.and_then(|()| {
        let mut lines = BufReader::new(&terminal).take(LONGEST);
        lines.read_line(&mut line)
    });
    restore();
    terminal.write_all(b"\n")?;
    read.map(|_| line)
}

fn hide(terminal: &File) -> std::io::Result<()> {
    // SAFETY: an all-zero termios is a valid value, and tcgetattr fills it.
    let mut now: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and `now` is a valid place to write to.
    if unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut now) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    now.c_lflag &= !libc::ECHO;
    // SAFETY: the descriptor is open and `now` is what tcgetattr gave, but for one flag.
    match unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSAFLUSH, &raw const now) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Makes a terminal show again what is typed: also when a signal ended the question.
pub fn restore() {
    let before = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Some(before), Ok(terminal)) = (before, File::open("/dev/tty")) else {
        return;
    };
    // SAFETY: the descriptor is open and `before` is what tcgetattr gave.
    let _ = unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const before) };
}
