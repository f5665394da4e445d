//! Names by which pods may reach this machine (facts 11). Which of them resolves and answers is not
//! known before it is tried.

/// Those of container engines.
pub const ENGINES: &[&str] = &["host.docker.internal", "host.orb.internal"];
/// Those, and the names that k3d and minikube put into their clusters' DNS.
pub const PRODUCTS: &[&str] = &[
    "host.docker.internal",
    "host.orb.internal",
    "host.k3d.internal",
    "host.minikube.internal",
];
