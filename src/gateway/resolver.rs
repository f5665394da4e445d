//! Names to addresses. A failure is remembered for five seconds, as the real proxy's resolver does (facts 9.7).

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

const REMEMBERED: Duration = Duration::from_secs(5);

/// A name that did not resolve.
#[derive(Debug, thiserror::Error)]
#[error("no address for {0}")]
pub(super) struct Unresolved(String);

#[derive(Clone, Default)]
pub(super) struct Resolver(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Names that have a fixed address; tests stand in for public providers this way.
    fixed: HashMap<String, SocketAddr>,
    failed: Mutex<HashMap<String, Instant>>,
}

impl Resolver {
    pub fn new(fixed: HashMap<String, SocketAddr>) -> Resolver {
        let failed = Mutex::default();
        Resolver(Arc::new(Shared { fixed, failed }))
    }
}

impl Shared {
    fn failed_lately(&self, name: &str) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get(name).is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    fn remember(&self, name: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, at| at.elapsed() < REMEMBERED);
        failed.insert(name.to_string(), Instant::now());
    }

    async fn resolve(&self, name: &str) -> Result<Vec<SocketAddr>, Unresolved> {
        if let Some(address) = self.fixed.get(name) {
            return Ok(vec![*address]);
        }
        if !self.failed_lately(name) {
            // Port 0: the connector puts in the one that the address names.
            if let Ok(found) = tokio::net::lookup_host((name, 0)).await {
                let found: Vec<SocketAddr> = found.collect();
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            self.remember(name);
        }
        Err(Unresolved(name.to_string()))
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unresolved>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move { Ok(shared.resolve(name.as_str()).await?.into_iter()) })
    }
}
