//! Sessions of MCP clients, a bounded number of them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Beyond it the oldest session is forgotten.
const SESSIONS: usize = 1_000;
/// Events that wait for a client that does not read.
const WAITING: usize = 64;

#[derive(Default)]
pub(in crate::gateway::mock) struct Sessions {
    list: Mutex<VecDeque<Session>>,
}

struct Session {
    id: String,
    events: Option<Sender<Bytes>>,
}

impl Sessions {
    fn list(&self) -> MutexGuard<'_, VecDeque<Session>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session, and the events that are sent to it.
    pub fn open(&self) -> (String, Receiver<Bytes>) {
        let id = format!("mock-{:032x}", rand::random::<u128>());
        let (sender, receiver) = channel(WAITING);
        let mut list = self.list();
        if list.len() >= SESSIONS {
            list.pop_front();
        }
        list.push_back(Session {
            id: id.clone(),
            events: Some(sender),
        });
        (id, receiver)
    }

    pub fn knows(&self, id: &str) -> bool {
        self.list().iter().any(|session| session.id == id)
    }

    /// A new stream of a session's events in place of the one it had.
    pub fn listen(&self, id: &str) -> Option<Receiver<Bytes>> {
        let mut list = self.list();
        let session = list.iter_mut().find(|session| session.id == id)?;
        let (sender, receiver) = channel(WAITING);
        session.events = Some(sender);
        Some(receiver)
    }

    /// Sends an event to whoever listens; one that does not read loses it.
    pub fn send(&self, id: &str, event: Bytes) {
        let list = self.list();
        let session = list.iter().find(|session| session.id == id);
        if let Some(events) = session.and_then(|session| session.events.as_ref()) {
            let _ = events.try_send(event);
        }
    }

    /// Ends a session and its stream. True if there was one.
    pub fn close(&self, id: &str) -> bool {
        let mut list = self.list();
        let before = list.len();
        list.retain(|session| session.id != id);
        list.len() < before
    }

    /// Ends all streams, so that the server can end.
    pub fn close_all(&self) {
        self.list().clear();
    }
}
