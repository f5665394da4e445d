//! A cluster that is there already, by a context of the user's kubeconfig. It is never made, started,
//! stopped or deleted by us; what is in it of others stays.

use super::detect::unsupported;
use super::inside::{HostWay, Inside, no_process, stop};
use super::{Support, Target};
use crate::cluster::access::Theirs;
use crate::cluster::forward;
use crate::error::{Error, Exit, Result};
use crate::host::docker::{self, Network};
use crate::host::port;
use crate::host::process::Background;
use crate::plan::alias::PRODUCTS;
use crate::plan::found::Found;
use crate::plan::outcome::{Change, Context, Journal, Outcome, Undone};
use crate::plan::survey::Survey;
use crate::plan::thing::Thing;
use crate::plan::{Action, Plan, Step};
use crate::text;
use futures::FutureExt;
use futures::future::BoxFuture;

pub struct Existing {
    pub inside: Inside,
    pub theirs: Theirs,
    /// Whether it is proved to be on this machine.
    pub local: bool,
}

impl Existing {
    fn forward(&self) -> Background {
        Background::new(&self.inside.paths, forward::ROLE)
    }

    /// The gateway's address on this machine: that of the port-forward that runs.
    fn base(&self) -> Result<String> {
        let ready = self.forward().alive().map(|identity| identity.ready);
        let port = ready.as_deref().and_then(|ready| ready.rsplit(':').next());
        match port.filter(|port| !port.is_empty()) {
            Some(port) => Ok(format!("http://localhost:{port}")),
            None => Err(Error::new(
                "the port-forward to the gateway does not run",
                "gw up",
            )),
        }
    }

    async fn perform_existing(&self, context: &Context<'_>) -> Result<Outcome> {
        let name = &self.theirs.context;
        let next = format!("kubectl --context {} get nodes", text::shell(name));
        let version = self.inside.version(context, &next).await?;
        match unsupported(&version) {
            Some(why) => Err(Error::new(why, "gw detect").exit(Exit::NoTarget)),
            None => {
                let detail = format!("context {name}, Kubernetes {version}");
                Ok(Outcome::new(Change::Unchanged, detail))
            }
        }
    }

    /// Starts the port-forward unless it runs as planned.
    async fn perform_forward(&self, port: u16, context: &Context<'_>) -> Result<Outcome> {
        let args = self.forward_args(port);
        let process = self.forward();
        let detail = |pid: u32| format!("port-forward pid {pid}");
        if let Some(identity) = process.alive().filter(|identity| identity.args == args)
            && !identity.ready.is_empty()
        {
            return Ok(Outcome::new(Change::Unchanged, detail(identity.pid)));
        }
        let thing = Thing::Process {
            role: forward::ROLE.to_string(),
        };
        context.journal.begin(&thing)?;
        process.stop().await?;
        if !port::becomes_free(port).await {
            return Err(port::taken(port));
        }
        let process = process.with_variables(self.inside.access.login_variables());
        let identity = process.start(&args).await?;
        Ok(Outcome::new(Change::Created, detail(identity.pid)))
    }

    fn forward_args(&self, port: u16) -> Vec<String> {
        let listen = format!("127.0.0.1:{port}");
        let Theirs {
            kubeconfig,
            context,
            server,
        } = &self.theirs;
        let args = [
            "forward",
            "--listen",
            &listen,
            "--kubeconfig",
            kubeconfig,
            "--context",
            context,
            "--server",
            server,
            "--namespace",
            &self.inside.namespace,
            "--gateway",
            &self.inside.gateway,
        ];
        args.map(str::to_string).to_vec()
    }

    /// The network of the nodes, where they are containers of this machine.
    async fn network(&self) -> Result<Option<Network>> {
        let server = url::Url::parse(&self.theirs.server).ok();
        let port = server.and_then(|server| server.port_or_known_default());
        match (docker::connect().await, port) {
            (Ok(docker), Some(port)) => docker::network_behind(&docker, port).await,
            // Its nodes are in no engine that we could ask: the engines' names are left.
            _ => Ok(None),
        }
    }

    pub(super) async fn perform_step(&self, step: &Step, context: &Context<'_>) -> Result<Outcome> {
        match &step.action {
            Action::Existing { .. } => self.perform_existing(context).await,
            Action::Forward { port } => self.perform_forward(*port, context).await,
            Action::Answers(image) => {
                let base = self.base()?;
                self.inside.answers(image.as_ref(), &[base], context).await
            }
            Action::HostService(service) => {
                let way = HostWay {
                    base: &self.base()?,
                    network: self.network().await?,
                    aliases: PRODUCTS,
                };
                self.inside.host(service, way, context).await
            }
            Action::Cluster(_) | Action::Process => Ok(Outcome::new(Change::Unchanged, "")),
            Action::Adopted(_)
            | Action::GatewayApi
            | Action::Chart(_)
            | Action::Object(_)
            | Action::Ready(_) => self.inside.perform(step, context).await,
        }
    }

    async fn undo_thing(&self, thing: &Thing, context: &Context<'_>) -> Result<Undone> {
        match thing {
            Thing::Process { role } => stop(&self.inside.paths, role).await,
            _ => self.inside.undo(thing, context).await,
        }
    }
}

impl Target for Existing {
    fn name(&self) -> String {
        format!("context/{}", self.theirs.context)
    }

    fn support(&self, step: &Step) -> Support {
        match &step.action {
            Action::Process => no_process(),
            Action::Cluster(_) => {
                let why = "a cluster that is there already is not made".to_string();
                Support::Skip(why)
            }
            // Something at a usual port of a machine elsewhere would be taken for this one's.
            Action::HostService(service) if !self.local => {
                let what = format!(
                    "context {} is not proved to be on this machine, so it can't use {} of this machine",
                    self.theirs.context, service.title
                );
                Support::Refuse(Error::new(what, "gw up --profile cloud").exit(Exit::NoTarget))
            }
            Action::Existing { .. }
            | Action::Forward { .. }
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
            let found = self.inside.others(plan, journal).await;
            found.map_err(|e| self.inside.told(e))
        }
        .boxed()
    }

    fn perform<'a>(
        &'a self,
        step: &'a Step,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Outcome>> {
        async move {
            let done = self.perform_step(step, context).await;
            done.map_err(|e| self.inside.told(e))
        }
        .boxed()
    }

    fn undo<'a>(
        &'a self,
        thing: &'a Thing,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Undone>> {
        async move {
            let undone = self.undo_thing(thing, context).await;
            undone.map_err(|e| self.inside.told(e))
        }
        .boxed()
    }

    fn endpoint(&self) -> BoxFuture<'_, Result<String>> {
        async { self.base() }.boxed()
    }

    fn inside(&self) -> Option<&Inside> {
        Some(&self.inside)
    }

    fn survey(&self) -> BoxFuture<'_, Result<Survey>> {
        async {
            match self.inside.access.is_there() {
                true => self.inside.survey().await,
                false => Ok(Survey {
                    detail: format!(
                        "context {} does not lead there any more",
                        self.theirs.context
                    ),
                    ..Survey::default()
                }),
            }
        }
        .boxed()
    }
}
