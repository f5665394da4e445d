//! Bodies: those that are held, with a limit, and those that pass through piece by piece.

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Either, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::llm::Meter;
use super::record::Record;
use super::wire::Driven;

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// What goes to the client: a whole body, or one that comes piece by piece.
pub(super) type AnswerBody = Either<Full<Bytes>, Streamed>;

/// A body on its way in either direction.
pub(super) enum AnyBody {
    Whole(Full<Bytes>),
    /// The other side's, as it comes.
    Incoming(Incoming),
    /// An upstream's, whose connection goes on as it is read.
    Driven(Driven),
    /// One that is made here: a translated stream, a session's events.
    Made(UnsyncBoxBody<Bytes, BoxError>),
}

impl AnyBody {
    pub fn whole(bytes: impl Into<Bytes>) -> AnyBody {
        AnyBody::Whole(Full::new(bytes.into()))
    }
}

impl Body for AnyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            AnyBody::Whole(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            AnyBody::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            AnyBody::Driven(body) => Pin::new(body).poll_frame(cx),
            AnyBody::Made(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnyBody::Whole(body) => body.is_end_stream(),
            AnyBody::Incoming(body) => body.is_end_stream(),
            AnyBody::Driven(body) => body.is_end_stream(),
            AnyBody::Made(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnyBody::Whole(body) => body.size_hint(),
            AnyBody::Incoming(body) => body.size_hint(),
            AnyBody::Driven(body) => body.size_hint(),
            AnyBody::Made(body) => body.size_hint(),
        }
    }
}

/// An upstream's body on its way to the client. Its end, or the client's leaving, ends the record
/// and drops the upstream call.
pub(super) struct Streamed {
    pub inner: AnyBody,
    pub meter: Option<Meter>,
    pub record: Record,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let this = &mut *self;
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.record.sent(data.len());
                    if let Some(meter) = &mut this.meter {
                        meter.see(data);
                    }
                }
            }
            Some(Err(error)) => this
                .record
                .fail("UpstreamFailure", format!("upstream call failed: {error}")),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if let Some(meter) = self.meter.take() {
            let usage = meter.read();
            self.record.used(usage);
        }
    }
}

#[derive(Debug)]
pub(super) enum ReadError {
    TooLarge,
    Broken(BoxError),
}

/// Holds a body of at most `limit` bytes. A single piece is not copied.
pub(super) async fn read(mut body: AnyBody, limit: usize) -> Result<Bytes, ReadError> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ReadError::Broken)?.into_data() else {
            continue;
        };
        if first.len().max(more.len()) + data.len() > limit {
            drain(body, limit * 4).await;
            return Err(ReadError::TooLarge);
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if more.is_empty() {
            let expected = usize::try_from(body.size_hint().lower())
                .unwrap_or(0)
                .min(limit);
            more.reserve(first.len() + data.len() + expected);
            more.extend_from_slice(&first);
        }
        more.extend_from_slice(&data);
    }
    match more.is_empty() {
        true => Ok(first),
        false => Ok(more.freeze()),
    }
}

/// Looks at a body of at most `limit` bytes, and gives it back to be sent on. A longer or broken one is
/// given back alone, as it came.
pub(super) async fn peek(mut body: AnyBody, limit: usize) -> (Option<Bytes>, AnyBody) {
    let mut seen: Vec<Result<Frame<Bytes>, BoxError>> = Vec::new();
    let mut length = 0;
    let mut is_plain = true;
    while length <= limit {
        let Some(frame) = body.frame().await else {
            let mut data = seen.iter().flatten().filter_map(Frame::data_ref);
            let whole = match seen.len() {
                1 => data.next().cloned().unwrap_or_default(),
                _ => data.flatten().copied().collect(),
            };
            return match is_plain {
                true => (Some(whole.clone()), AnyBody::whole(whole)),
                false => (Some(whole), replayed(seen, body)),
            };
        };
        let is_broken = frame.is_err();
        let data = frame.as_ref().ok().map(Frame::data_ref);
        is_plain &= data.is_some_and(|data| data.is_some());
        length += data.flatten().map_or(0, Bytes::len);
        seen.push(frame);
        if is_broken {
            break;
        }
    }
    (None, replayed(seen, body))
}

fn replayed(seen: Vec<Result<Frame<Bytes>, BoxError>>, rest: AnyBody) -> AnyBody {
    let frames = stream::iter(seen).chain(BodyStream::new(rest));
    AnyBody::Made(StreamBody::new(frames).boxed_unsync())
}

/// Reads on for a while, so that a client still sending gets to read why it was refused.
async fn drain(mut body: AnyBody, mut left: usize) {
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length >= left {
            return;
        }
        left -= length;
    }
}
