//! The Kubernetes half that cluster targets share: objects, charts, readiness, the way to this machine.

pub mod access;
pub mod answers;
pub mod client;
pub mod crds;
pub mod follow;
pub mod forward;
pub mod helm;
pub mod inspect;
pub mod log;
pub mod mark;
pub mod metrics;
pub mod object;
pub mod pod;
pub mod ready;
pub mod relay;
pub mod release;
pub mod survey;
pub mod wiring;
pub mod witness;
pub mod world;
