//! What all requests share: the current configuration, the upstream pools, the access log, the connection cap.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use tokio::sync::Semaphore;

use super::balance::{Pool, PoolKey, Pools};
use super::config::Config;
use super::limits;
use super::log::Log;
use super::mcp::Sessions;
use super::metrics::Metrics;
use super::policy::{Bucket, Buckets, KeyStore, Limit};
use super::transport::Transport;

/// Mirrored calls at once; a request beyond them is not mirrored.
const MIRRORS: usize = 128;

pub(super) struct Plane {
    config: RwLock<Arc<Config>>,
    transport: Arc<Transport>,
    log: Log,
    metrics: Arc<Metrics>,
    buckets: Buckets,
    keys: KeyStore,
    now: Option<SystemTime>,
    mcp: Arc<Sessions>,
    pools: Pools,
    pub connections: Arc<Semaphore>,
    /// Mirrored calls that are on their way.
    pub mirrors: Arc<Semaphore>,
}

impl Plane {
    pub fn new(transport: Transport, log: Log, now: Option<SystemTime>) -> Plane {
        Plane {
            config: RwLock::default(),
            transport: Arc::new(transport),
            log,
            metrics: Arc::default(),
            buckets: Buckets::default(),
            keys: KeyStore::default(),
            now,
            mcp: Arc::default(),
            pools: Pools::default(),
            connections: Arc::new(Semaphore::new(limits::connections())),
            mirrors: Arc::new(Semaphore::new(MIRRORS)),
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
        self.pools.keep(config.pools());
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Shared, since a session is ended at its servers after the request that began it.
    pub fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    /// The sessions of MCP clients.
    pub fn mcp(&self) -> &Arc<Sessions> {
        &self.mcp
    }

    pub fn bucket(&self, limit: &Limit) -> Arc<Bucket> {
        self.buckets.of(limit)
    }

    /// Keys that were fetched from issuers.
    pub fn keys(&self) -> &KeyStore {
        &self.keys
    }

    /// The time that tokens are judged by, where it is not the clock's.
    pub fn now(&self) -> Option<SystemTime> {
        self.now
    }

    pub fn pool(&self, key: &PoolKey) -> Arc<Pool> {
        self.pools.of(key)
    }

    pub fn log(&self) -> Log {
        self.log.clone()
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}
