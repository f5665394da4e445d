//! HTTP/1 connections to upstreams, each driven by the request that has it: what passes from one task to
//! another on its way there and back costs more than all the rest of a small call.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use tokio::task::unconstrained;
use tower_service::Service;

use super::body::{AnyBody, BoxError};

/// How long a connection may take to be made, TLS included.
const HANDSHAKE: Duration = Duration::from_secs(20);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections that are kept for one address.
const IDLE: usize = 128;

/// Why there is no answer.
pub(super) enum Lost {
    /// There was no connection.
    Connect(BoxError),
    /// There was one.
    Send(hyper::Error),
}

/// Connections by the addresses that they lead to.
pub(super) struct Wires<C> {
    connector: C,
    idle: Arc<Idle>,
}

impl<C> Wires<C>
where
    C: Service<Uri> + Clone,
    C::Error: Into<BoxError>,
    C::Response: Read + Write + Unpin + Send + 'static,
{
    pub fn new(connector: C) -> Wires<C> {
        Wires {
            connector,
            idle: Arc::default(),
        }
    }

    /// Sends a request whose URI is a path only to an address.
    pub async fn send(
        &self,
        scheme: Scheme,
        dial: &Authority,
        mut request: Request<AnyBody>,
    ) -> Result<Response<AnyBody>, Lost> {
        let body = request.body();
        let is_whole = matches!(body, AnyBody::Whole(_)) || body.is_end_stream();
        while let Some(mut wire) = self.idle.take(dial) {
            match wire.ask(request).await {
                Ok(answer) => return Ok(self.driven(wire, dial, answer, is_whole)),
                // It had ended while nobody looked, and nothing of the request has left.
                Err((_, Some(unsent))) => request = unsent,
                Err((error, None)) => return Err(Lost::Send(error)),
            }
        }
        let mut wire = self.connect(scheme, dial).await?;
        match wire.ask(request).await {
            Ok(answer) => Ok(self.driven(wire, dial, answer, is_whole)),
            Err((error, _)) => Err(Lost::Send(error)),
        }
    }

    async fn connect(&self, scheme: Scheme, dial: &Authority) -> Result<Wire, Lost> {
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(dial.clone())
            .path_and_query(PathAndQuery::from_static("/"));
        let uri = uri.build().map_err(|e| Lost::Connect(e.into()))?;
        let mut connector = self.connector.clone();
        let ready = std::future::poll_fn(|cx| connector.poll_ready(cx)).await;
        ready.map_err(|e| Lost::Connect(e.into()))?;
        // TCP has a limit of its own; a server that takes the connection and never says its TLS hello has none.
        let stream = tokio::time::timeout(HANDSHAKE, connector.call(uri)).await;
        let stream = stream.map_err(|_| Lost::Connect("connection timed out".into()))?;
        let stream = stream.map_err(|e| Lost::Connect(e.into()))?;
        let (sender, connection) = http1::handshake(stream).await.map_err(Lost::Send)?;
        Ok(Wire {
            sender,
            connection: Some(Box::pin(connection.with_upgrades())),
        })
    }

    /// An answer whose body drives the rest of its connection.
    fn driven(
        &self,
        wire: Wire,
        dial: &Authority,
        answer: Response<Incoming>,
        is_whole: bool,
    ) -> Response<AnyBody> {
        let home = Home {
            dial: dial.clone(),
            idle: self.idle.clone(),
        };
        let (parts, body) = answer.into_parts();
        // Who sends on while the answer comes must not wait until somebody reads it.
        if !is_whole {
            tokio::spawn(wire.finish(home));
            return Response::from_parts(parts, AnyBody::Incoming(body));
        }
        let body = Driven {
            body,
            wire: Some(wire),
            home,
        };
        Response::from_parts(parts, AnyBody::Driven(body))
    }
}

/// One connection.
struct Wire {
    sender: SendRequest<AnyBody>,
    /// Nothing once it has ended.
    connection: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
}

