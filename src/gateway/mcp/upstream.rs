//! The state of a session at one server, whichever transport the server speaks.

use std::sync::{Mutex, PoisonError};

use http::{Method, StatusCode};

use super::caller::{Call, Caller, EVENTS, JSON, SESSION, is};
use super::failure::Failure;
use super::legacy::Legacy;
use super::message::Message;
use super::stream::{self, Messages};
use super::target::{Protocol, Target};

const BOTH: &str = "text/event-stream, application/json";

pub(super) enum Upstream {
    Streamable(Streamable),
    Legacy(Legacy),
}

/// A session of streamable HTTP: the server's id for it, and the address that it lives at.
pub(super) struct Streamable {
    id: Mutex<Option<String>>,
    address: usize,
}

impl Upstream {
    /// A session that has yet to be initialized, at any of the server's addresses.
    pub fn new(target: &Target) -> Upstream {
        let address = match target.origin.dial.len() {
            0 | 1 => 0,
            count => rand::random_range(0..count),
        };
        match target.protocol {
            Protocol::StreamableHttp => Upstream::resumed(None, address),
            Protocol::Sse => Upstream::Legacy(Legacy::new(address)),
        }
    }

    /// A session of streamable HTTP that an id tells of.
    pub fn resumed(id: Option<String>, address: usize) -> Upstream {
        let id = Mutex::new(id);
        Upstream::Streamable(Streamable { id, address })
    }

    /// The server's id and the address, if that is all there is to know of this session.
    pub fn state(&self) -> Option<(Option<String>, usize)> {
        match self {
            Upstream::Streamable(streamable) => Some((streamable.id(), streamable.address)),
            Upstream::Legacy(_) => None,
        }
    }

    /// Sends a request; its answer is in the messages.
    pub async fn request(
        &self,
        caller: &Caller,
        target: &Target,
        message: &Message,
    ) -> Result<Messages, Failure> {
        match self {
            Upstream::Legacy(legacy) => legacy.request(caller, target, message).await,
            Upstream::Streamable(streamable) => {
                let accepted = || Failure::Http("unexpected 'accepted' response".to_string());
                let answer = streamable.post(caller, target, message).await?;
                answer.ok_or_else(accepted)
            }
        }
    }

    /// Sends what is not answered: a notification, or the client's answer to the server.
    pub async fn tell(
        &self,
        caller: &Caller,
        target: &Target,
        message: &Message,
    ) -> Result<(), Failure> {
        match self {
            Upstream::Legacy(legacy) => legacy.post(caller, target, message).await,
            Upstream::Streamable(streamable) => {
                streamable.post(caller, target, message).await.map(drop)
            }
        }
    }

    /// What the server says of its own accord.
    pub async fn listen(&self, caller: &Caller, target: &Target) -> Result<Messages, Failure> {
        match self {
            Upstream::Legacy(legacy) => legacy.listen(caller, target).await,
            Upstream::Streamable(streamable) => {
                let call = streamable.call(Method::GET, target, Some(EVENTS), None);
                let id = streamable.id();
                let call = Call {
                    session: id.as_deref(),
                    ..call
                };
                let answer = caller.call(target, call).await?;
                match is(answer.headers(), EVENTS) {
                    true => Ok(stream::messages(stream::events(answer.into_body()))),
                    false => Err(unexpected(answer.headers())),
                }
            }
        }
    }

    /// Ends the session at the server.
    pub async fn end(&self, caller: &Caller, target: &Target) -> Result<(), Failure> {
        match self {
            Upstream::Legacy(legacy) => {
                legacy.end().await;
                Ok(())
            }
            Upstream::Streamable(streamable) => {
                let id = streamable.id();
                if id.is_none() {
                    return Ok(());
                }
                let call = streamable.call(Method::DELETE, target, None, None);
                let call = Call {
                    session: id.as_deref(),
                    ..call
                };
                caller.call(target, call).await.map(drop)
            }
        }
    }
}

impl Streamable {
    fn id(&self) -> Option<String> {
        let id = self.id.lock().unwrap_or_else(PoisonError::into_inner);
        id.clone()
    }

    fn call<'a>(
        &self,
        method: Method,
        target: &'a Target,
        accept: Option<&'static str>,
        message: Option<&'a Message>,
    ) -> Call<'a> {
        Call {
            method,
            path: &target.path,
            accept,
            session: None,
            message,
            address: self.address,
        }
    }

    /// None when the server has only taken note.
    async fn post(
        &self,
        caller: &Caller,
        target: &Target,
        message: &Message,
    ) -> Result<Option<Messages>, Failure> {
        let id = self.id();
        let call = self.call(Method::POST, target, Some(BOTH), Some(message));
        let call = Call {
            session: id.as_deref(),
            ..call
        };
        let answer = caller.call(target, call).await?;
        if message.is_initialize() {
            let given = answer.headers().get(SESSION);
            let given = given.and_then(|id| id.to_str().ok()).map(str::to_string);
            *self.id.lock().unwrap_or_else(PoisonError::into_inner) = given;
        }
        if matches!(
            answer.status(),
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT
        ) {
            return Ok(None);
        }
        if is(answer.headers(), EVENTS) {
            let events = stream::events(answer.into_body());
            return Ok(Some(stream::messages(events)));
        }
        match is(answer.headers(), JSON) {
            true => stream::whole(answer.into_body()).await.map(Some),
            false => Err(unexpected(answer.headers())),
        }
    }
}

fn unexpected(headers: &http::HeaderMap) -> Failure {
    let kind = headers.get(http::header::CONTENT_TYPE);
    Failure::Http(format!("unexpected content type: {kind:?}"))
}
