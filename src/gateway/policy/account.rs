//! What the tokens of a model's answer are taken from: a limit of this gateway's, one of a limiter's, or both.

use std::sync::Arc;

use super::global::Charge;
use super::limit::Bucket;

#[derive(Clone, Default)]
pub struct Account {
    pub local: Option<Arc<Bucket>>,
    pub global: Option<Charge>,
}

impl Account {
    pub fn charge(self, tokens: u64) {
        if let Some(bucket) = self.local {
            bucket.charge(tokens);
        }
        if let Some(charge) = self.global {
            charge.charge(tokens);
        }
    }
}
