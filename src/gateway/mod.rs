//! The embedded data plane: the objects that a cluster would get come in over an admin socket, and
//! real traffic goes through, as agentgateway 0.12 would have it (facts 9; `tests/recordings.rs`).
//!
//! Data moves so: `object` -> `compile` -> `config`; a connection (`bind`) brings requests, each an
//! `exchange` that goes through `choose`, policies and filters to a `model` or a plain upstream
//! (`transport`), and leaves a `record`. `state` ties both together, `admin` and `serve` drive it.

mod acceptor;
mod admin;
mod admit;
mod answer;
mod ask;
mod attempt;
mod authenticate;
mod balance;
mod bind;
mod body;
pub mod bridge;
mod cel;
mod change;
mod choose;
mod clock;
mod compile;
mod config;
mod connection;
mod doors;
mod duration;
mod dynamic;
pub mod ends;
mod envoy;
mod exchange;
mod forward;
mod grpc;
mod guard;
mod header;
mod held;
mod host;
pub mod input;
mod limits;
mod llm;
mod log;
mod look;
mod mcp;
mod memory;
mod metrics;
mod mirror;
pub mod mock;
mod model;
#[cfg(test)]
mod mutant;
mod object;
mod path;
mod pipeline;
mod plane;
mod policy;
pub mod processor;
mod record;
mod redact;
mod redirect;
mod refusal;
mod reset;
mod resident;
mod resolver;
mod rotate;
mod serve;
mod sse;
mod state;
mod tls;
mod transform;
mod transport;
mod upgrade;
mod uuid;
mod wire;

pub use change::Change;
pub use compile::{Compiled, compile};
pub use doors::{DoorPorts, Doors};
pub use limits::raise_files;
pub use object::{HIDDEN, Id, World};
pub use resident::give_back;
pub use rotate::{RotatingFile, before};
pub use serve::{ServeOptions, memory_of, serve};
pub use state::{Gateway, ListenerAt, Options, Ports, Rejection};
