//! What the gateway's tests share: YAML as objects, a recorded upstream, a client that adds no headers of its own.
#![allow(dead_code)] // each test program uses its own part

pub mod client;
pub mod log;
pub mod mask;
pub mod mcp;
pub mod model;
pub mod python;
pub mod tls;
pub mod token;
pub mod yaml;
