//! The forms of API as they come from clients, each with the fields that are looked at in the real
//! proxy's order and everything else kept as it came (recordings: the upstream's body).

pub mod completions;
mod content;
pub mod embeddings;
pub mod messages;
pub mod responses;
pub mod typed;
