//! The start of a body, read without taking it from whoever comes next.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};

use super::body::{AnyBody, BoxError};

/// What was read of a body, and the body as if nothing had been.
pub(super) struct Held {
    /// At most as long as was asked for.
    pub start: Bytes,
    /// Whether that is all: no more data, and no trailers.
    pub is_whole: bool,
    pub body: AnyBody,
}

/// Reads until more than `limit` bytes are there, or the end.
pub(super) async fn peek(mut body: AnyBody, limit: usize) -> Result<Held, BoxError> {
    let mut front = VecDeque::new();
    let (mut pieces, mut length) = (Vec::new(), 0);
    let mut is_whole = true;
    while is_whole {
        let Some(frame) = body.frame().await else {
            let start = joined(&pieces, limit);
            let body = AnyBody::whole(start.clone());
            return Ok(Held {
                start,
                is_whole,
                body,
            });
        };
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            length += data.len();
            pieces.push(data.clone());
        }
        is_whole = length <= limit && frame.is_data();
        front.push_back(frame);
    }
    let rest = Resumed { front, rest: body };
    Ok(Held {
        start: joined(&pieces, limit),
        is_whole,
        body: AnyBody::Made(rest.boxed_unsync()),
    })
}

fn joined(pieces: &[Bytes], limit: usize) -> Bytes {
    let mut all = match pieces {
        [only] => only.clone(),
        pieces => Bytes::from(pieces.concat()),
    };
    all.truncate(limit);
    all
}

/// A body whose first frames were read already.
struct Resumed {
    front: VecDeque<Frame<Bytes>>,
    rest: AnyBody,
}

impl Body for Resumed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        match this.front.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use http_body_util::StreamBody;

    fn body(pieces: &[&'static str], trailers: bool) -> AnyBody {
        let mut frames: Vec<Result<Frame<Bytes>, BoxError>> = pieces
            .iter()
            .map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))
            .collect();
        if trailers {
            frames.push(Ok(Frame::trailers(HeaderMap::new())));
        }
        AnyBody::Made(StreamBody::new(futures::stream::iter(frames)).boxed_unsync())
    }

    #[tokio::test]
    async fn a_start_is_read_and_nothing_is_lost() {
        type Row<'a> = (&'a [&'static str], bool, usize, &'a str, bool);
        let table: [Row; 6] = [
            (&[], false, 4, "", true),
            (&["ab"], false, 4, "ab", true),
            (&["ab", "cd"], false, 4, "abcd", true),
            (&["ab", "cd", "e", "f"], false, 4, "abcd", false),
            (&["abcdef"], false, 4, "abcd", false),
            (&["ab"], true, 4, "ab", false),
        ];
        for (pieces, trailers, limit, start, is_whole) in table {
            let held = peek(body(pieces, trailers), limit).await.unwrap();
            assert_eq!((&*held.start, held.is_whole), (start.as_bytes(), is_whole));
            let all = held.body.collect().await.unwrap();
            assert_eq!(all.trailers().is_some(), trailers);
            assert_eq!(all.to_bytes(), pieces.concat());
        }
    }
}
