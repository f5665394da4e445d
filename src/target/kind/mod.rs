//! A kind cluster on this machine's Docker: created if it is not there, reused if it is.

mod cluster;
mod images;
mod program;

use self::cluster::Maker;
use super::inside::{HostWay, Inside, no_process, stop};
use super::{Support, Target};
use crate::error::{Error, Result};
use crate::host::cluster::is_another;
use crate::host::docker::{self, KindCluster};
use crate::host::kubeconfig;
use crate::host::paths::EnvironmentPaths;
use crate::plan::alias::ENGINES;
use crate::plan::found::Found;
use crate::plan::outcome::{Change, Context, Journal, Outcome, Undone};
use crate::plan::survey::Survey;
use crate::plan::thing::Thing;
use crate::plan::{Action, NODE_PORT, Plan, Step};
use crate::supply::Supply;
use futures::FutureExt;
use futures::future::BoxFuture;

pub struct Kind {
    pub cluster: String,
    inside: Inside,
    paths: EnvironmentPaths,
    supply: Supply,
}

impl Kind {
    /// `inside` is the half that every cluster shares.
    pub fn new(cluster: &str, inside: Inside) -> Self {
        Kind {
            cluster: cluster.to_string(),
            paths: inside.paths.clone(),
            supply: inside.supply.clone(),
            inside,
        }
    }

    async fn found(&self) -> Result<Option<KindCluster>> {
        let docker = docker::connect().await?;
        let clusters = docker::kind_clusters(&docker).await?;
        Ok(clusters
            .into_iter()
            .find(|cluster| cluster.name == self.cluster))
    }

    async fn base(&self) -> Result<String> {
        let Some(found) = self.found().await? else {
            return Err(self.missing());
        };
        self.published(&found)
    }

    fn missing(&self) -> Error {
        Error::new(
            format!("kind cluster {} is not there", self.cluster),
            "gw up --target kind",
        )
    }

    /// The gateway's address on this machine, by the port mapping that the cluster really has.
    fn published(&self, found: &KindCluster) -> Result<String> {
        let mapping = found.published.iter().find(|p| p.node_port == NODE_PORT);
        let Some(mapping) = mapping else {
            let next = format!("gw up --target kind --cluster {}-gw", self.cluster);
            let error = Error::new(
                format!(
                    "kind cluster {} has no mapping for port {NODE_PORT} of its node",
                    self.cluster
                ),
                next,
            );
            return Err(error.fact("a port mapping can only be made when a cluster is created"));
        };
        if !["127.0.0.1", "::1"].contains(&mapping.address.as_str()) {
            let next = format!("gw up --target kind --cluster {}-gw", self.cluster);
            let what = format!(
                "kind cluster {} opens the gateway's port to {}",
                self.cluster, mapping.address
            );
            return Err(Error::new(what, next).fact("a gateway is for this machine alone"));
        }
        Ok(base_url(mapping.host_port))
    }

    fn add_context(&self, context: &Context<'_>) -> Result<()> {
        let user = kubeconfig::user_file();
        let thing = Thing::Context {
            name: format!("kind-{}", self.cluster),
            kubeconfig: user.to_string_lossy().into_owned(),
        };
        let announce = || context.journal.begin(&thing);
        kubeconfig::add(&self.paths.kubeconfig(), &user, announce)
    }

    /// Waits for the API server, which a started node does not have at once.
    async fn version(&self, context: &Context<'_>) -> Result<String> {
        let next = "docker ps --filter label=io.x-k8s.kind.cluster";
        self.inside.version(context, next).await
    }

    async fn perform_step(&self, step: &Step, context: &Context<'_>) -> Result<Outcome> {
        match &step.action {
            Action::Cluster(plan) => {
                let outcome = self.perform_cluster(plan, context).await?;
                if let Some(image) = &plan.own_image {
                    self.own_image(image, context).await?;
                }
                Ok(outcome)
            }
            Action::Answers(image) => {
                let base = self.base().await?;
                self.inside.answers(image.as_ref(), &[base], context).await
            }
            Action::HostService(service) => {
                let network = docker::kind_network(&docker::connect().await?).await?;
                let way = HostWay {
                    base: &self.base().await?,
                    network: Some(network),
                    aliases: ENGINES,
                };
                self.inside.host(service, way, context).await
            }
            Action::Process | Action::Existing { .. } | Action::Forward { .. } => {
                Ok(Outcome::new(Change::Unchanged, ""))
            }
            Action::Adopted(_)
            | Action::GatewayApi
            | Action::Chart(_)
            | Action::Object(_)
            | Action::Ready(_) => self.inside.perform(step, context).await,
        }
    }

