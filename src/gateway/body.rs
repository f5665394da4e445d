//! Bodies: those that are held, with a limit, and those that pass through piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::llm::Meter;
use super::record::Record;

/// What goes to the client: a whole body, or an upstream's as it comes.
pub(super) type AnswerBody = Either<Full<Bytes>, Streamed>;

/// What goes to the upstream: a whole body, or the client's as it comes.
pub(super) type CallBody = Either<Full<Bytes>, Incoming>;

/// An upstream's body on its way to the client. Its end, or the client's leaving, ends the record
/// and drops the upstream call.
pub(super) struct Streamed {
    pub inner: Incoming,
    pub meter: Option<Meter>,
    pub record: Record,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let this = &mut *self;
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(meter), Some(data)) = (&mut this.meter, frame.data_ref()) {
                    meter.sniffer.see(data);
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
    Broken(hyper::Error),
}

/// Holds a body of at most `limit` bytes. A single piece is not copied.
pub(super) async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, ReadError> {
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

/// Reads on for a while, so that a client still sending gets to read why it was refused.
async fn drain(mut body: Incoming, mut left: usize) {
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length >= left {
            return;
        }
        left -= length;
    }
}
