//! The built-in mock provider: an upstream that speaks the providers' own APIs and MCP offline, and
//! says in every answer that it is a mock.
//!
//! A request goes so: `place` tells whose API it is, `keys` checks its key, `fault` what is to go
//! wrong, a dialect (`openai`, `anthropic`, `gemini`, `bedrock`, `mcp`) reads it, `wit` answers it,
//! the dialect writes it down, `deliver` sends it. `seen` keeps what came, for whoever asks.

mod answer;
mod anthropic;
mod bedrock;
mod deliver;
mod dispatch;
mod fault;
mod frame;
mod gemini;
mod keys;
mod mcp;
mod openai;
mod place;
mod refusal;
mod sample;
mod seen;
mod text;
mod vector;
mod wit;

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

pub use keys::Keys;
use mcp::Sessions;
use seen::Seen;

/// The only model that is listed; any name is taken.
const MODEL: &str = "mock";
/// When every answer was made: the same prompt has the same answer, to the byte.
const CREATED: u64 = 1_767_225_600;
/// The same as a date.
const MADE: &str = "2026-01-01T00:00:00Z";

/// A mock provider.
#[derive(Default)]
pub struct Mock {
    keys: Keys,
    sessions: Sessions,
    seen: Seen,
    log: Option<Mutex<Box<dyn Write + Send>>>,
}

/// Serves a mock that asks for no key until `shutdown` completes; running answers are given to their end.
pub async fn serve_mock(
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    Mock::default().serve(listener, shutdown).await
}

impl Mock {
    /// A mock that takes these keys.
    pub fn new(keys: Keys) -> Mock {
        Mock {
            keys,
            ..Mock::default()
        }
    }

    /// With a line for each request. No key and no prompt is in it.
    pub fn log(mut self, log: Box<dyn Write + Send>) -> Mock {
        self.log = Some(Mutex::new(log));
        self
    }

    /// Serves until `shutdown` completes; running answers are given to their end.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let mock = Arc::new(self);
        let mut shutdown = pin!(shutdown);
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => accepted,
            };
            // A client that is gone before it was accepted is no reason to end, nor is a full table of files.
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let mock = mock.clone();
            let service = service_fn(move |request| {
                let mock = mock.clone();
                async move { Ok::<_, Infallible>(mock.answer(request).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that hangs up is the client's affair.
                let _ = connection.await;
            });
        }
        mock.sessions.close_all();
        graceful.shutdown().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
