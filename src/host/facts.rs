//! What a machine shows of itself, as plain data: gathered by `look`, judged elsewhere. Everything
//! here can be written down and read back, so that any machine can be a test's fixture
//! (facts/local-clusters).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All that is known of this machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// `linux` or `macos`, and `x86_64` or `aarch64`.
    pub system: String,
    pub processor: String,
    /// Linux inside Windows.
    pub wsl: bool,
    pub orbstack: Option<OrbStack>,
    pub docker: Docker,
    pub contexts: Vec<Context>,
    pub programs: Vec<Program>,
    pub services: Vec<Service>,
    pub keys: Vec<Key>,
    pub port: Port,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OrbStack {
    pub version: Option<String>,
    pub running: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Docker {
    /// In the form of DOCKER_HOST; `None` where no engine answers.
    pub address: Option<String>,
    /// The product behind it, as people call it.
    pub product: String,
    pub version: String,
    /// Why there is none.
    pub reason: Option<String>,
    pub containers: Vec<Container>,
}

/// A container that is a node of some local cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub name: String,
    /// `kind`, `k3d` or `minikube`.
    pub product: String,
    pub cluster: String,
    pub running: bool,
    /// Ports of this machine that lead into it.
    pub published: Vec<u16>,
}

/// One context of the kubeconfig.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Context {
    pub name: String,
    pub server: String,
    pub current: bool,
    /// What its API server said; `None` where it was not asked.
    pub answer: Option<Answer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Answer {
    #[serde(rename_all = "camelCase")]
    Cluster {
        version: String,
        nodes: Vec<Node>,
        /// Releases of the Gateway API and of agentgateway that are there already.
        #[serde(default)]
        installed: Vec<Installed>,
    },
    /// In words: refused, no answer, forbidden.
    None { why: String },
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Node {
    pub name: String,
    pub provider_id: String,
    pub os_image: String,
    pub labels: Vec<String>,
}

/// Something of ours or like ours in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Installed {
    pub what: String,
    pub version: String,
    /// Whether this program put it there.
    pub ours: bool,
}

/// A program on PATH.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Program {
    pub name: String,
    /// `None` where it did not tell in time.
    pub version: Option<String>,
}

/// A model server of this machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    pub product: String,
    pub address: String,
    pub version: Option<String>,
    pub models: Vec<Model>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Model {
    pub name: String,
    /// Bytes on disk, where told.
    pub size: Option<u64>,
    pub loaded: bool,
    /// Whether it only embeds and can't chat, as far as its family and name tell.
    pub embeds: bool,
}

/// That a provider's key is at hand, and where; never the key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Key {
    pub provider: String,
    pub name: String,
    pub source: String,
}

/// The port that a gateway would take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    pub number: u16,
    /// Who has it, `nginx (pid 4711)`; `None` where it is free.
    pub owner: Option<String>,
    /// Whether that is a gateway of ours.
    pub ours: bool,
    /// The next free one, where it is taken.
    pub next: Option<u16>,
}

/// Whether an API server's address could be this machine's: then asking it is harmless, and what
/// its nodes say may prove it local.
pub fn may_be_local(server: &str) -> bool {
    let Ok(url) = url::Url::parse(server) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => {
            let known = ["localhost", "kubernetes.docker.internal", "k8s.orb.local"];
            known.contains(&name) || name.ends_with(".orb.local")
        }
        None => false,
    }
}

impl Facts {
    /// As a document for machines.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_local;

    #[test]
    fn only_addresses_of_this_machine_are_asked() {
        let table = [
            ("https://127.0.0.1:26443", true),
            ("https://0.0.0.0:6550", true),
            ("https://kubernetes.docker.internal:6443", true),
            ("https://k8s.orb.local:26443", true),
            ("https://ABC.gr7.eu-west-1.eks.amazonaws.com", false),
            ("https://10.0.0.1", false),
            ("nonsense", false),
        ];
        for (server, expected) in table {
            assert_eq!(may_be_local(server), expected, "{server}");
        }
    }
}
