//! Whose product a context leads to, and what proves that it is on this machine (architecture,
//! decision 9; facts/local-clusters).

use super::place::{Locality, Product};
use crate::host::facts::{Answer, Context, Facts, Node, may_be_local};

/// By name and by what the nodes say of themselves (facts/local-clusters).
pub fn product(context: &Context) -> Product {
    let name = context.name.as_str();
    let named = [
        ("orbstack", Product::OrbStack),
        ("docker-desktop", Product::DockerDesktop),
        ("rancher-desktop", Product::RancherDesktop),
        ("colima", Product::Colima),
        ("minikube", Product::Minikube),
    ];
    if let Some((_, product)) = named.iter().find(|(known, _)| *known == name) {
        return *product;
    }
    if name.starts_with("kind-") {
        return Product::Kind;
    }
    if name.starts_with("k3d-") {
        return Product::K3d;
    }
    if name.starts_with("colima-") {
        return Product::Colima;
    }
    let Some(Answer::Cluster { nodes, .. }) = &context.answer else {
        return Product::Unknown;
    };
    let has_label = |label: &str| {
        nodes
            .iter()
            .any(|node| node.labels.iter().any(|have| have == label))
    };
    match has_label("minikube.k8s.io/name") {
        true => Product::Minikube,
        false => Product::Unknown,
    }
}

/// What proves that a cluster is on this machine: a container of this machine's Docker that owns the
/// API server's port, or nodes that only exist locally. Both count only behind an address of this
/// machine: somebody else's OrbStack has the same node, and 443 is everybody's port.
pub fn locality(facts: &Facts, context: &Context, product: Product) -> Locality {
    let unproved = |why: &str| Locality::Unproved(why.to_string());
    if !may_be_local(&context.server) {
        return unproved("its address is not this machine's");
    }
    let port = port_of(&context.server);
    let mut containers = facts.docker.containers.iter();
    let owner = containers
        .find(|c| c.running && port.is_some_and(|port| c.published.contains(&port)))
        .map(|c| &c.name);
    if let Some(name) = owner {
        let evidence = format!("container {name} on this machine has the API server's port");
        return Locality::Local(evidence);
    }
    let stopped = facts
        .docker
        .containers
        .iter()
        .find(|c| !c.running && context.name == format!("{}-{}", c.product, c.cluster));
    if let Some(stopped) = stopped {
        return Locality::Local(format!("container {} is on this machine", stopped.name));
    }
    let Some(Answer::Cluster { version, nodes, .. }) = &context.answer else {
        return match product {
            Product::Unknown => unproved("nothing proves that it is local"),
            _ => Locality::Unproved(format!(
                "it is named like {} and does not answer",
                product.title()
            )),
        };
    };
    match proved_by_nodes(product, version, nodes) {
        true => Locality::Local(format!("its node is {}'s", product.title())),
        false => unproved("neither nodes nor containers prove it local"),
    }
}

fn proved_by_nodes(product: Product, version: &str, nodes: &[Node]) -> bool {
    let all = |test: &dyn Fn(&Node) -> bool| !nodes.is_empty() && nodes.iter().all(test);
    match product {
        Product::OrbStack => {
            all(&|n| n.name == "orbstack" && n.os_image == "OrbStack") && version.contains("+orb")
        }
        Product::DockerDesktop => all(&|n| {
            n.name == "docker-desktop" || n.provider_id.starts_with("kind://docker/desktop")
        }),
        Product::Colima => all(&|n| n.name.starts_with("colima")) && version.contains("+k3s"),
        Product::RancherDesktop => all(&|n| n.name.contains("rancher-desktop")),
        Product::Minikube | Product::Kind | Product::K3d | Product::Unknown => false,
    }
}

/// The port of a server's address; 443 where none is named.
fn port_of(server: &str) -> Option<u16> {
    url::Url::parse(server).ok()?.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::facts::{Container, Docker};

    fn facts(port: u16) -> Facts {
        Facts {
            docker: Docker {
                containers: vec![Container {
                    name: "dev-control-plane".into(),
                    product: "kind".into(),
                    cluster: "dev".into(),
                    running: true,
                    published: vec![port],
                }],
                ..Docker::default()
            },
            ..Facts::default()
        }
    }

    fn context(name: &str, server: &str) -> Context {
        Context {
            name: name.into(),
            server: server.into(),
            ..Context::default()
        }
    }

    #[test]
    fn a_published_443_proves_nothing_of_a_cloud_whose_port_that_is() {
        let eks = context("prod", "https://ABC.gr7.eu-west-1.eks.amazonaws.com");
        assert!(!locality(&facts(443), &eks, Product::Unknown).is_local());
        let here = context("kind-dev", "https://127.0.0.1:443");
        assert!(locality(&facts(443), &here, Product::Kind).is_local());
    }

    #[test]
    fn the_orbstack_of_another_mac_is_not_local() {
        let answer = Answer::Cluster {
            version: "v1.33.9+orb1".into(),
            nodes: vec![Node {
                name: "orbstack".into(),
                os_image: "OrbStack".into(),
                ..Node::default()
            }],
            installed: Vec::new(),
        };
        let there = |server: &str| Context {
            answer: Some(answer.clone()),
            ..context("orbstack", server)
        };
        let judge = |server| {
            let there = there(server);
            locality(&Facts::default(), &there, product(&there)).is_local()
        };
        assert!(judge("https://127.0.0.1:26443"));
        assert!(judge("https://k8s.orb.local:26443"));
        assert!(!judge("https://192.168.1.20:26443"));
    }
}
