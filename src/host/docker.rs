//! Docker on this machine, as far as kind clusters need it: containers, their ports, their network.

use crate::error::{Error, Result};
use bollard::Docker;
use bollard::models::{ContainerSummary, PortBinding, PortMap};
use bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, ListContainersOptionsBuilder,
    StartContainerOptions,
};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// The label with which kind marks each node of a cluster, and starts it.
pub const LABEL: &str = "io.x-k8s.kind.cluster";
const DEADLINE: Duration = Duration::from_secs(5);
/// Starting a node takes longer than answering a question.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// A kind cluster as Docker shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct KindCluster {
    pub name: String,
    /// Id of its first container: another cluster of the same name has another.
    pub id: String,
    pub running: bool,
    /// Whether a node was paused: it keeps its ports.
    pub paused: bool,
    /// Where a node's port is published: host address and port, by the node's port.
    pub published: Vec<Published>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    pub node_port: u16,
    pub address: String,
    pub host_port: u16,
}

/// The network on which kind nodes are: how they reach this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    pub gateway: Ipv4Addr,
    pub subnet: String,
}

/// Connects to the engine that answers first in this order: DOCKER_HOST, the usual socket, the
/// products' own sockets (facts/local-clusters).
pub async fn connect() -> Result<Docker> {
    engine().await.map(|(_, docker)| docker)
}

/// The engine and its address in the form of DOCKER_HOST: programs that we start must talk to the
/// same one, whatever their own choice would be.
pub async fn engine() -> Result<(String, Docker)> {
    let home = std::env::home_dir().unwrap_or_default();
    let sockets: [PathBuf; 6] = [
        PathBuf::from("/var/run/docker.sock"),
        home.join(".orbstack/run/docker.sock"),
        home.join(".docker/run/docker.sock"),
        home.join(".colima/default/docker.sock"),
        home.join(".rd/docker.sock"),
        std::env::var_os("XDG_RUNTIME_DIR")
            .map(|folder| PathBuf::from(folder).join("podman/podman.sock"))
            .unwrap_or_default(),
    ];
    let mut tried = Vec::new();
    let mut candidates = Vec::new();
    let named = std::env::var("DOCKER_HOST").ok();
    if let Some(host) = named.filter(|host| !host.is_empty()) {
        candidates.push((host.clone(), Docker::connect_with_host(&host)));
    } else {
        for socket in sockets.iter().filter(|socket| socket.exists()) {
            let path = socket.to_string_lossy();
            let docker = Docker::connect_with_unix(&path, 120, bollard::API_DEFAULT_VERSION);
            candidates.push((format!("unix://{path}"), docker));
        }
    }
    for (name, docker) in candidates {
        let docker = match docker {
            Ok(docker) => docker,
            Err(error) => {
                tried.push(format!("{name}: {error}"));
                continue;
            }
        };
        match tokio::time::timeout(DEADLINE, docker.ping()).await {
            Ok(Ok(_)) => return Ok((name, docker)),
            Ok(Err(error)) => tried.push(format!("{name}: {error}")),
            Err(_) => tried.push(format!("{name}: no answer in 5 s")),
        }
    }
    if tried.is_empty() {
        tried.push("no Docker socket found".to_string());
    }
    let error =
        Error::new("Docker does not answer", "docker info").exit(crate::error::Exit::NoTarget);
    Err(tried.into_iter().fold(error, Error::fact))
}

