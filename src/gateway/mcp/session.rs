//! Sessions of clients: one at each server behind, and an id that the client shows (facts 9.8).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::message::Message;
use super::target::{Protocol, Servers, Target};
use super::upstream::Upstream;
use crate::gateway::uuid::uuid;

/// Sessions that are held at once; the one that has rested longest makes room.
const MOST: usize = 4096;
/// How long a session may rest.
const IDLE: Duration = Duration::from_secs(30 * 60);
const SWEEP: Duration = Duration::from_secs(60);

pub(super) struct Session {
    pub upstreams: Vec<Upstream>,
    /// Where messages to a client of the transport of 2024 go.
    pub inbox: Option<mpsc::Sender<Message>>,
    servers: u64,
}

impl Session {
    pub fn new(servers: &Servers, inbox: Option<mpsc::Sender<Message>>) -> Session {
        Session {
            upstreams: servers.targets.iter().map(Upstream::new).collect(),
            inbox,
            servers: servers.identity(),
        }
    }

    /// The id of a session that has been initialized. It tells all there is to know of it where every
    /// server speaks streamable HTTP, so the session can be resumed after a restart; else it is random.
    pub fn id(&self, servers: &Servers) -> String {
        let states = self.upstreams.iter().zip(&servers.targets);
        let states = states.map(|(upstream, target)| {
            let (session, at) = upstream.state()?;
            let address = target.origin.dial.get(at).map(ToString::to_string);
            let backend = address.filter(|a| a.parse::<std::net::SocketAddr>().is_ok());
            Some(State { session, backend })
        });
        match states.collect::<Option<Vec<State>>>() {
            None => uuid(),
            Some(sessions) => Blob {
                kind: "mcp".to_string(),
                sessions,
            }
            .encode(),
        }
    }

    /// The session that an id tells of. Only the server's own addresses count, whatever it says.
    fn resumed(id: &str, servers: &Servers) -> Option<Session> {
        let blob = Blob::decode(id)?;
        if blob.kind != "mcp" || blob.sessions.len() != servers.targets.len() {
            return None;
        }
        let upstream = |(state, target): (State, &Target)| {
            let named =
                |dial: &http::uri::Authority| Some(dial.as_str()) == state.backend.as_deref();
            let at = target.origin.dial.iter().position(named).unwrap_or(0);
            (target.protocol == Protocol::StreamableHttp)
                .then(|| Upstream::resumed(state.session, at))
        };
        let upstreams = blob
            .sessions
            .into_iter()
            .zip(&servers.targets)
            .map(upstream);
        Some(Session {
            upstreams: upstreams.collect::<Option<_>>()?,
            inbox: None,
            servers: servers.identity(),
        })
    }
}

/// What a session id says, as the real proxy writes it (recording `mcp-initialize`).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Blob {
    #[serde(rename = "t")]
    kind: String,
    #[serde(rename = "s")]
    sessions: Vec<State>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    backend: Option<String>,
}

impl Blob {
    fn encode(&self) -> String {
        // Texts alone: that can't fail, and an empty id would find no session.
        let json = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    fn decode(id: &str) -> Option<Blob> {
        let json = URL_SAFE_NO_PAD.decode(id).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// Every session of a gateway.
#[derive(Default)]
pub(in crate::gateway) struct Sessions {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<String, (Arc<Session>, Instant)>,
    is_swept: bool,
}

impl Sessions {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of this id with these servers, resumed if need be.
    pub(super) fn find(self: &Arc<Self>, id: &str, servers: &Servers) -> Option<Arc<Session>> {
        if let Some((session, used)) = self.table().sessions.get_mut(id) {
            *used = Instant::now();
            let session = session.clone();
            return (session.servers == servers.identity()).then_some(session);
        }
        let session = Arc::new(Session::resumed(id, servers)?);
        self.keep(id.to_string(), session.clone());
        Some(session)
    }

    pub(super) fn keep(self: &Arc<Self>, id: String, session: Arc<Session>) {
        let mut table = self.table();
        let now = Instant::now();
        if table.sessions.len() >= MOST {
            let oldest = table.sessions.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                table.sessions.remove(&oldest);
            }
        }
        table.sessions.insert(id, (session, now));
        if !std::mem::replace(&mut table.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    pub(super) fn remove(&self, id: &str) -> Option<Arc<Session>> {
        let removed = self.table().sessions.remove(id);
        removed.map(|(session, _)| session)
    }
}

/// Forgets sessions that have rested too long, while there are any. One that answers is not at rest.
async fn sweep(sessions: Weak<Sessions>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(sessions) = sessions.upgrade() else {
            return;
        };
        let mut table = sessions.table();
        table.sessions.retain(|_, (session, used)| {
            if Arc::strong_count(session) > 1 {
                *used = Instant::now();
            }
            used.elapsed() < IDLE
        });
        if table.sessions.is_empty() {
            table.is_swept = false;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::proptest;

    #[test]
    fn an_id_is_written_as_recorded() {
        let recorded = "eyJ0IjoibWNwIiwicyI6W3sicyI6IjljNDg0OGZjNmJhMTQzZDNiMDVhOWU0YzFjYjdhYmU2IiwiYiI6IjEyNy4wLjAuMToxOTEwMSJ9XX0";
        let state = State {
            session: Some("9c4848fc6ba143d3b05a9e4c1cb7abe6".to_string()),
            backend: Some("127.0.0.1:19101".to_string()),
        };
        let blob = Blob {
            kind: "mcp".to_string(),
            sessions: vec![state],
        };
        assert_eq!(blob.encode(), recorded);
        assert_eq!(Blob::decode(recorded), Some(blob));
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_id(id in ".{0,80}") {
            let _ = Blob::decode(&id);
            let _ = Blob::decode(&URL_SAFE_NO_PAD.encode(&id));
        }
    }
}
