//! What AgentgatewayPolicies ask of requests, one file a policy: how it is read and what it does (facts 7.2).

mod csrf;
mod limit;

use std::sync::Arc;

pub use csrf::Csrf;
pub(super) use limit::{Bucket, Buckets};
pub use limit::{Counts, Limit};

/// Every field of `traffic`; the most specific level wins field by field (facts 7.1).
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    pub csrf: Option<Arc<Csrf>>,
    pub limit: Option<Limit>,
    /// Access control that was asked for and can't be done: such a route fails closed.
    pub refused: Option<Arc<str>>,
}

impl Traffic {
    /// Fills what is missing from a less specific level.
    pub fn or(self, less: &Traffic) -> Traffic {
        Traffic {
            csrf: self.csrf.or_else(|| less.csrf.clone()),
            limit: self.limit.or_else(|| less.limit.clone()),
            refused: self.refused.or_else(|| less.refused.clone()),
        }
    }
}
