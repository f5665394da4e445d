//! Answers to bytes on the wire, with whatever is to go wrong on the way.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

use super::answer::{Answer, Content, EVENTS, JSON};
use super::fault::Fault;

/// The header that every answer carries.
const MARK: HeaderName = HeaderName::from_static("x-gatewright-mock");

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

pub(super) fn deliver(answer: Answer, fault: &Fault) -> Response<Body> {
    let (kind, length, body) = match answer.content {
        Content::Empty => (None, None, whole(Bytes::new())),
        Content::Json(value) => text(JSON, value.to_string().into(), fault),
        Content::Text(said) => text("text/plain", Bytes::from_static(said.as_bytes()), fault),
        Content::Pieces { kind, pieces } => (Some(kind), None, dripping(pieces, fault)),
        Content::Live(events) => {
            let frames = stream::unfold(events, |mut events| async {
                let event = events.recv().await?;
                Some((Ok(Frame::data(event)), events))
            });
            (Some(EVENTS), None, StreamBody::new(frames).boxed_unsync())
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.extend(
        answer
            .headers
            .into_iter()
            .map(|(name, value)| (Some(name), value)),
    );
    headers.insert(MARK, HeaderValue::from_static("true"));
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if kind == EVENTS {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
    }
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// One that is cut promises its whole length and breaks off after the half.
fn text(
    kind: &'static str,
    bytes: Bytes,
    fault: &Fault,
) -> (Option<&'static str>, Option<usize>, Body) {
    if !fault.cut {
        return (Some(kind), None, whole(bytes));
    }
    let half = bytes.slice(..bytes.len() / 2);
    let rest = bytes.slice(half.len()..);
    (
        Some(kind),
        Some(bytes.len()),
        dripping(vec![half, rest], fault),
    )
}

/// A stream of pieces; one that is cut breaks off at half of them, after one at least.
fn dripping(pieces: Vec<Bytes>, fault: &Fault) -> Body {
    let end = match fault.cut {
        true => (pieces.len() / 2).max(1),
        false => pieces.len(),
    };
    let broken = fault
        .cut
        .then(|| Err(io::Error::other("cut, as asked for")));
    let sent = pieces.into_iter().take(end).map(Ok).chain(broken);
    let drip = fault.drip;
    let frames = stream::iter(sent.enumerate()).then(move |(index, piece)| async move {
        if index > 0 {
            wait(drip, piece.is_err()).await;
        }
        piece.map(Frame::data)
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn wait(drip: Duration, is_end: bool) {
    match (drip.is_zero(), is_end) {
        (false, _) => tokio::time::sleep(drip).await,
        // What was said so far is flushed before the connection breaks.
        (true, true) => tokio::task::yield_now().await,
        (true, false) => {}
    }
}
