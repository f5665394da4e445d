//! The half that every cluster shares: what is inside it, whoever made it and however it is reached.

use super::{Support, own, process_parts};
use crate::cluster::access::Access;
use crate::cluster::helm::Helm;
use crate::cluster::ready::{Deadline, deployment_ready};
use crate::cluster::wiring::Wiring;
use crate::cluster::witness::Witness;
use crate::cluster::{answers, client, crds, inspect, object, survey};
use crate::error::{Error, Exit, Result};
use crate::host::docker::Network;
use crate::host::paths::{EnvironmentPaths, Paths};
use crate::host::port;
use crate::host::process::Background;
use crate::plan::found::Found;
use crate::plan::object::Place;
use crate::plan::outcome::{Change, Context, Journal, Outcome, Undone};
use crate::plan::survey::Survey;
use crate::plan::thing::Thing;
use crate::plan::{Action, HostService, Plan, Step};
use crate::profile::Image;
use crate::supply::Supply;
use kube::Client;
use std::time::Duration;
use tokio::sync::OnceCell;

pub struct Inside {
    pub access: Access,
    pub environment: String,
    pub gateway: String,
    /// Where the objects are.
    pub namespace: String,
    /// Where the charts are.
    pub system: String,
    pub paths: EnvironmentPaths,
    pub supply: Supply,
    client: OnceCell<Client>,
}

/// What is known of the way from pods to services of this machine.
pub struct HostWay<'a> {
    /// The gateway's own address on this machine.
    pub base: &'a str,
    pub network: Option<Network>,
    pub aliases: &'static [&'static str],
}

impl Inside {
    pub fn new(
        paths: &Paths,
        access: Access,
        environment: &str,
        gateway: &str,
        supply: &Supply,
    ) -> Self {
        Inside {
            access,
            environment: environment.to_string(),
            gateway: gateway.to_string(),
            namespace: String::new(),
            system: String::new(),
            paths: paths.environment(environment),
            supply: supply.clone(),
            client: OnceCell::new(),
        }
    }

    pub fn at(self, namespace: &str, system: &str) -> Self {
        Inside {
            namespace: namespace.to_string(),
            system: system.to_string(),
            ..self
        }
    }

    pub async fn client(&self) -> Result<Client> {
        let connect = || self.access.client();
        self.client.get_or_try_init(connect).await.cloned()
    }

    /// An error whose next command reaches this cluster.
    pub fn told(&self, error: Error) -> Error {
        Error {
            next: self.access.here(&error.next),
            ..error
        }
    }

    /// The API server's version; `next` is what to do where it never tells.
    pub async fn version(&self, context: &Context<'_>, next: &str) -> Result<String> {
        let client = self.client().await?;
        let patience = context.patience.min(Duration::from_secs(120));
        client::version(&client, patience, context.waiting, next).await
    }

    async fn helm(&self) -> Result<Helm> {
        Ok(Helm {
            client: self.client().await?,
            access: self.access.clone(),
            environment: self.environment.clone(),
            supply: self.supply.clone(),
        })
    }

    /// What of the plan is there already and belongs to others. Also refuses what v2.2 can't run on.
    pub async fn others(&self, plan: &Plan, journal: &dyn Journal) -> Result<Vec<Found>> {
        inspect::others(&self.client().await?, plan, journal).await
    }

    /// Steps that need nothing but the cluster.
    pub async fn perform(&self, step: &Step, context: &Context<'_>) -> Result<Outcome> {
        match &step.action {
            Action::GatewayApi => {
                let client = self.client().await?;
                crds::install(&client, &self.environment, &self.supply, context).await
            }
            Action::Chart(chart) => self.helm().await?.apply(chart, context).await,
            Action::Object(object) => {
                let object = context.fill(object)?;
                let change = object::apply(&self.client().await?, &object, context).await?;
                Ok(Outcome::new(change, ""))
            }
            Action::Ready(name) => {
                let client = self.client().await?;
                let deadline = Deadline::within(context.patience);
                let (namespace, waiting) = (&self.namespace, context.waiting);
                deployment_ready(&client, namespace, name, &deadline, waiting).await?;
                Ok(Outcome::new(Change::Unchanged, format!("{name} is ready")))
            }
            Action::Adopted(whose) => Ok(Outcome::new(Change::Unchanged, whose)),
            Action::Cluster(_)
            | Action::Existing { .. }
            | Action::Forward { .. }
            | Action::Process
            | Action::Answers(_)
            | Action::HostService(_) => Ok(Outcome::new(Change::Unchanged, "")),
        }
    }

    /// Waits until the gateway answers at one of `bases`; with an image, until it is of that image.
    pub async fn answers(
        &self,
        image: Option<&Image>,
        bases: &[String],
        context: &Context<'_>,
    ) -> Result<Outcome> {
        let client = self.client().await?;
        let (namespace, gateway) = (self.namespace.as_str(), self.gateway.as_str());
        let patience = context.patience;
        if let Some(image) = image {
            answers::taken_up(&client, namespace, gateway, image, patience).await?;
        }
        answers::wait(
            &client,
            namespace,
            gateway,
            bases,
            patience,
            context.waiting,
        )
        .await
    }

    pub async fn host(
        &self,
        service: &HostService,
        way: HostWay<'_>,
        context: &Context<'_>,
    ) -> Result<Outcome> {
        if service.role().is_some() {
            own::ensure(&self.paths, service, context).await?;
        }
        if service.grpc
            && let Err(why) = port::answers(service.port).await
        {
            let what = format!("{} does not answer", service.title);
            let error = Error::new(what, service.start.clone());
            return Err(error.fact(format!("127.0.0.1:{}: {why}", service.port)));
        }
        let client = self.client().await?;
        let wiring = Wiring {
            witness: Witness {
                client: &client,
                place: Place {
                    namespace: &self.namespace,
                    environment: &self.environment,
                },
                gateway: &self.gateway,
                base: way.base,
            },
            network: way.network,
            aliases: way.aliases,
            paths: &self.paths,
        };
        wiring.perform(service, context).await
    }

    /// Takes away what is inside the cluster.
    pub async fn undo(&self, thing: &Thing, context: &Context<'_>) -> Result<Undone> {
        match thing {
            Thing::GatewayApi => crds::remove(&self.client().await?).await,
            Thing::Chart { name, namespace } => {
                self.helm().await?.remove(name, namespace, context).await
            }
            Thing::Object { .. } => {
                let client = self.client().await?;
                object::delete(&client, thing, &self.environment, context.patience).await
            }
            Thing::Cluster { .. } | Thing::Context { .. } | Thing::Process { .. } => {
                Ok(Undone::Absent)
            }
        }
    }

    pub async fn survey(&self) -> Result<Survey> {
        let client = self.client().await?;
        let (namespace, system) = (&self.namespace, &self.system);
        let mut survey = survey::survey(&client, namespace, system, &self.environment).await?;
        survey.parts.extend(process_parts(&self.paths));
        Ok(survey)
    }
}

/// Ends a background process of an environment.
pub async fn stop(paths: &EnvironmentPaths, role: &str) -> Result<Undone> {
    let stopped = Background::new(paths, role).stop().await?;
    Ok(match stopped {
        true => Undone::Removed,
        false => Undone::Absent,
    })
}

/// What every cluster says to a gateway that is a process of this program.
pub fn no_process() -> Support {
    let error = Error::new(
        "a cluster has no embedded gateway",
        "gw up --target embedded",
    );
    Support::Refuse(error.exit(Exit::Usage))
}