impl Wire {
    /// Goes on as far as it can. What it delivers, it delivers to whoever drives it: nobody else has to be
    /// woken.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            self.connection = None;
        }
    }

    /// Whether it takes a request now.
    fn is_ready(&mut self) -> bool {
        self.drive(&mut unnoticed());
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of the answer. A request of which nothing has left comes back.
    async fn ask(
        &mut self,
        request: Request<AnyBody>,
    ) -> Result<Response<Incoming>, (hyper::Error, Option<Request<AnyBody>>)> {
        // A task that has had its turn would be told to wait, by a waker that wakes nobody.
        let mut answer = pin!(unconstrained(self.sender.try_send_request(request)));
        let connection = &mut self.connection;
        let answer = std::future::poll_fn(move |cx| {
            if let Some(driven) = connection
                && driven.as_mut().poll(cx).is_ready()
            {
                *connection = None;
            }
            match connection {
                Some(_) => answer.as_mut().poll(&mut unnoticed()),
                None => answer.as_mut().poll(cx),
            }
        });
        answer.await.map_err(|mut error| {
            let unsent = error.take_message();
            (error.into_error(), unsent)
        })
    }

    /// Goes on until the next request can be sent.
    async fn finish(mut self, home: Home) {
        std::future::poll_fn(|cx| {
            self.drive(cx);
            match self.connection {
                Some(_) => self.sender.poll_ready(cx).map(drop),
                None => Poll::Ready(()),
            }
        })
        .await;
        home.keep(self);
    }
}

/// For looks after which somebody looks again in any case.
fn unnoticed() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Where a connection goes when its answer has been read.
struct Home {
    dial: Authority,
    idle: Arc<Idle>,
}

impl Home {
    fn keep(&self, mut wire: Wire) {
        if wire.is_ready() {
            self.idle.put(&self.dial, wire);
        }
    }
}

/// The body of an answer. Read to its end, its connection is kept for another request; dropped before, the
/// connection ends, and the upstream sees that nobody waits any more.
pub(super) struct Driven {
    body: Incoming,
    wire: Option<Wire>,
    home: Home,
}

impl Body for Driven {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let mut frame = Pin::new(&mut this.body).poll_frame(&mut unnoticed());
        if frame.is_pending()
            && let Some(wire) = &mut this.wire
        {
            wire.drive(cx);
            frame = Pin::new(&mut this.body).poll_frame(&mut unnoticed());
        }
        let is_over = match &frame {
            Poll::Ready(Some(Ok(_))) => this.body.is_end_stream(),
            Poll::Ready(_) => true,
            Poll::Pending => false,
        };
        if is_over && let Some(wire) = this.wire.take() {
            this.home.keep(wire);
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if self.body.is_end_stream()
            && let Some(wire) = self.wire.take()
        {
            self.home.keep(wire);
        }
    }
}

/// Connections that wait for a request.
#[derive(Default)]
struct Idle {
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    wires: HashMap<Authority, Vec<(Instant, Wire)>>,
    is_swept: bool,
}

impl Idle {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last, if it is still open.
    fn take(&self, dial: &Authority) -> Option<Wire> {
        loop {
            let (since, mut wire) = self.shelf().wires.get_mut(dial)?.pop()?;
            if since.elapsed() < IDLE_TIMEOUT && wire.is_ready() {
                return Some(wire);
            }
        }
    }

    fn put(self: &Arc<Idle>, dial: &Authority, wire: Wire) {
        let mut shelf = self.shelf();
        match shelf.wires.get_mut(dial) {
            Some(wires) if wires.len() >= IDLE => return,
            Some(wires) => wires.push((Instant::now(), wire)),
            None => {
                shelf
                    .wires
                    .insert(dial.clone(), vec![(Instant::now(), wire)]);
            }
        }
        if !std::mem::replace(&mut shelf.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }
}

/// Ends connections that nobody has used for long, as long as there are any.
async fn sweep(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(IDLE_TIMEOUT).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut shelf = idle.shelf();
        for wires in shelf.wires.values_mut() {
            wires.retain_mut(|(since, wire)| since.elapsed() < IDLE_TIMEOUT && wire.is_ready());
        }
        shelf.wires.retain(|_, wires| !wires.is_empty());
        shelf.is_swept = !shelf.wires.is_empty();
        if !shelf.is_swept {
            return;
        }
    }
}

impl Lost {
    /// What happened, from the outermost words to the first cause.
    pub fn error(&self) -> (&'static str, &(dyn StdError + 'static)) {
        match self {
            Lost::Connect(error) => ("Connect", error.as_ref()),
            Lost::Send(error) => ("SendRequest", error),
        }
    }
}
