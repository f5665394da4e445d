//! From facts to ranked candidates with reasons. Pure (architecture, decisions 9 and 12).

use crate::host::facts::{Answer, Context, Facts};

/// A place where a gateway could run.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub place: Place,
    /// Whether the place is this machine, and what proves it.
    pub locality: Locality,
    /// Why it stands where it stands in the list.
    pub reason: String,
    /// Why it can't be used as it is; such candidates come last.
    pub obstacle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// OrbStack's own Kubernetes, by its context.
    OrbStack { context: String },
    /// A kind cluster that is there.
    Kind { cluster: String },
    /// A kind cluster that would be created.
    NewKind,
    /// Any other cluster that is there.
    Context { name: String, product: Product },
    /// No cluster: the gateway in this program.
    Embedded,
}

/// What a context leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    OrbStack,
    Kind,
    DockerDesktop,
    Colima,
    RancherDesktop,
    K3d,
    Minikube,
    Unknown,
}

impl Product {
    /// As people call it.
    pub fn title(self) -> &'static str {
        match self {
            Product::OrbStack => "OrbStack",
            Product::Kind => "kind",
            Product::DockerDesktop => "Docker Desktop",
            Product::Colima => "colima",
            Product::RancherDesktop => "Rancher Desktop",
            Product::K3d => "k3d",
            Product::Minikube => "minikube",
            Product::Unknown => "a cluster",
        }
    }
}

/// Whether a cluster is on this machine. A loopback address proves nothing: a tunnel to production
/// is 127.0.0.1 too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locality {
    /// By this evidence.
    Local(String),
    /// Nothing shows that it is.
    Unproved(String),
}

/// Name of the cluster that this program makes.
const OWN: &str = "gatewright";

