//! Clients of streamable HTTP (MCP 2025-06-18, Transports).

use std::sync::Arc;

use futures::StreamExt;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::caller::{EVENTS, JSON, SESSION, is};
use super::failure::{self, Failure};
use super::message::{Kind, Message};
use super::session::Session;
use super::stream::{self, Messages};
use super::{Visit, accepted, events};
use crate::gateway::exchange::Reply;
use crate::gateway::refusal::Refusal;

pub(super) async fn serve(visit: Visit<'_>) -> Result<Reply, Refusal> {
    let method = visit.exchange.parts.method.clone();
    match (method, visit.servers.stateful) {
        (Method::POST, _) => post(visit).await,
        (Method::GET, true) => get(visit).await,
        (Method::DELETE, true) => delete(visit).await,
        _ => Err(failure::method_not_allowed()),
    }
}

impl Visit<'_> {
    fn accepts(&self, kind: &str) -> bool {
        let given = self.exchange.parts.headers.get(ACCEPT);
        given
            .and_then(|given| given.to_str().ok())
            .is_some_and(|given| given.contains(kind))
    }

    fn session_id(&self) -> Option<String> {
        let id = self.exchange.parts.headers.get(SESSION)?;
        id.to_str().ok().map(str::to_string)
    }

    fn refusal(&mut self, failure: Failure, id: Value) -> Refusal {
        failure.refusal(id, self.exchange.record)
    }

    /// Passes a message on and answers with what comes back.
    async fn send(&mut self, session: &Arc<Session>, message: Message) -> Result<Reply, Refusal> {
        let id = message.id();
        match message.kind {
            Kind::Request => {
                let messages = self.ask(session, message).await?;
                Ok(events(stream::body(messages, id)))
            }
            Kind::Notification => {
                let told = self.relay(session).tell(&message).await;
                told.map_err(|failure| self.refusal(failure, Value::Null))?;
                Ok(accepted())
            }
            Kind::Result | Kind::Error => {
                let told = self.relay(session).answer(&message).await;
                told.map_err(|failure| self.refusal(failure, Value::Null))?;
                Ok(accepted())
            }
        }
    }

    pub async fn ask(
        &mut self,
        session: &Arc<Session>,
        message: Message,
    ) -> Result<Messages, Refusal> {
        let id = message.id();
        let mut note = std::mem::take(self.note());
        let relay = self.relay(session);
        let answer = Box::pin(relay.request(message, &mut note)).await;
        *self.note() = note;
        answer.map_err(|failure| self.refusal(failure, id))
    }

    /// Ends a session that no client will name again: what it opened at some servers would stay there.
    async fn end(&mut self, session: &Arc<Session>) {
        self.relay(session).end().await;
    }
}

async fn post(mut visit: Visit<'_>) -> Result<Reply, Refusal> {
    if !visit.accepts(JSON) || !visit.accepts(EVENTS) {
        return Err(failure::not_acceptable());
    }
    let headers = &visit.exchange.parts.headers;
    if !headers.contains_key(CONTENT_TYPE) || !is(headers, JSON) {
        return Err(failure::content_type());
    }
    let message = visit.message().await?;
    if !visit.servers.stateful {
        return stateless(visit, message).await;
    }
    if let Some(id) = visit.session_id() {
        let session = visit.sessions().find(&id, visit.servers);
        let session = session.ok_or_else(failure::unknown_session)?;
        visit.note().session = Some(id);
        return visit.send(&session, message).await;
    }
    // The real proxy lets a notification begin a session too; an answer belongs to one that exists.
    if !message.is_initialize() && message.kind != Kind::Notification {
        return Err(failure::no_session());
    }
    let session = Arc::new(Session::new(visit.servers, None));
    let sent = visit.send(&session, message).await;
    if sent.is_err() {
        visit.end(&session).await;
    }
    let mut reply = sent?;
    let id = session.id(visit.servers);
    if let Ok(value) = HeaderValue::from_str(&id) {
        reply.parts.headers.insert(SESSION, value);
        visit.note().session = Some(id.clone());
        visit.sessions().keep(id, session);
    }
    Ok(reply)
}

async fn get(mut visit: Visit<'_>) -> Result<Reply, Refusal> {
    if !visit.accepts(EVENTS) {
        return Err(failure::not_acceptable());
    }
    let id = visit.session_id().ok_or_else(failure::no_session_id)?;
    let session = visit.sessions().find(&id, visit.servers);
    let session = session.ok_or_else(failure::unknown_session)?;
    visit.note().session = Some(id);
    let messages = visit.relay(&session).listen().await;
    let messages = messages.map_err(|failure| visit.refusal(failure, Value::Null))?;
    Ok(events(stream::body(messages, json!(0))))
}

/// Whether there was such a session is not said (facts 9.8).
async fn delete(mut visit: Visit<'_>) -> Result<Reply, Refusal> {
    let id = visit.session_id().ok_or_else(failure::no_session_id)?;
    if let Some(session) = visit.sessions().find(&id, visit.servers) {
        visit.sessions().remove(&id);
        visit.relay(&session).end().await;
    }
    visit.note().session = Some(id);
    Ok(accepted())
}

/// Every message has a session of its own, which is opened for it and ended when it has been answered.
async fn stateless(mut visit: Visit<'_>, message: Message) -> Result<Reply, Refusal> {
    let session = Arc::new(Session::new(visit.servers, None));
    let id = message.id();
    let messages = match answered(&mut visit, &session, message).await {
        Ok(Some(messages)) => messages,
        rest => {
            visit.end(&session).await;
            return rest.map(|_| accepted());
        }
    };
    let ending = Ending {
        session,
        servers: visit.servers.clone(),
        caller: Some(visit.caller),
        access: visit.access,
    };
    let messages = messages
        .map(move |item| {
            let _ = &ending;
            item
        })
        .boxed();
    Ok(events(stream::body(messages, id)))
}

/// What answers a request in a session that is opened for it; nothing answers other messages.
async fn answered(
    visit: &mut Visit<'_>,
    session: &Arc<Session>,
    message: Message,
) -> Result<Option<Messages>, Refusal> {
    if !message.is_initialize() {
        let params = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "agentgateway", "version": "0.12.0"},
        });
        let method = visit.note().method.clone();
        let opening = Message::request(json!(0), "initialize", params);
        let mut answer = visit.ask(session, opening).await?;
        stream::answer(&mut answer).await;
        let opened = Message::notification("notifications/initialized");
        visit.send(session, opened).await?;
        visit.note().method = method;
    }
    match message.kind {
        Kind::Request => visit.ask(session, message).await.map(Some),
        _ => visit.send(session, message).await.map(|_| None),
    }
}

/// Ends a session at its servers when the answer has been read, or the client has left.
pub(super) struct Ending {
    pub session: Arc<Session>,
    pub servers: Arc<super::Servers>,
    pub caller: Option<super::Caller>,
    pub access: super::Access,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let (Some(caller), Ok(runtime)) =
            (self.caller.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (session, servers) = (self.session.clone(), self.servers.clone());
        let access = self.access.clone();
        runtime.spawn(async move {
            let relay = super::Relay {
                session: &session,
                servers: &servers,
                caller: &caller,
                access,
            };
            relay.end().await;
        });
    }
}
