//! From flags, profile and what is on this machine to a plan: shared by `up` and `plan`.

use super::session::Session;
use crate::apply::record::Record;
use crate::cli::{TargetName, Wish};
use crate::error::Result;
use crate::host::process::Background;
use crate::host::{docker, ollama, port};
use crate::plan::Plan;
use crate::plan::build::{DEFAULT_CLUSTER, build};
use crate::plan::select::{Service, Services};
use crate::profile::load::load;
use crate::profile::{Profile, TargetKind};
use crate::provider::Provider;
use crate::target::{mock, rank};
use futures::future::join_all;

/// A plan and why it is for this target.
pub struct Wanted {
    pub plan: Plan,
    pub reason: String,
}

impl Session {
    /// Looks at this machine, all probes side by side, and plans. Touches nothing.
    pub async fn plan(&self, wish: &Wish) -> Result<Wanted> {
        let mut profile = load(&wish.profile, std::io::stdin())?;
        wish.override_profile(&mut profile);
        let record = Record::load(&self.environment());
        if let (None, Some(record)) = (wish.port, &record) {
            profile.gateway.port = record.port;
        }
        let asked = wish.target.map(TargetName::kind);
        let last = record.as_ref().and_then(Record::target);
        let ((docker, own_cluster), found) = tokio::join!(
            look_at_docker(&profile, asked.or(last)),
            find_services(&profile)
        );
        let facts = rank::Facts {
            flag: asked,
            last,
            profile: profile.target.kind,
            docker,
            own_cluster,
        };
        let (target, reason) = rank::choose(&facts);
        if let (None, Some(record)) = (&profile.target.cluster, &record)
            && !record.cluster.is_empty()
        {
            profile.target.cluster = Some(record.cluster.clone());
        }
        let services = Services {
            found,
            mock_port: self.mock_port(),
        };
        let plan = build(&profile, target, &self.global.env, &services)?;
        Ok(Wanted { plan, reason })
    }

    /// The port that the mock has already, or one for it.
    fn mock_port(&self) -> u16 {
        let usual = Provider::Mock.ways().default_port;
        let alive = Background::new(&self.environment(), mock::ROLE).alive();
        let has = alive.and_then(|identity| identity.ready.rsplit(':').next()?.parse().ok());
        match has {
            Some(port) => port,
            None if port::is_free(usual) => usual,
            None => port::next_free(usual).unwrap_or(usual),
        }
    }
}

impl Wish {
    fn override_profile(&self, profile: &mut Profile) {
        if let Some(port) = self.port {
            profile.gateway.port = port;
        }
        if self.cluster.is_some() {
            profile.target.cluster.clone_from(&self.cluster);
        }
        if self.node_image.is_some() {
            profile.target.node_image.clone_from(&self.node_image);
        }
    }
}

impl TargetName {
    fn kind(self) -> TargetKind {
        match self {
            TargetName::Kind => TargetKind::Kind,
            TargetName::Embedded => TargetKind::Embedded,
        }
    }
}

/// Why Docker can't be used, and whether our cluster is there. Not asked where it does not matter.
async fn look_at_docker(profile: &Profile, decided: Option<TargetKind>) -> (Option<String>, bool) {
    if decided.is_some() {
        return (None, false);
    }
    let cluster = profile.target.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER);
    match docker::connect().await {
        Err(error) => (Some(error.to_string()), false),
        Ok(docker) => {
            let clusters = docker::kind_clusters(&docker).await.unwrap_or_default();
            (None, clusters.iter().any(|found| found.name == cluster))
        }
    }
}

async fn find_services(profile: &Profile) -> Vec<Service> {
    let ollama_ports = profile
        .backends
        .iter()
        .filter(|backend| backend.provider == Provider::Ollama);
    let probes = ollama_ports
        .map(|backend| ollama::find(backend.port.unwrap_or(backend.provider.ways().default_port)));
    join_all(probes).await.into_iter().flatten().collect()
}
