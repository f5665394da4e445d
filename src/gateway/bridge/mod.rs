//! The bridge: MCP servers that are programs (stdio), for a gateway that speaks streamable HTTP
//! (MCP 2025-06-18, Transports). Each session has a process of its own, which ends with it.
//!
//! Data moves so: `exchange` reads a request and finds its `session`, which passes messages on to the
//! program that `child` runs, and gives back what it says, on the stream that waits for it. Messages
//! pass as they are: what servers and clients agree on is theirs.

mod child;
mod exchange;
mod inherit;
mod journal;
mod message;
mod session;
pub mod settings;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use journal::Journal;
use session::Session;
use settings::{Server, Settings};

/// Sessions, and so processes, at once; the one that has rested longest makes room.
const MOST: usize = 64;
/// How long a session may rest.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// Lines that wait for a program that does not read.
const LINES: usize = 64;

pub struct Bridge {
    servers: BTreeMap<String, Arc<Server>>,
    logs: String,
    journal: Journal,
    idle: Duration,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// Nothing once it ends: no program begins any more.
    programs: Mutex<Option<JoinSet<()>>>,
}

impl Bridge {
    pub fn new(settings: Settings, log: Box<dyn Write + Send>) -> Bridge {
        let servers = settings.servers.into_iter();
        Bridge {
            servers: servers.map(|(name, s)| (name, Arc::new(s))).collect(),
            logs: settings.logs,
            journal: Journal::new(log),
            idle: IDLE,
            sessions: Mutex::default(),
            programs: Mutex::new(Some(JoinSet::new())),
        }
    }

    /// With another time that a session may rest.
    pub fn resting(self, idle: Duration) -> Bridge {
        Bridge { idle, ..self }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves until `shutdown` completes; then ends every program.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let port = listener.local_addr()?.port();
        let bridge = Arc::new(self);
        let mut shutdown = pin!(shutdown);
        let graceful = GracefulShutdown::new();
        let mut sweeping = interval(bridge.idle.div_f32(4.0).min(Duration::from_secs(30)));
        sweeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                _ = sweeping.tick() => {
                    bridge.sweep();
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            // A client that is gone before it was accepted is no reason to end, nor is a full table of files.
            let Ok((stream, _)) = accepted else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let bridge = bridge.clone();
            let service = service_fn(move |request| {
                let bridge = bridge.clone();
                async move { Ok::<_, Infallible>(bridge.answer(request, port).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that hangs up is the client's affair.
                let _ = connection.await;
            });
        }
        bridge.end().await;
        graceful.shutdown().await;
        Ok(())
    }

    /// Starts a program and a session with it; the error is for the client.
    fn begin(self: &Arc<Self>, server: &Arc<Server>) -> Result<Arc<Session>, String> {
        self.make_room()?;
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(programs) = programs.as_mut() else {
            return Err(format!("the bridge ends; see: {}", self.logs));
        };
        let child = child::start(server).map_err(|error| {
            let program = server.command.first().map_or("", String::as_str);
            let what = format!("{program} can't be started: {error}");
            self.journal.warn(&server.name, &what, None);
            format!(
                "MCP server {}: {what}; put it there and run: gw up",
                server.name
            )
        })?;
        self.journal
            .note(&server.name, "a session begins", child.id());
        let (lines, inbox) = mpsc::channel(LINES);
        let session = Arc::new(Session::new(server, lines));
        self.sessions().insert(session.id.clone(), session.clone());
        let (bridge, begun) = (self.clone(), session.clone());
        // Those that have ended are forgotten here.
        while programs.try_join_next().is_some() {}
        programs.spawn(async move {
            let told = child::run(child, begun.clone(), inbox, &bridge.journal, &bridge.logs);
            // Where nobody was waiting, the next who asks is told; after that it is unknown.
            if told.await {
                bridge.forget(&begun.id);
            }
        });
        Ok(session)
    }

    fn make_room(&self) -> Result<(), String> {
        let oldest = {
            let sessions = self.sessions();
            if sessions.len() < MOST {
                return Ok(());
            }
            let idle = sessions
                .values()
                .filter_map(|s| Some((s.idle()?, s.id.clone())));
            idle.max()
        };
        match oldest {
            Some((_, id)) => {
                self.close(&id);
                Ok(())
            }
            None => Err(format!(
                "{MOST} sessions are at work; end one, or see: {}",
                self.logs
            )),
        }
    }

    fn find(&self, id: &str, server: &str) -> Option<Arc<Session>> {
        let session = self.sessions().get(id).cloned()?;
        (session.server.name == server).then_some(session)
    }

    fn forget(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions().remove(id)
    }

    /// Ends a session and its program. True if there was one.
    fn close(&self, id: &str) -> bool {
        let session = self.forget(id);
        session
            .as_ref()
            .inspect(|session| session.close())
            .is_some()
    }

    fn sweep(&self) {
        let rested = |session: &Arc<Session>| session.idle().is_some_and(|rest| rest >= self.idle);
        let ids: Vec<String> = {
            let sessions = self.sessions();
            let rested = sessions.values().filter(|session| rested(session));
            rested.map(|session| session.id.clone()).collect()
        };
        for id in ids {
            self.close(&id);
        }
    }

    /// Ends every program and waits for it.
    async fn end(&self) {
        // First of all: what begins later would not be waited for.
        let programs = self
            .programs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let ids: Vec<String> = self.sessions().keys().cloned().collect();
        for id in ids {
            self.close(&id);
        }
        if let Some(programs) = programs {
            programs.join_all().await;
        }
    }
}
