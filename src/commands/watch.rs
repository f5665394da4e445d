//! `gw status --watch`: the screen again whenever something changes; on a terminal with live routes and keys.

mod sight;
mod terminal;

use super::session::Session;
use super::{Outcome, copies};
use crate::apply::record::{Record, now};
use crate::error::Exit;
use crate::report::screen::draw::draw;
use crate::report::screen::state::{Event, State, Wish};
use futures::StreamExt;
use futures::future::{FutureExt, LocalBoxFuture};
use futures::stream::FuturesUnordered;
use sight::Sight;
use std::io::IsTerminal;
use std::time::Duration;
use terminal::Screen;
use tokio::signal::unix::{SignalKind, signal};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two looks at what moves, on a screen.
const LIVE: Duration = Duration::from_secs(1);
/// Between two rounds of all rules, on a screen.
const RULES: Duration = Duration::from_secs(10);

pub async fn run(session: &Session, record: &Record) -> Outcome {
    let drawn = session.out.terminal && session.err.terminal && std::io::stdin().is_terminal();
    match drawn {
        true => screen(session, record).await,
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

async fn screen(session: &Session, record: &Record) -> Outcome {
    let quiet = session.hushed();
    let mut state = State::new(&record.environment, &record.place());
    let outcome = shown(&quiet, &mut state).await;
    if state.running.is_some() {
        // What was left half way may have put copies beside routes.
        copies::sweep(&quiet).await;
    }
    outcome
}

/// Until a key or a signal ends it. The terminal is given back wherever this ends, or is dropped.
async fn shown(session: &Session, state: &mut State) -> Outcome {
    let sight = Sight::new(session);
    let mut work: FuturesUnordered<LocalBoxFuture<'_, Event>> = FuturesUnordered::new();
    work.push(sight.moving(Duration::ZERO).boxed_local());
    work.push(sight.found(Duration::ZERO).boxed_local());
    let mut signals = std::pin::pin!(left());
    let mut screen = Screen::open()?;
    let mut keys = terminal::keys();
    loop {
        screen.show(|buffer| draw(state, buffer, session.out, now()))?;
        let event = tokio::select! {
            key = keys.recv() => match key {
                Some(key) => Event::Key(key),
                None => return Ok(None),
            },
            Some(event) = work.next() => event,
            number = &mut signals => return Ok(Some(Exit::Signal(number))),
        };
        match event {
            Event::Looked(_) => work.push(sight.moving(LIVE).boxed_local()),
            Event::Found(_) => work.push(sight.found(RULES).boxed_local()),
            Event::Key(_) | Event::Told(_) => {}
        }
        match state.take(event) {
            None => {}
            Some(Wish::End) => return Ok(None),
            Some(Wish::Interrupt) => return Ok(Some(Exit::Signal(2))),
            Some(Wish::Test(route)) => {
                let title = state.titled("test");
                work.push(sight.test(title, route).boxed_local());
            }
            Some(Wish::Reach(route)) => {
                let title = state.titled("reach");
                work.push(sight.reach(title, route).boxed_local());
            }
        }
    }
}

/// Signals that end every other command at once would leave the terminal as it is here.
async fn left() -> u8 {
    let (Ok(mut hangup), Ok(mut quit)) = (signal(SignalKind::hangup()), signal(SignalKind::quit()))
    else {
        return std::future::pending().await;
    };
    let number = tokio::select! {
        _ = hangup.recv() => libc::SIGHUP,
        _ = quit.recv() => libc::SIGQUIT,
    };
    u8::try_from(number).unwrap_or(0)
}
