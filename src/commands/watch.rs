//! `gw status --watch`: the screen again whenever something changes; on a terminal with live routes and keys.

use super::Outcome;
use super::session::Session;
use crate::apply::record::Record;
use crate::report::live::live;
use console::{Key, Term};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

pub async fn run(session: &Session, record: &Record) -> Outcome {
    match session.out.terminal && session.err.terminal {
        true => drawn(session, record).await,
        false => lines(session, record).await,
    }
}

/// One line a change: what a pipe or a log can hold.
async fn lines(session: &Session, record: &Record) -> Outcome {
    let mut last = String::new();
    loop {
        let seen = session.see(record).await;
        let text = seen.screen(session, record);
        // The age of the last proof grows by itself.
        let shape: String = text
            .lines()
            .filter(|line| !line.contains("last proof"))
            .collect();
        if shape != last {
            session.write(&format!("{text}\n"));
            last = shape;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn drawn(session: &Session, record: &Record) -> Outcome {
    let term = Term::stdout();
    let mut keys = keys(term.clone());
    let mut said = String::new();
    let mut logs = false;
    let _ = term.hide_cursor();
    loop {
        let seen = session.see(record).await;
        let mut text = seen.screen(session, record);
        text.push_str(&live(&seen.snapshot, logs, session.out));
        text.push_str(&said);
        text.push_str(&session.out.dim("\nt test   l logs   r again   q end\n"));
        let (height, _) = term.size();
        let shown: Vec<&str> = text
            .lines()
            .take(usize::from(height).saturating_sub(1))
            .collect();
        let _ = term.clear_screen();
        let _ = term.write_str(&(shown.join("\n") + "\n"));
        let until = Instant::now() + PAUSE;
        match tokio::time::timeout_at(until.into(), keys.recv()).await {
            Ok(Some('q') | None) => break,
            Ok(Some('l')) => logs = !logs,
            Ok(Some('t')) => {
                let _ = term.write_str("testing every route\n");
                let findings = session.prove(record, Duration::ZERO, None).await;
                session.keep_proof(&findings)?;
                said = format!("\n{}", crate::report::human::proof(&findings, session.out));
            }
            Ok(Some(_)) => said.clear(),
            Err(_) => {}
        }
    }
    let _ = term.show_cursor();
    Ok(None)
}

/// Keys as they are pressed; read aside, because reading waits.
fn keys(term: Term) -> mpsc::UnboundedReceiver<char> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(key) = term.read_key() {
            let letter = match key {
                Key::Char(letter) => letter,
                Key::Escape | Key::CtrlC => 'q',
                _ => continue,
            };
            if sender.send(letter).is_err() || letter == 'q' {
                return;
            }
        }
    });
    receiver
}
