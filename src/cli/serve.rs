//! Words of `gw serve`.

use super::Doors;
use clap::{Args, value_parser};
use std::net::Ipv4Addr;

#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// File or folder of YAML, or - for standard input; can be repeated
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// Namespace of objects that name none
    #[arg(short, long, default_value = "default", value_name = "NAME")]
    pub namespace: String,
    /// Port on this machine instead of the one that the listeners name
    #[arg(long, value_parser = value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Address to listen on: 0.0.0.0 in a container, whose own nobody outside reaches
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST)]
    pub address: Ipv4Addr,
    /// Refuse to start where there is anything to warn of
    #[arg(long)]
    pub strict: bool,
    /// Check, show the status of every object, and end
    #[arg(long)]
    pub dry_run: bool,
    /// Keep the objects of the start when the files change
    #[arg(long)]
    pub no_watch: bool,
    #[command(flatten)]
    pub doors: Doors,
}
