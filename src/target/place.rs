//! Places where a gateway could run, as people and flags name them.

use crate::profile::TargetKind;

/// A place where a gateway could run, judged.
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
    /// Our own kind cluster; or one that no context leads to.
    Kind { cluster: String },
    /// A kind cluster that would be created.
    NewKind { cluster: String },
    /// Any other cluster that is there.
    Context { name: String, product: Product },
    /// No cluster: the gateway in this program.
    Embedded,
}

/// Name of the kind cluster that is made where nobody names one.
pub const DEFAULT_CLUSTER: &str = crate::plan::build::DEFAULT_CLUSTER;

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

/// Whether a cluster is on this machine. A loopback address proves nothing: a tunnel to production
/// is 127.0.0.1 too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locality {
    /// By this evidence.
    Local(String),
    /// Nothing shows that it is.
    Unproved(String),
}

impl Candidate {
    /// Whether a gateway can be set up there without a further question.
    pub fn is_usable(&self) -> bool {
        self.obstacle.is_none() && self.locality.is_local()
    }
}

impl Locality {
    pub fn is_local(&self) -> bool {
        matches!(self, Locality::Local(_))
    }

    pub fn evidence(&self) -> &str {
        match self {
            Locality::Local(evidence) | Locality::Unproved(evidence) => evidence,
        }
    }
}

impl Place {
    /// The context that leads there, if it is a cluster that is there already.
    pub fn context(&self) -> Option<&str> {
        match self {
            Place::OrbStack { context } | Place::Context { name: context, .. } => Some(context),
            Place::Kind { .. } | Place::NewKind { .. } | Place::Embedded => None,
        }
    }

    /// The sort of target that makes a plan true there.
    pub fn kind(&self) -> TargetKind {
        match self {
            Place::Kind { .. } | Place::NewKind { .. } => TargetKind::Kind,
            Place::OrbStack { .. } => TargetKind::OrbStack,
            Place::Context { .. } => TargetKind::Context,
            Place::Embedded => TargetKind::Embedded,
        }
    }

    /// The name of the kind cluster that it is.
    pub fn cluster(&self) -> Option<&str> {
        match self {
            Place::Kind { cluster } | Place::NewKind { cluster } => Some(cluster),
            Place::OrbStack { .. } | Place::Context { .. } | Place::Embedded => None,
        }
    }

    /// Whether both are one place, however much is known of each.
    pub fn is(&self, other: &Place) -> bool {
        let names = |place: &Place| {
            let name = place.cluster().or(place.context());
            (place.kind(), name.map(str::to_string))
        };
        names(self) == names(other)
    }

    /// As lists and reports name it: `kind/gatewright`, `context/k3d-dev`.
    pub fn name(&self) -> String {
        match self {
            Place::OrbStack { .. } => "orbstack".to_string(),
            Place::Kind { cluster } => format!("kind/{cluster}"),
            Place::NewKind { .. } => "kind".to_string(),
            Place::Context { name, .. } => format!("context/{name}"),
            Place::Embedded => "embedded".to_string(),
        }
    }

    /// The flags with which `gw up` takes this place without a question, value after name.
    pub fn flags(&self) -> Vec<String> {
        let words = match self {
            Place::OrbStack { .. } => vec!["--target", "orbstack"],
            Place::Kind { cluster } | Place::NewKind { cluster } if cluster == DEFAULT_CLUSTER => {
                vec!["--target", "kind"]
            }
            Place::Kind { cluster } | Place::NewKind { cluster } => {
                vec!["--target", "kind", "--cluster", cluster]
            }
            Place::Context { name, .. } => vec!["--context", name],
            Place::Embedded => vec!["--target", "embedded"],
        };
        words.into_iter().map(str::to_string).collect()
    }
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
