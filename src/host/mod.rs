//! What this machine is and has: the only room that probes. Also where our own files and our own
//! background processes live on it.

pub mod at_hand;
pub mod cluster;
pub mod compatible;
mod context;
pub mod docker;
mod engine;
pub mod facts;
pub mod images;
pub mod key;
pub mod kubeconfig;
pub mod look;
pub mod made_key;
pub mod mark;
mod model_server;
pub mod ollama;
pub mod paths;
pub mod port;
pub mod private;
pub mod process;
pub mod program;
pub mod proxy;
pub mod registry;
pub mod service;
pub mod subnet;
pub mod terminal;
pub mod view;
pub mod web;
