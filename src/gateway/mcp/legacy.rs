//! A server that speaks the transport of 2024: everything it says comes on one stream of events, and
//! messages to it are posted to a place that the stream names first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use http::Method;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::caller::{Call, Caller, EVENTS, is};
use super::failure::Failure;
use super::message::{Kind, Message};
use super::stream::{Messages, events};
use super::target::Target;
use crate::gateway::sse::Events;

/// How long a server may take to name the place to post to.
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages that wait for a client which listens; more are dropped rather than held.
const WAITING: usize = 256;

pub(super) struct Legacy {
    address: usize,
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
}

struct Connection {
    endpoint: String,
    switch: Arc<Switch>,
    reader: JoinHandle<()>,
}

/// Where what comes on the stream goes.
#[derive(Default)]
struct Switch {
    closed: AtomicBool,
    /// Who waits for the answer to which request: ids as JSON.
    waiting: Mutex<HashMap<String, oneshot::Sender<Message>>>,
    /// Who listens to what the server says of its own accord.
    listener: Mutex<Option<mpsc::Sender<Message>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Legacy {
    pub fn new(address: usize) -> Legacy {
        Legacy {
            address,
            connection: tokio::sync::Mutex::default(),
        }
    }

    /// The answer alone: what the server says meanwhile goes to whoever listens.
    pub async fn request(
        &self,
        caller: &Caller,
        target: &Target,
        message: &Message,
    ) -> Result<Messages, Failure> {
        let connection = self.connection(caller, target).await?;
        let id = message.id().to_string();
        let (sender, receiver) = oneshot::channel();
        lock(&connection.switch.waiting).insert(id.clone(), sender);
        // Whatever happens, nobody waits for ever.
        let waiter = Waiter { connection, id };
        self.send(&waiter.connection, caller, target, message)
            .await?;
        if waiter.connection.switch.closed.load(Ordering::Acquire) {
            lock(&waiter.connection.switch.waiting).remove(&waiter.id);
        }
        let answer = async move {
            let answer = receiver.await;
            drop(waiter);
            answer.map_err(|_| "upstream closed on receive".to_string())
        };
        Ok(stream::once(answer).boxed())
    }

    pub async fn post(
        &self,
        caller: &Caller,
        target: &Target,
        message: &Message,
    ) -> Result<(), Failure> {
        let connection = self.connection(caller, target).await?;
        self.send(&connection, caller, target, message).await
    }

    /// What the server says of its own accord, to the one who asked last.
    pub async fn listen(&self, caller: &Caller, target: &Target) -> Result<Messages, Failure> {
        let connection = self.connection(caller, target).await?;
        let (sender, receiver) = mpsc::channel(WAITING);
        *lock(&connection.switch.listener) = Some(sender);
        let state = (receiver, connection);
        let next = |(mut receiver, connection): (mpsc::Receiver<Message>, Arc<Connection>)| async move {
            let message = receiver.recv().await?;
            Some((Ok(message), (receiver, connection)))
        };
        Ok(stream::unfold(state, next).boxed())
    }

    pub async fn end(&self) {
        *self.connection.lock().await = None;
    }

    async fn send(
        &self,
        connection: &Connection,
        caller: &Caller,
        target: &Target,
        message: &Message,
    ) -> Result<(), Failure> {
        let call = Call {
            method: Method::POST,
            path: &connection.endpoint,
            accept: None,
            session: None,
            message: Some(message),
            address: self.address,
        };
        caller.call(target, call).await.map(drop)
    }

    /// The one connection of this session, made when it is first needed.
    async fn connection(
        &self,
        caller: &Caller,
        target: &Target,
    ) -> Result<Arc<Connection>, Failure> {
        let mut held = self.connection.lock().await;
        match &*held {
            // The server has forgotten the session with it: there is nothing to take up again.
            Some(connection) if connection.switch.closed.load(Ordering::Acquire) => {
                Err(Failure::Closed)
            }
            Some(connection) => Ok(connection.clone()),
            None => {
                let connection = Arc::new(self.connect(caller, target).await?);
                *held = Some(connection.clone());
                Ok(connection)
            }
        }
    }

    async fn connect(&self, caller: &Caller, target: &Target) -> Result<Connection, Failure> {
        let call = Call {
            method: Method::GET,
            path: &target.path,
            accept: Some(EVENTS),
            session: None,
            message: None,
            address: self.address,
        };
        let answer = caller.call(target, call).await?;
        if !is(answer.headers(), EVENTS) {
            let kind = answer.headers().get(http::header::CONTENT_TYPE);
            let text = format!("establish sse: unexpected content type: {kind:?}");
            return Err(Failure::Http(text));
        }
        let mut events = events(answer.into_body());
        let endpoint = tokio::time::timeout(ENDPOINT_TIMEOUT, named(&mut events)).await;
        let endpoint = endpoint.unwrap_or_else(|_| Err("no endpoint was named".to_string()));
        let endpoint = endpoint.map_err(Failure::Http)?;
        let switch = Arc::<Switch>::default();
        let reader = tokio::spawn(read(events, switch.clone()));
        Ok(Connection {
            endpoint: path_of(&target.path, &endpoint),
            switch,
            reader,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

struct Waiter {
    connection: Arc<Connection>,
    id: String,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        lock(&self.connection.switch.waiting).remove(&self.id);
    }
}

/// Reads on until the place to post to is named.
async fn named(events: &mut Events) -> Result<String, String> {
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| error.to_string())?;
        if event.name == "endpoint" {
            return Ok(event.data);
        }
    }
    Err("unexpected empty stream".to_string())
}

/// Hands on what comes, until the stream ends.
async fn read(mut events: Events, switch: Arc<Switch>) {
    while let Some(Ok(event)) = events.next().await {
        let Ok(message) = Message::parse(event.data.as_bytes()) else {
            continue;
        };
        match message.kind {
            Kind::Result | Kind::Error => {
                let waiting = lock(&switch.waiting).remove(&message.id().to_string());
                if let Some(waiting) = waiting {
                    // Whoever asked may have left.
                    let _ = waiting.send(message);
                }
            }
            Kind::Request | Kind::Notification => {
                if let Some(listener) = &*lock(&switch.listener) {
                    // A listener that does not keep up loses messages, not the others their answers.
                    let _ = listener.try_send(message);
                }
            }
        }
    }
    switch.closed.store(true, Ordering::Release);
    lock(&switch.waiting).clear();
    *lock(&switch.listener) = None;
}

/// The path of an endpoint as a server names it. Only the path counts: messages do not go to another
/// server because one says so.
fn path_of(stream: &str, endpoint: &str) -> String {
    let path = match endpoint.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => endpoint,
    };
    match path.chars().next() {
        Some('/') => path.to_string(),
        Some('?') => format!("{}{path}", stream.split('?').next().unwrap_or("/")),
        _ => format!("/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_place_on_the_same_server() {
        let table = [
            ("/messages?sessionId=1", "/messages?sessionId=1"),
            ("?sessionId=1", "/sse?sessionId=1"),
            ("messages", "/messages"),
            ("http://evil.example:80/m?a=b", "/m?a=b"),
            ("http://evil.example", "/"),
            ("", "/"),
        ];
        for (endpoint, expected) in table {
            assert_eq!(path_of("/sse?key=1", endpoint), expected, "{endpoint}");
        }
    }
}
