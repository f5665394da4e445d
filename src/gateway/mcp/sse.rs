//! Clients of the transport of 2024: a GET opens the stream that everything comes on, and messages
//! are posted beside it (facts 9.8).

use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value;
use tokio::sync::mpsc;

use super::failure;
use super::message::{Kind, Message};
use super::session::{Session, Sessions};
use super::stream::{Messages, frame};
use super::streamable::Ending;
use super::{Visit, accepted, events};
use crate::gateway::body::AnyBody;
use crate::gateway::exchange::Reply;
use crate::gateway::refusal::Refusal;
use crate::gateway::uuid::uuid;

/// Messages that wait for a client to read them.
const WAITING: usize = 64;

pub(super) async fn serve(visit: Visit<'_>) -> Result<Reply, Refusal> {
    match visit.exchange.parts.method {
        Method::POST => post(visit).await,
        Method::GET => Ok(open(visit)),
        _ => Err(failure::method_not_allowed()),
    }
}

/// Opens a session that lasts as long as its stream.
fn open(mut visit: Visit<'_>) -> Reply {
    let (sender, receiver) = mpsc::channel(WAITING);
    let session = Arc::new(Session::new(visit.servers, Some(sender)));
    let id = uuid();
    visit.sessions().keep(id.clone(), session.clone());
    visit.note().session = Some(id.clone());
    let uri = &visit.exchange.parts.uri;
    // The path that the client came by, before any rewrite.
    let joint = uri
        .query()
        .map_or(String::from("?"), |query| format!("?{query}&"));
    let first = format!(
        "event: endpoint\ndata: {}{joint}sessionId={id}\n\n",
        uri.path()
    );
    let ending = Ending {
        session,
        servers: visit.servers.clone(),
        caller: Some(visit.caller),
        access: visit.access,
    };
    let state = Open {
        receiver,
        sessions: visit.exchange.plane.mcp().clone(),
        id,
        _ending: ending,
    };
    let rest = stream::unfold(state, |mut open| async move {
        let message = open.receiver.recv().await?;
        Some((
            frame(format!("event: message\ndata: {}\n\n", message.text())),
            open,
        ))
    });
    let frames = stream::once(async { frame(first) }).chain(rest);
    events(AnyBody::Made(StreamBody::new(frames).boxed_unsync()))
}

/// The stream's end is the session's.
struct Open {
    receiver: mpsc::Receiver<Message>,
    sessions: Arc<Sessions>,
    id: String,
    _ending: Ending,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.sessions.remove(&self.id);
    }
}

async fn post(mut visit: Visit<'_>) -> Result<Reply, Refusal> {
    let query = visit.exchange.parts.uri.query().unwrap_or("");
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let id = pairs.find(|(name, _)| name == "sessionId");
    let id = id.map(|(_, id)| id.into_owned());
    let id = id.ok_or_else(failure::no_session_query)?;
    let message = visit.message().await?;
    let session = visit.sessions().find(&id, visit.servers);
    let session = session.ok_or_else(failure::unknown_session)?;
    let inbox = session.inbox.clone().ok_or_else(failure::unknown_session)?;
    visit.note().session = Some(id);
    let request = message.id();
    match message.kind {
        Kind::Request => {
            let is_first = message.is_initialize();
            let messages = visit.ask(&session, message).await?;
            // A server without such a stream has nothing to say of its own accord.
            if is_first && let Ok(heard) = visit.relay(&session).listen().await {
                tokio::spawn(pass(heard, inbox.clone(), Value::Null));
            }
            tokio::spawn(pass(messages, inbox, request));
        }
        Kind::Notification => {
            let told = visit.relay(&session).tell(&message).await;
            told.map_err(|f| f.refusal(Value::Null, visit.exchange.record))?;
        }
        Kind::Result | Kind::Error => {
            let told = visit.relay(&session).answer(&message).await;
            told.map_err(|f| f.refusal(Value::Null, visit.exchange.record))?;
        }
    }
    Ok(accepted())
}

/// Brings messages to a client's stream, until either ends.
async fn pass(mut messages: Messages, inbox: mpsc::Sender<Message>, id: Value) {
    loop {
        let item = tokio::select! {
            () = inbox.closed() => return,
            item = messages.next() => item,
        };
        let message = match item {
            None => return,
            Some(Ok(message)) => message,
            Some(Err(_)) if id.is_null() => return,
            Some(Err(cause)) => {
                Message::error(id.clone(), -32603, &format!("http request failed: {cause}"))
            }
        };
        if inbox.send(message).await.is_err() {
            return;
        }
    }
}
