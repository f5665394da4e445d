//! What the gateway sees of an address behind it: hop by hop, and no further than the first that fails.

use std::net::IpAddr;

/// Where a backend sends requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// What is asked for to see whether anything answers.
    pub path: String,
}

impl Address {
    /// `host.docker.internal:11434`.
    pub fn title(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// How far a look came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// The name has no address.
    NoName(String),
    /// Nothing takes the connection; in whose words.
    NoConnection(String),
    /// It takes the connection, and TLS fails.
    NoTls(String),
    /// It takes the connection and says nothing, for as long as one waited.
    Silent(std::time::Duration),
    /// It answers HTTP.
    Answered { status: u16, body: String },
    /// The look itself failed.
    Unseen(String),
}

/// A look at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Whose eyes: `from this machine`, `from the proxy's pod`.
    pub from: &'static str,
    /// What the name stands for, where the one who looks can tell.
    pub addresses: Vec<IpAddr>,
    pub sight: Sight,
}
