//! What the gateway sees of an address behind it: hop by hop, and no further than the first that fails.

use crate::text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;

/// Where a backend sends requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// What is asked for to see whether anything answers.
    pub path: String,
    /// `policies.tls` as the backend has it (facts 6); null where it has none.
    pub settings: Value,
    /// Where that looks for what it names.
    pub namespace: String,
}

impl Address {
    /// `host.docker.internal:11434`.
    pub fn title(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether requests go to the same place in the same way.
    pub fn is_where(&self, other: &Address) -> bool {
        (&self.host, self.port, self.tls) == (&other.host, other.port, other.tls)
    }

    /// The name that its certificate is to be for.
    pub fn server_name(&self) -> &str {
        self.settings["sni"].as_str().unwrap_or(&self.host)
    }

    /// Whether any certificate will do.
    pub fn trusts_all(&self) -> bool {
        self.settings["insecureSkipVerify"] == "All"
    }
}

/// How far a look came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sight {
    /// The name has no address.
    NoName(String),
    /// Nothing takes the connection; in whose words.
    NoConnection(String),
    /// It takes the connection, and TLS fails.
    NoTls(String),
    /// It takes the connection and says nothing, for as long as one waited.
    Silent(Duration),
    /// It answers HTTP.
    Answered { status: u16, body: String },
    /// The look itself failed.
    Unseen(String),
}

/// What a look says of a server that takes a TLS handshake and does not answer it.
pub const HANGS: &str = "no answer to the TLS handshake";
/// What it says of one that answers who comes without TLS; the status follows.
pub const PLAIN: &str = "plain HTTP is answered ";

impl Sight {
    pub fn hangs(time: Duration) -> Sight {
        Sight::NoTls(format!("{HANGS} in {}", text::duration(time)))
    }

    /// `why`: what TLS came to.
    pub fn plain(why: &str, status: u16) -> Sight {
        Sight::NoTls(format!("{why}; {PLAIN}{status}"))
    }
}

/// Whether a fault is one of TLS, in the words of rustls, which the embedded gateway and agentgateway
/// both pass on (facts 9.7).
pub fn speaks_of_tls(why: &str) -> bool {
    const WORDS: [&str; 6] = [
        "certificate",
        "corrupt message",
        "fatal alert",
        "handshake",
        "peer is incompatible",
        "peer misbehaved",
    ];
    WORDS.iter().any(|word| why.contains(word))
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
