//! What all requests share: the current configuration, the upstream pools, the access log, the connection cap.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Semaphore;

use super::config::Config;
use super::log::Log;
use super::policy::{Bucket, Buckets, Limit};
use super::transport::Transport;

/// Connections that are served at once; more wait to be accepted.
const CONNECTIONS: usize = 1024;

pub(super) struct Plane {
    config: RwLock<Arc<Config>>,
    transport: Transport,
    log: Log,
    buckets: Buckets,
    pub connections: Arc<Semaphore>,
}

impl Plane {
    pub fn new(transport: Transport, log: Log) -> Plane {
        Plane {
            config: RwLock::default(),
            transport,
            log,
            buckets: Buckets::default(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// The configuration of this moment; a request keeps the one that it began with.
    pub fn config(&self) -> Arc<Config> {
        self.config
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Limits that are the same in both configurations keep what is left of them.
    pub fn replace(&self, config: Config) {
        self.buckets.keep(config.limits());
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    pub fn bucket(&self, limit: &Limit) -> Arc<Bucket> {
        self.buckets.of(limit)
    }

    pub fn log(&self) -> Log {
        self.log.clone()
    }
}
