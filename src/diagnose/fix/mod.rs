//! Repairs: what each would change, the change itself, and the way back.

pub mod memory;
pub mod perform;
pub mod show;
pub mod undo;
