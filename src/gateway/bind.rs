//! An open port: accepts connections, serves each on its own task, and ends them gracefully.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::exchange;
use super::plane::Plane;

/// How long running answers may go on after a port is closed (facts 3, CONNECTION_MIN_TERMINATION_DEADLINE).
const DRAIN: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The most that a request's head may take; hyper may let one read more pass.
const HEAD_LIMIT: usize = 32 << 10;
const HEADERS: usize = 100;
/// A pause when no connection can be accepted, such as when file descriptors have run out.
const BREATH: Duration = Duration::from_millis(50);

pub(super) struct Bind {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    closed: oneshot::Receiver<()>,
    task: JoinHandle<()>,
}

impl Bind {
    /// Serves the listeners that name `port`, whatever port was really taken.
    pub fn serve(plane: Arc<Plane>, port: u16, listener: TcpListener) -> std::io::Result<Bind> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let (close, closed) = oneshot::channel();
        let task = tokio::spawn(accept(plane, port, listener, stopped, close));
        Ok(Bind {
            address,
            stop,
            closed,
            task,
        })
    }

    /// Closes the port, so that it can be opened again. Running answers go on for a while, in the
    /// task that is returned.
    pub async fn close(self) -> JoinHandle<()> {
        // Both fail only if the task has ended, and then the port is closed.
        let _ = self.stop.send(true);
        let _ = self.closed.await;
        self.task
    }
}

async fn accept(
    plane: Arc<Plane>,
    port: u16,
    listener: TcpListener,
    mut stopped: watch::Receiver<bool>,
    closed: oneshot::Sender<()>,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            // The permit comes first: a connection that can't be served waits in the kernel's queue.
            let permit = plane.connections.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            _ = stopped.changed() => break,
            (permit, accepted) = next => match accepted {
                Ok((stream, peer)) => {
                    let connection = connection(plane.clone(), port, stream, peer);
                    let connection = graceful.watch(connection);
                    connections.spawn(async move {
                        // A connection that breaks off is the client's affair.
                        let _ = connection.await;
                        drop(permit);
                    });
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let _ = closed.send(());
    // What is still running after that is dropped with the set.
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

fn connection(
    plane: Arc<Plane>,
    port: u16,
    stream: TcpStream,
    peer: SocketAddr,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Small events must leave at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let plane = plane.clone();
        async move { Ok::<_, Infallible>(exchange::answer(&plane, port, peer, request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
}
