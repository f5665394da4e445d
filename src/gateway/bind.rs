//! An open port: accepts connections, serves each on its own task, and ends them gracefully.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::connection::Connection;
use super::plane::Plane;

/// A pause when no connection can be accepted, such as when file descriptors have run out.
const BREATH: Duration = Duration::from_millis(50);

pub(super) struct Bind {
    pub address: SocketAddr,
    /// How long running answers may go on, once the port is to be closed.
    stop: watch::Sender<Option<Duration>>,
    closed: oneshot::Receiver<()>,
    task: JoinHandle<()>,
}

impl Bind {
    /// Serves the listeners that name `port`, whatever address was really taken.
    pub fn serve(
        plane: Arc<Plane>,
        port: u16,
        (address, listener): (SocketAddr, TcpListener),
    ) -> Bind {
        let (stop, stopped) = watch::channel(None);
        let (close, closed) = oneshot::channel();
        let task = tokio::spawn(accept(plane, port, listener, stopped, close));
        Bind {
            address,
            stop,
            closed,
            task,
        }
    }

    /// Closes the port, so that it can be opened again. Running answers go on for as long as
    /// `drain`, in the task that is returned.
    pub async fn close(self, drain: Duration) -> JoinHandle<()> {
        // Both fail only if the task has ended, and then the port is closed.
        let _ = self.stop.send(Some(drain));
        let _ = self.closed.await;
        self.task
    }
}

async fn accept(
    plane: Arc<Plane>,
    port: u16,
    listener: TcpListener,
    mut stopped: watch::Receiver<Option<Duration>>,
    closed: oneshot::Sender<()>,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let tls: Arc<OnceLock<_>> = Arc::default();
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
                    let connection = Connection {
                        plane: plane.clone(),
                        port,
                        peer,
                        tls: tls.clone(),
                        watcher: graceful.watcher(),
                        stopped: stopped.clone(),
                    };
                    connections.spawn(async move {
                        connection.serve(stream).await;
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
    let drain = stopped.borrow().unwrap_or_default();
    // What is still running after that is dropped with the set.
    let _ = tokio::time::timeout(drain, graceful.shutdown()).await;
}
