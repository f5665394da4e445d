//! The Docker engine as detection sees it: whose product it is, and which local clusters it holds.

use super::docker;
use super::facts::{Container, Docker};
use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;

/// Labels by which local clusters mark their nodes (facts/local-clusters).
const MARKS: [(&str, &str); 3] = [
    ("io.x-k8s.kind.cluster", "kind"),
    ("k3d.cluster", "k3d"),
    ("name.minikube.sigs.k8s.io", "minikube"),
];

/// What the engine that answers first says of itself.
pub async fn look() -> Docker {
    let (address, docker) = match docker::engine().await {
        Ok(found) => found,
        Err(error) => {
            return Docker {
                reason: Some(error.facts.join("; ")),
                ..Docker::default()
            };
        }
    };
    let all = ListContainersOptionsBuilder::default().all(true).build();
    let (info, containers) = tokio::join!(docker.info(), docker.list_containers(Some(all)));
    let info = info.unwrap_or_default();
    Docker {
        product: product(
            info.operating_system.as_deref().unwrap_or(""),
            info.name.as_deref().unwrap_or(""),
            &address,
        )
        .to_string(),
        version: info.server_version.unwrap_or_default(),
        reason: None,
        containers: containers
            .unwrap_or_default()
            .into_iter()
            .filter_map(node)
            .collect(),
        address: Some(address),
    }
}

/// By what `docker info` says, then by where the socket is (facts/local-clusters).
fn product(system: &str, name: &str, address: &str) -> &'static str {
    match (system, name) {
        ("OrbStack", _) | (_, "orbstack") => "OrbStack",
        ("Docker Desktop", _) | (_, "docker-desktop") => "Docker Desktop",
        (_, name) if name.starts_with("colima") => "colima",
        (_, name) if name.contains("rancher-desktop") => "Rancher Desktop",
        _ if address.contains(".colima/") => "colima",
        _ if address.contains(".rd/") => "Rancher Desktop",
        _ if address.contains("podman") => "Podman",
        _ => "Docker",
    }
}

fn node(container: ContainerSummary) -> Option<Container> {
    let labels = container.labels.unwrap_or_default();
    let (cluster, product) = MARKS
        .iter()
        .find_map(|(label, product)| Some((labels.get(*label)?.clone(), *product)))?;
    let state = container.state.map(|state| state.to_string());
    let names = container.names.unwrap_or_default();
    let ports = container.ports.unwrap_or_default();
    let mut published: Vec<u16> = ports.iter().filter_map(|port| port.public_port).collect();
    published.sort_unstable();
    published.dedup();
    Some(Container {
        name: names
            .first()
            .map_or("", |name| name.trim_start_matches('/'))
            .to_string(),
        product: product.to_string(),
        cluster,
        running: state.as_deref() == Some("running"),
        published,
    })
}

#[cfg(test)]
mod tests {
    use super::product;

    #[test]
    fn engines_are_told_apart_by_what_they_say_of_themselves() {
        let table = [
            (
                ("OrbStack", "orbstack", "unix:///var/run/docker.sock"),
                "OrbStack",
            ),
            (
                (
                    "Docker Desktop",
                    "docker-desktop",
                    "unix:///x/.docker/run/docker.sock",
                ),
                "Docker Desktop",
            ),
            (
                (
                    "Ubuntu 24.04",
                    "colima",
                    "unix:///x/.colima/default/docker.sock",
                ),
                "colima",
            ),
            (
                (
                    "fedora",
                    "localhost",
                    "unix:///run/user/1000/podman/podman.sock",
                ),
                "Podman",
            ),
            (
                ("Debian GNU/Linux 12", "box", "unix:///var/run/docker.sock"),
                "Docker",
            ),
        ];
        for ((system, name, address), expected) in table {
            assert_eq!(
                product(system, name, address),
                expected,
                "{system} {name} {address}"
            );
        }
    }
}
