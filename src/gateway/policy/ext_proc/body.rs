//! A body on its way through a processor: sent to it piece by piece, and taken back as it comes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HttpBody, HttpTrailers, ProcessingRequest,
};
use http::header::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use super::head::change;
use super::talk::{Helper, Said, wrapped};
use crate::gateway::body::{AnyBody, BoxError};
use crate::gateway::envoy;

#[derive(Clone, Copy)]
pub(super) enum Side {
    Request,
    Answer,
}

impl Side {
    fn body(self, body: HttpBody) -> Request {
        match self {
            Side::Request => Request::RequestBody(body),
            Side::Answer => Request::ResponseBody(body),
        }
    }

    fn trailers(self, trailers: HttpTrailers) -> Request {
        match self {
            Side::Request => Request::RequestTrailers(trailers),
            Side::Answer => Request::ResponseTrailers(trailers),
        }
    }
}

/// What a message adds to the body.
pub(super) struct Piece {
    data: Bytes,
    is_last: bool,
}

impl Piece {
    pub const END: Piece = Piece {
        data: Bytes::new(),
        is_last: true,
    };
}

/// Only a streamed piece is one: the other forms have no meaning in this mode, and agentgateway
/// 0.12 passes over them too.
pub(super) fn piece(common: CommonResponse) -> Piece {
    match common.body_mutation.and_then(|body| body.mutation) {
        Some(Mutation::StreamedResponse(streamed)) => Piece {
            data: streamed.body.into(),
            is_last: streamed.end_of_stream,
        },
        Some(Mutation::Body(_) | Mutation::ClearBody(_)) | None => Piece {
            data: Bytes::new(),
            is_last: false,
        },
    }
}

/// What the body's own end was like.
#[derive(Default)]
struct Source {
    /// The sender's trailers, which the processor may change.
    trailers: Mutex<Option<HeaderMap>>,
    broken: AtomicBool,
}

impl Source {
    fn trailers(&self) -> MutexGuard<'_, Option<HeaderMap>> {
        self.trailers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ends of a conversation that a body needs.
pub(super) struct Ends {
    pub sender: mpsc::Sender<ProcessingRequest>,
    pub said: mpsc::Receiver<Said>,
    /// Tells the other end of `said`, while it is open, that the body broke off.
    pub alarm: mpsc::WeakSender<Said>,
    pub reader: Arc<Helper>,
}

/// The body that a processor gives back.
pub(super) struct Passed {
    pub said: mpsc::Receiver<Said>,
    /// Pieces that came with or before the head.
    pub early: VecDeque<Piece>,
    /// Whether there is a body at all.
    has_body: bool,
    ended: bool,
    source: Arc<Source>,
    _pump: Option<Helper>,
    _reader: Arc<Helper>,
}

impl Passed {
    pub fn new(side: Side, body: AnyBody, ends: Ends) -> Passed {
        let source = Arc::new(Source::default());
        let has_body = !body.is_end_stream();
        let sent = pump(side, body, ends.sender, ends.alarm, source.clone());
        Passed {
            said: ends.said,
            early: VecDeque::new(),
            has_body,
            ended: false,
            source,
            _pump: has_body.then(|| Helper::start(sent)),
            _reader: ends.reader,
        }
    }

    /// Without a body there is nothing to wait for but what came with the head.
    pub fn into_body(self) -> AnyBody {
        match self.has_body {
            true => AnyBody::Made(self.boxed_unsync()),
            false => {
                let pieces: Vec<Bytes> = self.early.into_iter().map(|piece| piece.data).collect();
                AnyBody::whole(pieces.concat())
            }
        }
    }

    /// What comes after the last piece: the trailers, or an error where the sender broke off.
    fn end(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        self.ended = true;
        if self.source.broken.swap(false, Ordering::Relaxed) {
            return Some(Err("the body broke off".into()));
        }
        let trailers = self.source.trailers().take();
        trailers.map(|trailers| Ok(Frame::trailers(trailers)))
    }
}

impl Body for Passed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            if this.ended {
                return Poll::Ready(this.end());
            }
            let next = match this.early.pop_front() {
                Some(piece) => piece,
                None => match ready!(this.said.poll_recv(cx)) {
                    Some(Said::Body(common)) => common.map_or(Piece::END, piece),
                    Some(Said::Trailers(mutation)) => {
                        if let Some(trailers) = &mut *this.source.trailers() {
                            change(trailers, mutation.as_ref());
                        }
                        continue;
                    }
                    Some(Said::Head(_)) => continue,
                    Some(Said::Immediate(_) | Said::Broken) => {
                        this.ended = true;
                        let error = "ext_proc ended the body".into();
                        return Poll::Ready(Some(Err(error)));
                    }
                    // A processor that has no more to say ends the body.
                    None => Piece::END,
                },
            };
            this.ended = next.is_last;
            if !next.data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(next.data))));
            }
        }
    }
}

/// Sends a body to the processor, its trailers before its end.
async fn pump(
    side: Side,
    mut body: AnyBody,
    sender: mpsc::Sender<ProcessingRequest>,
    alarm: mpsc::WeakSender<Said>,
    source: Arc<Source>,
) {
    let piece = |data: Bytes, end_of_stream| {
        side.body(HttpBody {
            body: data.into(),
            end_of_stream,
            ..HttpBody::default()
        })
    };
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            source.broken.store(true, Ordering::Relaxed);
            if let Some(alarm) = alarm.upgrade() {
                // Whoever has left need not be told.
                let _ = alarm.send(Said::Broken).await;
            }
            return;
        };
        let message = match frame.into_data() {
            Ok(data) => piece(data, false),
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => {
                    let sent = Some(envoy::header_map(&trailers, &[]));
                    *source.trailers() = Some(trailers);
                    side.trailers(HttpTrailers { trailers: sent })
                }
                Err(_) => continue,
            },
        };
        if sender.send(wrapped(message)).await.is_err() {
            return;
        }
    }
    // A processor that has left needs no end.
    let _ = sender.send(wrapped(piece(Bytes::new(), true))).await;
}
