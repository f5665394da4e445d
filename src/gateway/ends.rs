//! The signals that ask a process for its end.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    /// From now on these signals end nothing by themselves.
    pub fn new() -> io::Result<Ends> {
        Ok(Ends {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one and gives its number.
    pub async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => libc::SIGINT,
            _ = self.terminate.recv() => libc::SIGTERM,
        }
    }
}

/// Waits for one and gives its number; for ever where they can't be awaited.
pub async fn ending() -> i32 {
    match Ends::new() {
        Ok(mut ends) => ends.next().await,
        Err(_) => std::future::pending().await,
    }
}
