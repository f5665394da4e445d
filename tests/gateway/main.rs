//! The embedded gateway from outside, where no recording says it: streams, limits, ports, the admin
//! socket, what a browser may do.

mod admin;
mod attached;
mod dynamic;
mod expression;
mod ext_auth;
mod ext_proc;
mod global;
mod group;
mod guard;
mod https;
mod jwt;
mod mcp;
mod mcp_authentication;
mod precedence;
mod processor;
mod provider;
mod refusal;
mod reload;
mod retry;
mod service;
mod shape;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod traffic;
mod wire;
mod world;
