//! A body that is another one, translated.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::Translator;
use crate::gateway::body::{AnyBody, BoxError};
use crate::gateway::llm::Usage;
use crate::gateway::llm::coding::{Coding, Unpacker};

/// Ends when the provider's body ends; what has come of it until then is not held back.
pub struct Translated {
    inner: AnyBody,
    translator: Box<dyn Translator>,
    /// For a stream that came compressed.
    unpacker: Option<Unpacker>,
    /// Where the meter finds what the stream has cost.
    usage: Arc<Mutex<Usage>>,
}

impl Translated {
    pub fn new(
        inner: AnyBody,
        translator: Box<dyn Translator>,
        coding: Coding,
        usage: Arc<Mutex<Usage>>,
    ) -> Translated {
        Translated {
            inner,
            translator,
            unpacker: (coding == Coding::Gzip).then(Unpacker::new),
            usage,
        }
    }
}

impl Body for Translated {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => frame,
            };
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            let mut out = Vec::new();
            match &mut this.unpacker {
                None => this.translator.push(&piece, &mut out),
                Some(unpacker) => match unpacker.push(&piece) {
                    Ok(plain) => this.translator.push(&plain, &mut out),
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                },
            }
            if !out.is_empty() {
                let mut usage = this.usage.lock().unwrap_or_else(PoisonError::into_inner);
                usage.clone_from(this.translator.usage());
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
        }
    }
}
