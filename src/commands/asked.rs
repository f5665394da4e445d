//! What a proof is asked to do.

use crate::apply::ledger::Ledger;
use crate::secret::vault::Vault;
use crate::verify::choose::Choice;
use crate::verify::probe::Patience;
use std::time::Duration;

pub struct Asked<'a> {
    pub choice: Choice,
    /// Routes of others too.
    pub all: bool,
    pub patience: Patience,
    /// Where copies are written down; without it the ledger is opened when it is needed.
    pub ledger: Option<&'a Ledger>,
    /// The keys of providers, where they were read already.
    pub keys: Option<&'a Vault>,
}

impl Asked<'_> {
    /// Of an environment that has stood for a while.
    pub fn of(choice: Choice) -> Self {
        let patience = Patience {
            settle: Duration::ZERO,
            retries: choice.retries,
            fresh: false,
        };
        Asked {
            choice,
            all: false,
            patience,
            ledger: None,
            keys: None,
        }
    }

    /// Of what was changed a moment ago: the gateway may take some time to know it.
    pub fn changed(choice: Choice, settle: Duration) -> Self {
        let asked = Asked::of(choice);
        let patience = Patience {
            settle,
            fresh: true,
            ..asked.patience
        };
        Asked { patience, ..asked }
    }
}