/// Every candidate, best first. `last` is the context or cluster that the environment has already.
pub fn candidates(facts: &Facts) -> Vec<Candidate> {
    let mut found: Vec<(u32, Candidate)> = facts
        .contexts
        .iter()
        .map(|context| of_context(facts, context))
        .collect();
    found.extend(stopped_clusters(facts));
    found.extend(new_kind(facts));
    found.push((
        40,
        Candidate {
            place: Place::Embedded,
            locality: Locality::Local("it is this program".to_string()),
            reason: "no cluster needed, ready in under a second".to_string(),
            obstacle: None,
        },
    ));
    // Stable, so that equal candidates keep the kubeconfig's order.
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The one to propose, unless several are as good as each other and nothing tells them apart.
pub fn proposal(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().find(|candidate| {
        candidate.obstacle.is_none() && matches!(candidate.locality, Locality::Local(_))
    })
}

/// Whether another candidate is as good as the proposed one: then a person is asked.
pub fn is_tied(candidates: &[Candidate]) -> bool {
    let Some(first) = proposal(candidates) else {
        return false;
    };
    let usable = |c: &&Candidate| c.obstacle.is_none() && matches!(c.locality, Locality::Local(_));
    let same =
        |c: &&Candidate| weight(&c.place) == weight(&first.place) && c.reason == first.reason;
    candidates.iter().filter(usable).filter(same).count() > 1
}

/// Which sort of place comes first: architecture, decision 12.
fn weight(place: &Place) -> u32 {
    match place {
        Place::OrbStack { .. } => 10,
        Place::Kind { cluster } if cluster == OWN => 20,
        Place::Embedded => 40,
        Place::Kind { .. } | Place::Context { .. } => 50,
        Place::NewKind => 60,
    }
}

fn of_context(facts: &Facts, context: &Context) -> (u32, Candidate) {
    let product = product(context);
    let locality = locality(facts, context, product);
    let place = match (product, context.name.strip_prefix("kind-")) {
        (Product::OrbStack, _) => Place::OrbStack {
            context: context.name.clone(),
        },
        (Product::Kind, Some(cluster)) => Place::Kind {
            cluster: cluster.to_string(),
        },
        _ => Place::Context {
            name: context.name.clone(),
            product,
        },
    };
    let stopped = stopped_node(facts, &place);
    let obstacle = match (stopped, &place) {
        (true, Place::Kind { cluster }) if cluster == OWN => None,
        (true, _) => Some("its container is stopped".to_string()),
        (false, _) => obstacle(context).or_else(|| not_a_target(&place)),
    };
    let is_local = matches!(locality, Locality::Local(_));
    let mut rank = weight(&place);
    // Among others of its sort, the one that kubectl uses comes first.
    if context.current && rank == 50 {
        rank -= 1;
    }
    rank += match (is_local, obstacle.is_some()) {
        (true, false) => 0,
        (true, true) => 100,
        (false, _) => 200,
    };
    let reason = match &place {
        Place::OrbStack { .. } => "OrbStack has a load balancer on localhost".to_string(),
        Place::Kind { cluster } if cluster == OWN && stopped => {
            "our kind cluster is there, stopped".to_string()
        }
        Place::Kind { cluster } if cluster == OWN => "our kind cluster is there".to_string(),
        _ if context.current => "kubectl's current context".to_string(),
        _ => format!("{} is there", product.title()),
    };
    let candidate = Candidate {
        place,
        locality,
        reason,
        obstacle,
    };
    (rank, candidate)
}

/// Places that are seen and understood, but that `up` has no target for.
fn not_a_target(place: &Place) -> Option<String> {
    match place {
        Place::OrbStack { .. } | Place::Context { .. } => {
            Some("this version of gw does not run there".to_string())
        }
        Place::Kind { .. } | Place::NewKind | Place::Embedded => None,
    }
}

/// Whether a kind cluster's container is on this machine and stopped, as a reboot leaves it.
fn stopped_node(facts: &Facts, place: &Place) -> bool {
    let Place::Kind { cluster } = place else {
        return false;
    };
    let mut nodes = facts.docker.containers.iter();
    nodes.any(|node| node.product == "kind" && node.cluster == *cluster && !node.running)
}

/// Why a context can't be used as it is.
fn obstacle(context: &Context) -> Option<String> {
    match &context.answer {
        None => None,
        Some(Answer::None { why }) => Some(format!("its API server: {why}")),
        Some(Answer::Cluster { version, .. }) => unsupported(version),
    }
}

/// Kubernetes versions that kgateway v2.2 supports (facts 1.1).
fn unsupported(version: &str) -> Option<String> {
    let mut parts = version.trim_start_matches('v').split('.');
    let major: u32 = parts.next()?.parse().ok()?;
    let minor: u32 = parts.next()?.trim_end_matches('+').parse().ok()?;
    let fits = major == 1 && (31..=35).contains(&minor);
    (!fits).then(|| format!("Kubernetes {version}; kgateway v2.2 takes 1.31-1.35"))
}

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
/// API server's port, or nodes that only exist locally.
fn locality(facts: &Facts, context: &Context, product: Product) -> Locality {
    let port = port_of(&context.server);
    let owner = facts.docker.containers.iter().find(|container| {
        container.running && port.is_some_and(|port| container.published.contains(&port))
    });
    if let Some(owner) = owner {
        return Locality::Local(format!(
            "container {} on this machine has the API server's port",
            owner.name
        ));
    }
    let stopped = facts.docker.containers.iter().find(|container| {
        !container.running && context.name == format!("{}-{}", container.product, container.cluster)
    });
    if let Some(stopped) = stopped {
        return Locality::Local(format!("container {} is on this machine", stopped.name));
    }
    let Some(Answer::Cluster { version, nodes, .. }) = &context.answer else {
        return Locality::Unproved(match product {
            Product::Unknown => "nothing proves that it is local".to_string(),
            _ => format!("it is named like {} and does not answer", product.title()),
        });
    };
    let node = |test: &dyn Fn(&crate::host::facts::Node) -> bool| {
        !nodes.is_empty() && nodes.iter().all(test)
    };
    let proof = match product {
        Product::OrbStack => {
            node(&|n| n.name == "orbstack" && n.os_image == "OrbStack") && version.contains("+orb")
        }
        Product::DockerDesktop => node(&|n| {
            n.name == "docker-desktop" || n.provider_id.starts_with("kind://docker/desktop")
        }),
        Product::Colima => node(&|n| n.name.starts_with("colima")) && version.contains("+k3s"),
        Product::RancherDesktop => node(&|n| n.name.contains("rancher-desktop")),
        Product::Minikube | Product::Kind | Product::K3d | Product::Unknown => false,
    };
    match proof {
        true => Locality::Local(format!("its node is {}'s", product.title())),
        false => Locality::Unproved("neither nodes nor containers prove it local".to_string()),
    }
}

/// The port of a server's address; 443 where none is named.
fn port_of(server: &str) -> Option<u16> {
    url::Url::parse(server).ok()?.port_or_known_default()
}

/// Local clusters whose containers are there but stopped, and kind clusters without a context.
fn stopped_clusters(facts: &Facts) -> Vec<(u32, Candidate)> {
    let mut found: Vec<(u32, Candidate)> = Vec::new();
    for container in facts
        .docker
        .containers
        .iter()
        .filter(|c| c.product == "kind")
    {
        let context = format!("kind-{}", container.cluster);
        let place = Place::Kind {
            cluster: container.cluster.clone(),
        };
        let known = facts.contexts.iter().any(|c| c.name == context)
            || found.iter().any(|(_, c)| c.place == place);
        if known {
            continue;
        }
        let candidate = Candidate {
            locality: Locality::Local(format!("container {} is on this machine", container.name)),
            reason: match (container.cluster == OWN, container.running) {
                (true, true) => "our kind cluster is there".to_string(),
                (true, false) => "our kind cluster is there, stopped".to_string(),
                (false, _) => "kind is there".to_string(),
            },
            obstacle: (!container.running && container.cluster != OWN)
                .then(|| "its container is stopped".to_string()),
            place,
        };
        let rank = weight(&candidate.place) + if candidate.obstacle.is_some() { 100 } else { 0 };
        found.push((rank, candidate));
    }
    found
}

/// A cluster that could be created: only where Docker answers, and never unasked.
fn new_kind(facts: &Facts) -> Option<(u32, Candidate)> {
    let has_own = facts
        .docker
        .containers
        .iter()
        .any(|container| container.product == "kind" && container.cluster == OWN);
    if has_own || facts.docker.address.is_none() {
        return None;
    }
    let has = |name: &str| facts.programs.iter().any(|program| program.name == name);
    let missing: Vec<&str> = ["kind", "helm"]
        .into_iter()
        .filter(|name| !has(name))
        .collect();
    let obstacle = match missing.as_slice() {
        [] => None,
        missing => Some(format!("{} not on PATH", crate::text::list(missing))),
    };
    let rank = weight(&Place::NewKind) + if obstacle.is_some() { 100 } else { 0 };
    let candidate = Candidate {
        place: Place::NewKind,
        locality: Locality::Local(format!("in {} on this machine", facts.docker.product)),
        reason: "a cluster of its own, created when asked for".to_string(),
        obstacle,
    };
    Some((rank, candidate))
}
