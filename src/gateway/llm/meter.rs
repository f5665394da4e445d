//! What an answer costs: its usage is noted, and taken from a token limit.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Sniffer, Usage};
use crate::gateway::policy::Account;

/// Reads along with a streamed answer, and charges for it when it has ended, even if the client left.
pub struct Meter {
    source: Source,
    account: Account,
}

enum Source {
    Sniffed(Sniffer),
    /// Told by the one who translates the stream.
    Told(Arc<Mutex<Usage>>),
}

impl Meter {
    /// For a stream that goes by as it is.
    pub fn sniffing(account: Account) -> Meter {
        let source = Source::Sniffed(Sniffer::default());
        Meter { source, account }
    }

    /// For a stream that is translated. It costs a token limit nothing (facts 9.7).
    pub fn told(usage: Arc<Mutex<Usage>>) -> Meter {
        Meter {
            source: Source::Told(usage),
            account: Account::default(),
        }
    }

    pub fn see(&mut self, data: &[u8]) {
        match &mut self.source {
            Source::Sniffed(sniffer) => sniffer.see(data),
            Source::Told(_) => {}
        }
    }

    pub fn read(self) -> Usage {
        let usage = match self.source {
            Source::Sniffed(sniffer) => sniffer.usage,
            Source::Told(usage) => usage.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        self.account.charge(usage.tokens());
        usage
    }
}
