//! What an answer costs: its usage is noted, and taken from a token limit.

use std::sync::Arc;

use super::{Sniffer, Usage};
use crate::gateway::policy::Bucket;

/// Reads along with a streamed answer, and charges for it when it has ended, even if the client left.
#[derive(Default)]
pub struct Meter {
    pub sniffer: Sniffer,
    tokens: Option<Arc<Bucket>>,
}

impl Meter {
    pub fn new(tokens: Option<Arc<Bucket>>) -> Meter {
        Meter {
            sniffer: Sniffer::default(),
            tokens,
        }
    }

    pub fn read(self) -> Usage {
        if let Some(tokens) = self.tokens {
            tokens.charge(self.sniffer.usage.tokens());
        }
        self.sniffer.usage
    }
}