/// All kind clusters, stopped ones too.
pub async fn kind_clusters(docker: &Docker) -> Result<Vec<KindCluster>> {
    let filters = HashMap::from([("label".to_string(), vec![LABEL.to_string()])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let containers = within(docker.list_containers(Some(options))).await?;
    let mut clusters: Vec<KindCluster> = Vec::new();
    for container in containers {
        let Some(name) = container
            .labels
            .as_ref()
            .and_then(|labels| labels.get(LABEL))
            .cloned()
        else {
            continue;
        };
        let running = is(&container, "running");
        let paused = is(&container, "paused");
        let published = published(&container);
        match clusters.iter_mut().find(|cluster| cluster.name == name) {
            Some(cluster) => {
                cluster.running &= running;
                cluster.paused |= paused;
                cluster.published.extend(published);
            }
            None => clusters.push(KindCluster {
                name,
                id: container.id.clone().unwrap_or_default(),
                running,
                paused,
                published,
            }),
        }
    }
    Ok(clusters)
}

/// Whether Docker calls a container so.
fn is(container: &ContainerSummary, state: &str) -> bool {
    let found = container.state.as_ref();
    found.is_some_and(|found| found.to_string() == state)
}

fn published(container: &ContainerSummary) -> Vec<Published> {
    let ports = container.ports.iter().flatten();
    ports
        .filter_map(|port| {
            Some(Published {
                node_port: port.private_port,
                address: port.ip.clone()?,
                host_port: port.public_port?,
            })
        })
        .collect()
}

/// Where a container's ports are published whenever it runs: also of one that does not run now.
pub async fn bindings(docker: &Docker, id: &str) -> Result<Vec<Published>> {
    let inspect = within(docker.inspect_container(id, None::<InspectContainerOptions>)).await?;
    let bindings = inspect.host_config.and_then(|host| host.port_bindings);
    Ok(bindings.map(of_bindings).unwrap_or_default())
}

fn of_bindings(all: PortMap) -> Vec<Published> {
    let one = |port: &str, binding: PortBinding| {
        Some(Published {
            node_port: port.split('/').next()?.parse().ok()?,
            address: binding.host_ip?,
            host_port: binding.host_port?.parse().ok()?,
        })
    };
    all.into_iter()
        .flat_map(|(port, to)| {
            let to = to.into_iter().flatten();
            to.filter_map(|binding| one(&port, binding))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The processor that a container's image is for, in Docker's words: `amd64`.
pub async fn processor(docker: &Docker, id: &str) -> Result<String> {
    let inspect = within(docker.inspect_container(id, None::<InspectContainerOptions>)).await?;
    let image = inspect.image.unwrap_or_default();
    let image = within(docker.inspect_image(&image)).await?;
    Ok(image.architecture.unwrap_or_default())
}

/// Starts the stopped nodes of a cluster, as a reboot leaves them, and wakes those that were paused.
pub async fn start_kind_cluster(docker: &Docker, name: &str) -> Result<()> {
    let filters = HashMap::from([("label".to_string(), vec![format!("{LABEL}={name}")])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    for container in within(docker.list_containers(Some(options))).await? {
        let is_paused = is(&container, "paused");
        match container.id {
            Some(id) if is_paused => within(docker.unpause_container(&id)).await?,
            Some(id) => {
                let start = docker.start_container(&id, None::<StartContainerOptions>);
                within_span(START_DEADLINE, start).await?;
            }
            None => {}
        }
    }
    Ok(())
}

/// The network of the node whose API server is published at a port of this machine; `None` where
/// no container of this engine has it.
pub async fn network_behind(docker: &Docker, port: u16) -> Result<Option<Network>> {
    let containers = within(docker.list_containers(None)).await?;
    let has =
        |container: &&ContainerSummary| published(container).iter().any(|p| p.host_port == port);
    let Some(container) = containers.iter().find(has) else {
        return Ok(None);
    };
    let networks = container.network_settings.as_ref();
    let networks = networks.and_then(|settings| settings.networks.as_ref());
    match networks.and_then(|networks| networks.keys().min()) {
        Some(name) => network(docker, name).await.map(Some),
        None => Ok(None),
    }
}

/// Gateway and subnet of the network that kind uses.
pub async fn kind_network(docker: &Docker) -> Result<Network> {
    let name =
        std::env::var("KIND_EXPERIMENTAL_DOCKER_NETWORK").unwrap_or_else(|_| "kind".to_string());
    network(docker, &name).await
}

/// Never assumed: gateway and subnet are chosen by Docker.
async fn network(docker: &Docker, name: &str) -> Result<Network> {
    let inspect = within(docker.inspect_network(name, None::<InspectNetworkOptions>)).await?;
    let configs = inspect
        .ipam
        .and_then(|ipam| ipam.config)
        .unwrap_or_default();
    let network = configs.into_iter().find_map(|config| {
        let subnet = config.subnet?;
        let gateway = match config.gateway {
            Some(gateway) => gateway.parse().ok()?,
            None => first_address(&subnet)?,
        };
        Some(Network { gateway, subnet })
    });
    network.ok_or_else(|| {
        Error::new(
            format!("Docker network `{name}` has no IPv4 subnet"),
            format!("docker network inspect {name}"),
        )
    })
}

/// Docker gives a bridge the first address of its subnet where none was chosen.
fn first_address(subnet: &str) -> Option<Ipv4Addr> {
    let base: Ipv4Addr = subnet.split_once('/')?.0.parse().ok()?;
    Some(Ipv4Addr::from(u32::from(base) + 1))
}

async fn within<T>(
    call: impl Future<Output = std::result::Result<T, bollard::errors::Error>>,
) -> Result<T> {
    within_span(DEADLINE, call).await
}

async fn within_span<T>(
    span: Duration,
    call: impl Future<Output = std::result::Result<T, bollard::errors::Error>>,
) -> Result<T> {
    match tokio::time::timeout(span, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            Err(Error::new("Docker refused a question", "docker info").because(&error))
        }
        Err(_) => {
            let what = format!("Docker gave no answer in {}", crate::text::duration(span));
            Err(Error::new(what, "docker info"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stopped_node_would_publish_is_read_from_its_bindings() {
        let said = serde_json::json!({
            "30080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
            "6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
            "9/udp": null,
        });
        let read = of_bindings(serde_json::from_value(said).unwrap());
        let expected = Published {
            node_port: 30080,
            address: "127.0.0.1".to_string(),
            host_port: 8080,
        };
        assert_eq!(read, [expected]);
    }

    #[test]
    fn a_bridge_without_a_chosen_gateway_has_the_first_address() {
        assert_eq!(
            first_address("172.18.0.0/16"),
            Some(Ipv4Addr::new(172, 18, 0, 1))
        );
        assert_eq!(first_address("fc00::/64"), None);
    }
}
