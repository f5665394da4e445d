//! A program that speaks MCP on its standard input and output, from its start to its end.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::timeout;

use super::inherit::is_inherited;
use super::journal::Journal;
use super::message::messages;
use super::session::Session;
use super::settings::Server;
use crate::secret::source::at_home;

/// A line of a program may hold a picture.
const LONGEST_MESSAGE: u64 = 32 << 20;
const LONGEST_WORDS: u64 = 8 << 10;
/// How long a program may take to end by itself, and again after it was told to.
const GRACE: Duration = Duration::from_secs(2);
/// How long its last lines may take to come after it has ended.
const LAST_LINES: Duration = Duration::from_millis(200);

/// Starts the program in a group of its own, so that what it starts ends with it.
pub(super) fn start(server: &Server) -> io::Result<Child> {
    let program = server.command.first().map_or("", String::as_str);
    let mut command = Command::new(at_home(program));
    command
        .args(server.command.iter().skip(1))
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_inherited)))
        .envs(server.env.iter().map(|(name, value)| (name, value)))
        .envs(server.keys.iter().map(|(name, key)| (name, key.expose())))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(home) = std::env::home_dir() {
        command.current_dir(home);
    }
    end_with_us(&mut command);
    command.spawn()
}

/// A bridge that is killed can't end its programs; the kernel tells them.
#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command) {
    // SAFETY: prctl is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_us(_command: &mut Command) {}

/// Carries messages both ways until the program ends or is to end. True if somebody who waited for
/// an answer was told of the end.
pub(super) async fn run(
    mut child: Child,
    session: Arc<Session>,
    lines: Receiver<String>,
    journal: &Journal,
    logs: &str,
) -> bool {
    let pid = child.id();
    let name = session.server.name.clone();
    if let Some(stdin) = child.stdin.take() {
        tokio::spawn(write(stdin, lines));
    }
    let mut said = heard(child.stdout.take(), LONGEST_MESSAGE);
    let words = heard(child.stderr.take(), LONGEST_WORDS);
    let wording = tokio::spawn(word(words, session.clone(), journal.clone()));
    let status = loop {
        tokio::select! {
            Some(line) = said.recv() => hear(&session, &line, journal),
            status = child.wait() => break Some(status),
            () = session.closing() => break None,
        }
    };
    let why = match status {
        Some(status) => {
            // What it has started itself may go on writing.
            let last = async {
                while let Some(line) = said.recv().await {
                    hear(&session, &line, journal);
                }
            };
            let _ = timeout(LAST_LINES, last).await;
            let _ = timeout(LAST_LINES, wording).await;
            let how = ending(status);
            journal.warn(&name, &format!("the program ended ({how})"), pid);
            let words = match session.last_words().as_str() {
                "" => String::new(),
                words => format!(", and wrote last: {words}"),
            };
            format!(
                "MCP server {name} ended ({how}){words}; a new session starts it again; see: {logs}"
            )
        }
        None => {
            finish(&mut child, &mut said, pid).await;
            journal.note(&name, "the session ended, and the program with it", pid);
            format!("the session with MCP server {name} has ended; a new one starts it again")
        }
    };
    // What it had started itself may still be there.
    signal(pid, libc::SIGKILL);
    session.end(&why)
}

fn hear(session: &Session, line: &[u8], journal: &Journal) {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        let text = String::from_utf8_lossy(line);
        let text = session.server.blot(text.trim());
        if !text.is_empty() {
            journal.say(
                &session.server.name,
                &format!("no message on stdout: {text}"),
            );
        }
        return;
    };
    for message in messages(value) {
        session.hear(&message);
    }
}

async fn write(mut stdin: tokio::process::ChildStdin, mut lines: Receiver<String>) {
    while let Some(line) = lines.recv().await {
        let written = async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.flush().await
        };
        // It reads no more: its end is seen elsewhere.
        if written.await.is_err() {
            return;
        }
    }
}

/// The lines of a pipe; one that is longer than allowed comes in parts.
fn heard(pipe: Option<impl AsyncRead + Unpin + Send + 'static>, longest: u64) -> Receiver<Vec<u8>> {
    let (to, lines) = mpsc::channel(64);
    tokio::spawn(async move {
        let Some(pipe) = pipe else { return };
        let mut reader = BufReader::new(pipe);
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut reader).take(longest);
            match bounded.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) if to.send(line).await.is_err() => return,
                Ok(_) => {}
            }
        }
    });
    lines
}

async fn word(mut words: Receiver<Vec<u8>>, session: Arc<Session>, journal: Journal) {
    let mut is_cut = false;
    while let Some(line) = words.recv().await {
        let was_cut = std::mem::replace(&mut is_cut, !line.ends_with(b"\n"));
        // A key may go on where the part before was cut off.
        if was_cut {
            continue;
        }
        let mut text = String::from_utf8_lossy(&line).trim_end().to_string();
        if is_cut && line.len() as u64 >= LONGEST_WORDS {
            text.push('…');
        }
        let text = session.server.blot(&text);
        if !text.is_empty() {
            session.remember(&text);
            journal.say(&session.server.name, &text);
        }
    }
}

/// The protocol's own order: its standard input is closed already, then it is asked, then made to.
async fn finish(child: &mut Child, said: &mut Receiver<Vec<u8>>, pid: Option<u32>) {
    for number in [libc::SIGTERM, libc::SIGKILL] {
        // One that can't write any more might not end.
        let read_on = async {
            while said.recv().await.is_some() {}
            std::future::pending::<()>().await
        };
        let ended = async {
            tokio::select! {
                _ = child.wait() => {}
                () = read_on => {}
            }
        };
        if timeout(GRACE, ended).await.is_ok() {
            return;
        }
        signal(pid, number);
    }
    let _ = timeout(GRACE, child.wait()).await;
}

fn ending(status: io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(number)) => format!("signal {number}"),
            (None, None) => "nobody knows how".to_string(),
        },
        Err(error) => error.to_string(),
    }
}

/// To the program and all that it started.
fn signal(pid: Option<u32>, number: i32) {
    if let Some(group) = pid.and_then(|pid| i32::try_from(pid).ok()) {
        // SAFETY: kill has no memory effects.
        unsafe { libc::kill(-group, number) };
    }
}
