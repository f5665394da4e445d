//! What this machine is and has: the only room that probes. Also where our own files and our own
//! background processes live on it.

pub mod compatible;
pub mod docker;
pub mod key;
pub mod kubeconfig;
pub mod made_key;
pub mod ollama;
pub mod paths;
pub mod port;
pub mod process;
pub mod web;
