//! One client's connection: what it speaks is found out, and its requests are answered until it ends.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::acceptor;
use super::exchange;
use super::plane::Plane;

/// How long a client may take to send a request's head, or to agree on keys.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The most that a request's head may take; hyper may let one read more pass.
const HEAD_LIMIT: u32 = 32 << 10;
const HEADERS: usize = 100;
/// Requests that one HTTP/2 connection may have open.
const STREAMS: u32 = 256;
/// An HTTP/2 client that says nothing is asked whether it is still there.
const PING: Duration = Duration::from_secs(60);
/// How every HTTP/2 connection without TLS begins (RFC 9113, 3.4); no method of HTTP/1 does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) struct Connection {
    pub plane: Arc<Plane>,
    /// The port that its listeners name.
    pub port: u16,
    pub peer: SocketAddr,
    /// Made for the first connection that needs it, and kept: clients resume their sessions.
    pub tls: Arc<OnceLock<Option<TlsAcceptor>>>,
    pub watcher: Watcher,
    pub stopped: watch::Receiver<Option<Duration>>,
}

impl Connection {
    /// Serves until either side ends it. A connection that breaks off is the client's affair.
    pub async fn serve(mut self, stream: TcpStream) {
        // Small events must leave at once.
        let _ = stream.set_nodelay(true);
        let plane = self.plane.clone();
        let _open = plane.metrics().connection(&plane.config(), self.port);
        if !self.plane.config().is_tls(self.port) {
            let begun = self.begin(speaks_http2(&stream)).await;
            if let Some(Ok(is_http2)) = begun {
                self.requests(stream, is_http2).await;
            }
            return;
        }
        let make = || acceptor::new(&self.plane, self.port);
        let Some(acceptor) = self.tls.get_or_init(make).clone() else {
            return;
        };
        if let Some(Ok(stream)) = self.begin(acceptor.accept(stream)).await {
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Box::pin(self.requests(stream, is_http2)).await;
        }
    }

    /// The first step of a connection, which must not take for ever nor hold up a port that closes.
    async fn begin<T>(&mut self, step: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = tokio::time::timeout(HEAD_TIMEOUT, step) => done.ok(),
            _ = self.stopped.changed() => None,
        }
    }

    async fn requests<S>(self, stream: S, is_http2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (plane, port, peer) = (self.plane, self.port, self.peer);
        let service = service_fn(move |request: Request<Incoming>| {
            let plane = plane.clone();
            // Boxed: a stream that goes on for long must not keep the room that its beginning took.
            Box::pin(async move {
                Ok::<_, Infallible>(exchange::answer(&plane, port, peer, request).await)
            })
        });
        let stream = TokioIo::new(stream);
        if is_http2 {
            let served = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(HEAD_LIMIT)
                .keep_alive_interval(PING)
                .serve_connection(stream, service);
            drop(self.watcher.watch(served).await);
        } else {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_LIMIT as usize)
                .max_headers(HEADERS)
                .serve_connection(stream, service)
                .with_upgrades();
            let (mut served, mut stopped) = (pin!(served), self.stopped);
            tokio::select! {
                _ = served.as_mut() => {}
                _ = stopped.changed() => {
                    served.as_mut().graceful_shutdown();
                    let _ = served.await;
                }
            }
            // Until now the port's end has waited for this connection.
            drop(self.watcher);
        }
    }
}

/// Whether a client begins with the preface of HTTP/2. What it sent stays to be read.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut begin = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut begin).await?;
        match PREFACE.starts_with(&begin[..count]) {
            true if count == PREFACE.len() => return Ok(true),
            // `P` may still become `POST`: the rest is on its way.
            true if count > 0 => tokio::time::sleep(Duration::from_millis(2)).await,
            _ => return Ok(false),
        }
    }
}
