//! A kind cluster on this machine's Docker: created if it is not there, reused if it is.

mod cluster;
mod images;
mod program;

use super::{Support, Target, mock, process_parts};
use crate::cluster::helm::Helm;
use crate::cluster::wiring::Wiring;
use crate::cluster::witness::Witness;
use crate::cluster::{answers, client, crds, object, survey};
use crate::error::{Error, Exit, Result};
use crate::host::docker::{self, KindCluster};
use crate::host::kubeconfig;
use crate::host::paths::{EnvironmentPaths, Paths};
use crate::host::port;
use crate::host::process::Background;
use crate::plan::object::Place;
use crate::plan::outcome::{Change, Context, Outcome, Undone};
use crate::plan::survey::Survey;
use crate::plan::thing::Thing;
use crate::plan::{Action, HostService, NODE_PORT, Step};
use crate::supply::Supply;
use futures::FutureExt;
use futures::future::BoxFuture;
use kube::Client;
use std::time::Duration;
use tokio::sync::OnceCell;

pub struct Kind {
    pub cluster: String,
    pub gateway: String,
    pub namespace: String,
    pub environment: String,
    paths: EnvironmentPaths,
    supply: Supply,
    client: OnceCell<Client>,
}

impl Kind {
    pub fn new(
        paths: &Paths,
        environment: &str,
        cluster: &str,
        gateway: &str,
        namespace: &str,
        supply: &Supply,
    ) -> Self {
        Kind {
            cluster: cluster.to_string(),
            gateway: gateway.to_string(),
            namespace: namespace.to_string(),
            environment: environment.to_string(),
            paths: paths.environment(environment),
            supply: supply.clone(),
            client: OnceCell::new(),
        }
    }

    async fn client(&self) -> Result<Client> {
        let connect = || client::connect(self.paths.kubeconfig());
        self.client.get_or_try_init(connect).await.cloned()
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

    /// A command that a person is to type must reach this cluster, not the one they work on.
    fn in_context(&self, mut error: Error) -> Error {
        let context = format!("kind-{}", self.cluster);
        for (program, flag) in [("kubectl ", "--context"), ("helm ", "--kube-context")] {
            if let Some(rest) = error.next.strip_prefix(program) {
                error.next = format!("{program}{flag} {context} {rest}");
                break;
            }
        }
        error
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
        let client = self.client().await?;
        client::version(
            &client,
            context.patience.min(Duration::from_secs(120)),
            context.waiting,
        )
        .await
    }

    async fn perform_host(&self, service: &HostService, context: &Context<'_>) -> Result<Outcome> {
        if service.mock || service.demo {
            mock::ensure(&self.paths, service, context).await?;
        }
        if service.grpc
            && let Err(why) = port::answers(service.port).await
        {
            let what = format!("{} does not answer", service.title);
            let error = Error::new(what, service.start.clone());
            return Err(error.fact(format!("127.0.0.1:{}: {why}", service.port)));
        }
        let network = docker::kind_network(&docker::connect().await?).await?;
        let base = self.base().await?;
        let client = self.client().await?;
        let wiring = Wiring {
            witness: Witness {
                client: &client,
                place: Place {
                    namespace: &self.namespace,
                    environment: &self.environment,
                },
                gateway: &self.gateway,
                base: &base,
            },
            network,
            paths: &self.paths,
        };
        wiring.perform(service, context).await
    }

    async fn helm(&self) -> Result<Helm> {
        Ok(Helm::new(
            self.client().await?,
            &self.paths.kubeconfig(),
            &self.environment,
            &self.supply,
        ))
    }

    async fn perform_step(&self, step: &Step, context: &Context<'_>) -> Result<Outcome> {
        match &step.action {
            Action::Cluster(plan) => self.perform_cluster(plan, context).await,
            Action::Process => Ok(Outcome::new(Change::Unchanged, "")),
            Action::GatewayApi => {
                crds::install(
                    &self.client().await?,
                    &self.environment,
                    &self.supply,
                    context,
                )
                .await
            }
            Action::Chart(chart) => self.helm().await?.apply(chart, context).await,
            Action::Answers(image) => {
                let (client, base) = (self.client().await?, self.base().await?);
                if let Some(image) = image {
                    let gateway = &self.gateway;
                    answers::taken_up(&client, &self.namespace, gateway, image, context.patience)
                        .await?;
                }
                answers::wait(
                    &client,
                    &self.namespace,
                    &self.gateway,
                    &base,
                    context.patience,
                    context.waiting,
                )
                .await
            }
            Action::HostService(service) => self.perform_host(service, context).await,
            Action::Object(object) => {
                let object = context.fill(object)?;
                let change = object::apply(&self.client().await?, &object, context).await?;
                Ok(Outcome::new(change, ""))
            }
        }
    }

    async fn undo_thing(&self, thing: &Thing, context: &Context<'_>) -> Result<Undone> {
        match thing {
            Thing::Cluster { .. } => self.undo_cluster(context).await,
            Thing::Context { name, kubeconfig } => {
                let removed = kubeconfig::remove(name, kubeconfig.as_ref())?;
                Ok(if removed {
                    Undone::Removed
                } else {
                    Undone::Absent
                })
            }
            Thing::Process { role } => {
                let stopped = Background::new(&self.paths, role).stop().await?;
                Ok(if stopped {
                    Undone::Removed
                } else {
                    Undone::Absent
                })
            }
            _ => self.undo_inside(thing, context).await,
        }
    }

    async fn undo_inside(&self, thing: &Thing, context: &Context<'_>) -> Result<Undone> {
        match self.found().await? {
            None => return Ok(Undone::Absent),
            Some(found) if !found.running => {
                self.start(context).await?;
                self.version(context).await?;
            }
            Some(_) => {}
        }
        match thing {
            Thing::GatewayApi => crds::remove(&self.client().await?).await,
            Thing::Chart { name, namespace } => {
                self.helm().await?.remove(name, namespace, context).await
            }
            Thing::Cluster { .. } | Thing::Context { .. } | Thing::Process { .. } => {
                Ok(Undone::Absent)
            }
            Thing::Object { .. } => {
                object::delete(
                    &self.client().await?,
                    thing,
                    &self.environment,
                    context.patience,
                )
                .await
            }
        }
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
            Action::Process => {
                let error = Error::new(
                    "a cluster has no embedded gateway",
                    "gw up --target embedded",
                );
                Support::Refuse(error.exit(Exit::Usage))
            }
            _ => Support::Native,
        }
    }

    fn perform<'a>(
        &'a self,
        step: &'a Step,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Outcome>> {
        async move {
            self.perform_step(step, context)
                .await
                .map_err(|e| self.in_context(e))
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
                .map_err(|e| self.in_context(e))
        }
        .boxed()
    }

    fn endpoint(&self) -> BoxFuture<'_, Result<String>> {
        self.base().boxed()
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
                Some(_) => {
                    let client = self.client().await?;
                    let mut survey =
                        survey::survey(&client, &self.namespace, &self.environment).await?;
                    survey.parts.extend(process_parts(&self.paths));
                    Ok(survey)
                }
            }
        }
        .boxed()
    }
}
