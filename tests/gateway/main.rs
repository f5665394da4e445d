//! The embedded gateway from outside, where no recording says it: streams, limits, ports, the admin
//! socket, what a browser may do.

mod admin;
mod ext_proc;
mod processor;
mod provider;
mod refusal;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod traffic;
mod world;
