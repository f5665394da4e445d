//! Messages on their way from servers to the client: as they come, none held back.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::failure::Failure;
use super::message::{Kind, Message};
use crate::gateway::body::{AnyBody, BoxError};
use crate::gateway::sse::Events;

/// The most that one message of a server may take.
const MESSAGE_LIMIT: usize = 16 << 20;

/// What a server says, and where it breaks off, why.
pub(super) type Messages = BoxStream<'static, Result<Message, String>>;

/// The events of an answer's body.
pub(super) fn events(body: AnyBody) -> Events {
    Events::new(body, MESSAGE_LIMIT)
}

pub(super) fn once(message: Message) -> Messages {
    stream::once(async { Ok(message) }).boxed()
}

/// The one message in a body that is not a stream.
pub(super) async fn whole(body: AnyBody) -> Result<Messages, Failure> {
    let body = crate::gateway::body::read(body, MESSAGE_LIMIT).await;
    let body = body.map_err(|_| Failure::Http("length limit exceeded".to_string()))?;
    Message::parse(&body).map(once).map_err(Failure::Http)
}

/// The messages of a stream of events. Events without data only keep it alive.
pub(super) fn messages(events: Events) -> Messages {
    let next = |mut events: Events| async move {
        loop {
            let item = match events.next().await? {
                Err(error) => Err(error.to_string()),
                Ok(event) if event.data.is_empty() => continue,
                Ok(event) => Message::parse(event.data.as_bytes()),
            };
            return Some((item, events));
        }
    };
    stream::unfold(events, next).boxed()
}

/// Reads on until the answer to a request.
pub(super) async fn answer(messages: &mut Messages) -> Option<Message> {
    while let Some(Ok(message)) = messages.next().await {
        if matches!(message.kind, Kind::Result | Kind::Error) {
            return Some(message);
        }
    }
    None
}

/// The body that brings messages to a client of streamable HTTP. A break is told as an error of the
/// request with this id.
pub(super) fn body(messages: Messages, id: Value) -> AnyBody {
    let frames = messages.map(move |item| {
        let text = match item {
            Ok(message) => message.text(),
            Err(cause) => {
                Message::error(id.clone(), -32603, &format!("http request failed: {cause}")).text()
            }
        };
        frame(format!("data: {text}\n\n"))
    });
    AnyBody::Made(StreamBody::new(frames).boxed_unsync())
}

pub(super) fn frame(text: String) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from(text)))
}