    async fn undo_thing(&self, thing: &Thing, context: &Context<'_>) -> Result<Undone> {
        match thing {
            Thing::Cluster { .. } => self.undo_cluster(context).await,
            Thing::Context { name, kubeconfig } => {
                let removed =
                    kubeconfig::remove(name, &self.paths.kubeconfig(), kubeconfig.as_ref())?;
                Ok(if removed {
                    Undone::Removed
                } else {
                    Undone::Absent
                })
            }
            Thing::Process { role } => stop(&self.paths, role).await,
            _ => self.undo_inside(thing, context).await,
        }
    }

    async fn undo_inside(&self, thing: &Thing, context: &Context<'_>) -> Result<Undone> {
        match self.found().await? {
            None => return Ok(Undone::Absent),
            // What was in ours went with it; the other is not even started.
            Some(found) if self.is_another(&found, context.journal).await? => {
                return Ok(Undone::Absent);
            }
            Some(found) if !found.running => {
                self.start(context).await?;
                self.version(context).await?;
            }
            Some(_) => {}
        }
        self.inside.undo(thing, context).await
    }
}

fn base_url(port: u16) -> String {
    format!("http://localhost:{port}")
}

impl Target for Kind {
    fn name(&self) -> String {
        format!("kind/{}", self.cluster)
    }

    fn support(&self, step: &Step) -> Support {
        match &step.action {
            Action::Process => no_process(),
            Action::Existing { .. } | Action::Forward { .. } => {
                Support::Skip("the cluster is its own, with a port of its own".to_string())
            }
            Action::Cluster(_)
            | Action::Adopted(_)
            | Action::GatewayApi
            | Action::Chart(_)
            | Action::Answers(_)
            | Action::HostService(_)
            | Action::Object(_)
            | Action::Ready(_) => Support::Native,
        }
    }

    fn others<'a>(
        &'a self,
        plan: &'a Plan,
        journal: &'a dyn Journal,
    ) -> BoxFuture<'a, Result<Vec<Found>>> {
        async move {
            match self.found().await? {
                // One whose creation was interrupted holds nothing, and is made anew.
                Some(found) if self.maker(&found, journal).await? == Maker::UsInterrupted => {
                    Ok(Vec::new())
                }
                Some(found) if found.running => {
                    self.keep_kubeconfig(&found, &|_| {}).await?;
                    let found = self.inside.others(plan, journal).await;
                    found.map_err(|e| self.inside.told(e))
                }
                // Nothing is in a cluster that is not there; a stopped one tells when it runs.
                Some(_) | None => Ok(Vec::new()),
            }
        }
        .boxed()
    }

    fn perform<'a>(
        &'a self,
        step: &'a Step,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Outcome>> {
        async move {
            self.perform_step(step, context)
                .await
                .map_err(|e| self.inside.told(e))
        }
        .boxed()
    }

    fn undo<'a>(
        &'a self,
        thing: &'a Thing,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Undone>> {
        async move {
            self.undo_thing(thing, context)
                .await
                .map_err(|e| self.inside.told(e))
        }
        .boxed()
    }

    fn endpoint(&self) -> BoxFuture<'_, Result<String>> {
        self.base().boxed()
    }

    fn inside(&self) -> Option<&Inside> {
        Some(&self.inside)
    }

    fn survey(&self) -> BoxFuture<'_, Result<Survey>> {
        async move {
            match self.found().await? {
                None => Ok(Survey {
                    detail: format!("kind cluster {} is not there", self.cluster),
                    ..Survey::default()
                }),
                Some(found) if !found.running => Ok(Survey {
                    detail: format!("kind cluster {} is stopped", self.cluster),
                    ..Survey::default()
                }),
                Some(found) if is_another(&found, &self.paths) => Ok(Survey {
                    detail: format!(
                        "kind cluster {} is another than the one gw was in: it was made anew",
                        self.cluster
                    ),
                    ..Survey::default()
                }),
                Some(_) => self.inside.survey().await,
            }
        }
        .boxed()
    }
}
