//! A client's session with a program: what was asked of it, and where its messages go.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::message::{self, Kind};
use super::settings::Server;

/// Events that wait for a client that does not read.
const EVENTS: usize = 1024;
/// Messages of the program that wait for a client that has no stream open.
const WAITING: usize = 64;

pub(super) struct Session {
    pub id: String,
    pub server: Arc<Server>,
    state: Mutex<State>,
    closing: Notify,
}

struct State {
    /// Lines for the program; none when it is to end.
    lines: Option<Sender<String>>,
    /// Requests without an answer yet, oldest first.
    asked: Vec<Asked>,
    /// The stream on which the program speaks unasked.
    listener: Option<Sender<Bytes>>,
    waiting: VecDeque<Bytes>,
    used: Instant,
    /// Why there is no program any more.
    ended: Option<String>,
    last_words: String,
}

struct Asked {
    id: Value,
    token: Option<Value>,
    to: Sender<Bytes>,
}

impl Session {
    pub fn new(server: &Arc<Server>, lines: Sender<String>) -> Session {
        Session {
            id: format!("bridge-{:032x}", rand::random::<u128>()),
            server: server.clone(),
            state: Mutex::new(State {
                lines: Some(lines),
                asked: Vec::new(),
                listener: None,
                waiting: VecDeque::new(),
                used: Instant::now(),
                ended: None,
                last_words: String::new(),
            }),
            closing: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes messages on to the program; the stream of answers, where there is a request among them.
    /// The error says why the program is not there any more.
    pub async fn send(&self, messages: &[Value]) -> Result<Option<Receiver<Bytes>>, String> {
        let (to, answers) = channel(EVENTS);
        let mut has_request = false;
        let lines = {
            let mut state = self.state();
            state.used = Instant::now();
            let lines = match (&state.ended, &state.lines) {
                (None, Some(lines)) => lines.clone(),
                (ended, _) => return Err(ended.clone().unwrap_or_else(closed)),
            };
            for message in messages {
                if let Some(Kind::Request(id)) = message::kind(message) {
                    has_request = true;
                    let token = message::progress_token(message).cloned();
                    let to = to.clone();
                    state.asked.push(Asked { id, token, to });
                }
                if let Some(id) = message::cancelled(message) {
                    state.asked.retain(|asked| asked.id != *id);
                }
            }
            lines
        };
        for message in messages {
            // Where it fails the program has ended, and whoever asked is told of that.
            let _ = lines.send(message::line(message)).await;
        }
        Ok(has_request.then_some(answers))
    }

    /// A new stream of what the program says unasked, in place of the one that was there.
    pub fn listen(&self) -> Receiver<Bytes> {
        let (to, events) = channel(EVENTS);
        let mut state = self.state();
        state.used = Instant::now();
        for event in std::mem::take(&mut state.waiting) {
            let _ = to.try_send(event);
        }
        state.listener = (state.ended.is_none() && state.lines.is_some()).then_some(to);
        events
    }

    /// Takes what the program said. False where it is nobody's.
    pub fn hear(&self, message: &Value) -> bool {
        let mut state = self.state();
        match message::kind(message) {
            Some(Kind::Answer(id)) => {
                let Some(at) = state.asked.iter().position(|asked| asked.id == id) else {
                    return false;
                };
                let asked = state.asked.remove(at);
                give(asked.to, message::event(message));
                state.used = Instant::now();
                true
            }
            Some(Kind::Request(_) | Kind::Notification) => {
                state.pass(message);
                true
            }
            None => false,
        }
    }

    /// What the program wrote last to its stderr: it may say why it ends.
    pub fn remember(&self, words: &str) {
        self.state().last_words = words.to_string();
    }

    pub fn last_words(&self) -> String {
        self.state().last_words.clone()
    }

    /// The program has ended: whoever waits is told why. True if somebody was.
    pub fn end(&self, why: &str) -> bool {
        let mut state = self.state();
        state.lines = None;
        state.listener = None;
        state.ended = Some(why.to_string());
        let asked = std::mem::take(&mut state.asked);
        let told = asked.iter().any(|asked| !asked.to.is_closed());
        for asked in asked {
            give(asked.to, message::event(&message::error(&asked.id, why)));
        }
        told
    }

    /// The program is to end: its standard input is closed, as the protocol has it.
    pub fn close(&self) {
        let mut state = self.state();
        state.lines = None;
        state.listener = None;
        self.closing.notify_one();
    }

    /// Waits until the program is to end.
    pub async fn closing(&self) {
        self.closing.notified().await;
    }

    /// How long nobody has wanted anything of it; nothing while somebody waits or listens.
    pub fn idle(&self) -> Option<Duration> {
        let state = self.state();
        let waits = state.asked.iter().any(|asked| !asked.to.is_closed());
        let listens = state.listener.as_ref().is_some_and(|to| !to.is_closed());
        (!waits && !listens).then(|| state.used.elapsed())
    }
}

impl State {
    /// Progress goes to whoever waits for it; all else to the stream that is open for it, else to
    /// the newest that is open, else it waits (MCP 2025-06-18, Transports).
    fn pass(&mut self, message: &Value) {
        let event = message::event(message);
        let token = message::progress_of(message);
        let concerned = |asked: &&Asked| token.is_some() && asked.token.as_ref() == token;
        let open = |to: &&Sender<Bytes>| !to.is_closed();
        let of_token = self.asked.iter().find(concerned).map(|asked| &asked.to);
        let newest = self.asked.iter().rev().map(|asked| &asked.to).find(open);
        let to = of_token
            .filter(open)
            .or(self.listener.as_ref().filter(open))
            .or(newest);
        match to {
            // One that does not read loses it.
            Some(to) => drop(to.try_send(event)),
            None => {
                if self.waiting.len() >= WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(event);
            }
        }
    }
}

fn closed() -> String {
    "the session has ended".to_string()
}

/// An answer is never lost to a slow reader: it waits for room.
fn give(to: Sender<Bytes>, event: Bytes) {
    if let Err(TrySendError::Full(event)) = to.try_send(event) {
        tokio::spawn(async move { to.send(event).await });
    }
}
