//! Making a plan true on a target, and untrue again: step by step, with a ledger.

pub mod ledger;
pub mod lock;
pub mod perform;
pub mod phases;
pub mod record;
pub mod undo;
