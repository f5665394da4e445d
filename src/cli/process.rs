//! What our own background processes are started with.

use clap::Args;
use std::net::SocketAddrV4;
use std::path::PathBuf;

/// From a port of this machine to a gateway's pod.
#[derive(Debug, Clone, Args)]
pub struct Forward {
    #[arg(long)]
    pub listen: SocketAddrV4,
    /// In the form of KUBECONFIG
    #[arg(long)]
    pub kubeconfig: String,
    #[arg(long)]
    pub context: String,
    #[arg(long)]
    pub server: String,
    #[arg(long)]
    pub namespace: String,
    #[arg(long)]
    pub gateway: String,
    /// Where log lines go; without it, to stderr
    #[arg(long)]
    pub log: Option<PathBuf>,
}
