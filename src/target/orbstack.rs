//! OrbStack's own Kubernetes: a cluster that is there already, with a load balancer on this machine
//! (facts/local-clusters). Written from what is known of it; it has not been run on one here.

use super::context::Existing;
use super::inside::{HostWay, Inside};
use super::{Support, Target};
use crate::cluster::client::{is_absent, refused};
use crate::error::{Error, Exit, Result};
use crate::exec::Run;
use crate::host::{port, web};
use crate::plan::alias::ENGINES;
use crate::plan::found::Found;
use crate::plan::outcome::{Context, Journal, Outcome, Undone};
use crate::plan::survey::Survey;
use crate::plan::thing::Thing;
use crate::plan::{Action, Plan, Step};
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use std::time::Duration;

/// Where OrbStack's load balancer answers on this machine: both are loopback, unless services are
/// exposed (facts/local-clusters).
const HOSTS: [&str; 2] = ["localhost", "k8s.orb.local"];
const ASK: Duration = Duration::from_secs(2);
const PROGRAM: Duration = Duration::from_secs(5);

pub struct OrbStack {
    pub cluster: Existing,
    pub port: u16,
}

impl OrbStack {
    fn bases(&self) -> [String; 2] {
        HOSTS.map(|host| format!("http://{host}:{}", self.port))
    }

    /// The first address that answers; the usual one where none does.
    async fn base(&self) -> String {
        let [usual, other] = self.bases();
        match web::get(&usual, None, ASK).await {
            Err(_) if web::get(&other, None, ASK).await.is_ok() => other,
            _ => usual,
        }
    }

    /// Whether the gateway's Service is there already: then the port is ours.
    async fn has_service(&self) -> Result<bool> {
        let inside = &self.cluster.inside;
        let services: Api<Service> = Api::namespaced(inside.client().await?, &inside.namespace);
        match services.get_opt(&inside.gateway).await {
            Ok(found) => Ok(found.is_some()),
            Err(e) if is_absent(&e) => Ok(false),
            Err(e) => Err(refused(
                "the gateway's Service can't be read",
                &e,
                "gw status",
            )),
        }
    }

    async fn perform_existing(&self, step: &Step, context: &Context<'_>) -> Result<Outcome> {
        if is_exposed().await {
            let what = "OrbStack opens the services of its cluster to the network";
            let next = "orb config set k8s.expose_services false";
            return Err(Error::new(what, next)
                .exit(Exit::NoTarget)
                .fact("a gateway is for this machine alone"));
        }
        let outcome = self.cluster.perform_step(step, context).await?;
        // Two load balancers on one port clash, and so does one with a program (facts 11).
        match !port::is_free(self.port) && !self.has_service().await? {
            true => Err(port::taken(self.port)),
            false => Ok(outcome),
        }
    }

    async fn perform_step(&self, step: &Step, context: &Context<'_>) -> Result<Outcome> {
        let inside = &self.cluster.inside;
        match &step.action {
            Action::Existing { .. } => self.perform_existing(step, context).await,
            Action::Answers(image) => inside.answers(image.as_ref(), &self.bases(), context).await,
            Action::HostService(service) => {
                let way = HostWay {
                    base: &self.base().await,
                    network: None,
                    aliases: ENGINES,
                };
                inside.host(service, way, context).await
            }
            Action::Cluster(_)
            | Action::Forward { .. }
            | Action::Process
            | Action::Adopted(_)
            | Action::GatewayApi
            | Action::Chart(_)
            | Action::Object(_)
            | Action::Ready(_) => self.cluster.perform_step(step, context).await,
        }
    }
}

/// Whether OrbStack says that its services are open to others; a program that does not tell says no.
async fn is_exposed() -> bool {
    let Ok(orb) = which::which("orb").or_else(|_| which::which("orbctl")) else {
        return false;
    };
    let run = Run::new(orb, &["config", "show"]).deadline(PROGRAM);
    run.output()
        .await
        .is_ok_and(|output| says_exposed(&output.stdout))
}

fn says_exposed(config: &str) -> bool {
    config.lines().any(|line| {
        let setting = line
            .split_once(':')
            .map(|(name, value)| (name.trim(), value.trim()));
        setting == Some(("k8s.expose_services", "true"))
    })
}

impl Target for OrbStack {
    fn name(&self) -> String {
        "orbstack".to_string()
    }

    fn support(&self, step: &Step) -> Support {
        match &step.action {
            Action::Forward { .. } => {
                let why = "OrbStack's load balancer is on this machine".to_string();
                Support::Skip(why)
            }
            _ => self.cluster.support(step),
        }
    }

    fn others<'a>(
        &'a self,
        plan: &'a Plan,
        journal: &'a dyn Journal,
    ) -> BoxFuture<'a, Result<Vec<Found>>> {
        self.cluster.others(plan, journal)
    }

    fn perform<'a>(
        &'a self,
        step: &'a Step,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Outcome>> {
        async move {
            let done = self.perform_step(step, context).await;
            done.map_err(|e| self.cluster.inside.told(e))
        }
        .boxed()
    }

    fn undo<'a>(
        &'a self,
        thing: &'a Thing,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Undone>> {
        self.cluster.undo(thing, context)
    }

    fn endpoint(&self) -> BoxFuture<'_, Result<String>> {
        async { Ok(self.base().await) }.boxed()
    }

    fn inside(&self) -> Option<&Inside> {
        self.cluster.inside()
    }

    fn survey(&self) -> BoxFuture<'_, Result<Survey>> {
        self.cluster.survey()
    }
}

#[cfg(test)]
mod tests {
    use super::says_exposed;

    #[test]
    fn services_are_exposed_only_where_the_setting_says_so() {
        assert!(says_exposed(
            "cpu: 8\nk8s.enable: true\nk8s.expose_services: true\n"
        ));
        assert!(!says_exposed("k8s.expose_services: false\n"));
        assert!(!says_exposed("network.https: true\n"));
    }
}
