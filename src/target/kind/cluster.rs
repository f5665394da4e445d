//! The cluster itself: whose it is, made where it is not there, started where it is stopped.

use super::program::{LISTEN_ADDRESS, Program};
use super::{Kind, base_url};
use crate::error::{Error, Result};
use crate::host::cluster::is_another;
use crate::host::docker::{self, KindCluster};
use crate::host::{port, private, program};
use crate::plan::outcome::{Change, Context, Journal, Outcome, Undone};
use crate::plan::thing::Thing;
use crate::plan::{Cluster, NODE_PORT};
use crate::supply::tool::Tool;
use std::time::{Duration, Instant};

/// Whose a cluster of the environment's name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    Us,
    /// We began to create it and were ended in between.
    UsInterrupted,
    Somebody,
}

impl Kind {
    /// Whose a cluster of our name is.
    pub(super) async fn maker(&self, found: &KindCluster, journal: &dyn Journal) -> Result<Maker> {
        if !journal.knows(&self.thing()) {
            return Ok(Maker::Somebody);
        }
        if let Ok(id) = std::fs::read_to_string(self.paths.cluster_id()) {
            let is_ours = id == found.id;
            return Ok(if is_ours { Maker::Us } else { Maker::Somebody });
        }
        // Begun, and ended before its id was known. It may never have come to be, and a person may have
        // made one of that name since: theirs does not have the gateway's port as ours has it.
        let bindings = docker::bindings(&docker::connect().await?, &found.id).await?;
        let is_ours = bindings
            .iter()
            .any(|port| port.node_port == NODE_PORT && port.address == LISTEN_ADDRESS);
        Ok(match is_ours {
            true => Maker::UsInterrupted,
            false => Maker::Somebody,
        })
    }

    /// Whether ours is gone and another has its name. One that we never made is no other.
    pub(super) async fn is_another(
        &self,
        found: &KindCluster,
        journal: &dyn Journal,
    ) -> Result<bool> {
        let known = journal.knows(&self.thing());
        Ok(known && self.maker(found, journal).await? == Maker::Somebody)
    }

    fn thing(&self) -> Thing {
        Thing::Cluster {
            name: self.cluster.clone(),
        }
    }

    pub(super) async fn program(
        &self,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Program> {
        let path = self.supply.program(Tool::Kind, waiting).await?;
        Program::at(path, &self.cluster, self.paths.kubeconfig()).await
    }

    pub(super) async fn perform_cluster(
        &self,
        plan: &Cluster,
        context: &Context<'_>,
    ) -> Result<Outcome> {
        self.come_to_rest(context).await?;
        let found = match self.found().await? {
            None => {
                // Nothing of ours is left: what a person makes under this name from now on is theirs.
                self.disown(context)?;
                return self.create(plan, context).await;
            }
            Some(found) => found,
        };
        let mut anew = false;
        match self.maker(&found, context.journal).await? {
            Maker::Us => {}
            Maker::UsInterrupted => {
                let waiting = "deleting a cluster whose creation was interrupted";
                (context.waiting)(waiting.to_string());
                self.program(context.waiting).await?.delete().await?;
                self.disown(context)?;
                return self.create(plan, context).await;
            }
            // Also one that was made anew by hand: what we kept of ours leads nowhere now.
            Maker::Somebody => {
                anew = is_another(&found, &self.paths);
                self.disown(context)?;
            }
        }
        let (found, change) = match found.running {
            true => (found, Change::Unchanged),
            false => (self.start(context).await?, Change::Updated),
        };
        // Whoever looks for what is wrong needs it, also where this cluster can't be used.
        self.keep_kubeconfig(&found, context.waiting).await?;
        let base = self.published(&found).map_err(|error| Error {
            next: self.elsewhere(&error.next, context),
            ..error
        })?;
        if base != base_url(plan.host_port) {
            let what = format!(
                "kind cluster {} answers at {base}, not on port {}",
                self.cluster, plan.host_port
            );
            let port = base.rsplit(':').next().unwrap_or_default();
            return Err(Error::usage(what, format!("gw up --port {port}"))
                .fact("a port mapping can only be made when a cluster is created"));
        }
        self.add_context(context)?;
        let version = self.version(context).await?;
        self.load_images(context).await?;
        let which = match anew {
            true => ", made anew by somebody else",
            false => "",
        };
        let detail = format!("kind {}, Kubernetes {version}{which}", self.cluster);
        Ok(Outcome::new(change, detail))
    }

    /// The way to another cluster: an environment does not move, and what is left of it is taken back
    /// first.
    fn elsewhere(&self, next: &str, context: &Context<'_>) -> String {
        let env = match self.inside.environment.as_str() {
            "default" => String::new(),
            name => format!(" --env {name}"),
        };
        match context.journal.things().is_empty() {
            true => next.to_string(),
            false => format!("gw down{env} && {next}"),
        }
    }

    /// A kubeconfig of our own for a cluster that somebody else has made.
    pub(super) async fn keep_kubeconfig(
        &self,
        found: &KindCluster,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<()> {
        let own = self.paths.kubeconfig();
        if own.exists() && !is_another(found, &self.paths) {
            return Ok(());
        }
        let text = self.program(waiting).await?.kubeconfig().await?;
        private::write(&own, &text).map_err(|e| {
            Error::new(format!("{} can't be written", own.display()), "df -h").because(&e)
        })
    }

    /// Starts a stopped node and waits until Docker shows its ports again: a stopped one has none.
    pub(super) async fn start(&self, context: &Context<'_>) -> Result<KindCluster> {
        (context.waiting)("starting its node".to_string());
        let docker = docker::connect().await?;
        docker::start_kind_cluster(&docker, &self.cluster).await?;
        let start = Instant::now();
        loop {
            match self.found().await? {
                Some(found) if found.running && !found.published.is_empty() => return Ok(found),
                _ if start.elapsed() > context.patience => {
                    let what = format!("the node of kind cluster {} does not start", self.cluster);
                    let next = format!("docker logs {}-control-plane", self.cluster);
                    return Err(Error::new(what, next));
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn create(&self, plan: &Cluster, context: &Context<'_>) -> Result<Outcome> {
        if !port::is_free(plan.host_port) {
            return Err(port::taken(plan.host_port));
        }
        let program = self.program(context.waiting).await?;
        // Whatever may fail before a cluster is begun: one that the ledger knows and that was never
        // begun would make a person's own of that name ours.
        let node = self.node_image(plan, context).await?;
        self.forget_cluster();
        context.journal.begin(&self.thing())?;
        if let Err(error) = program.create(plan, node.as_deref(), context.waiting).await {
            // kind cleans up after itself: then there is nothing of ours, and a cluster that a
            // person makes under this name is theirs.
            if matches!(self.found().await, Ok(None)) {
                context.journal.removed(&self.thing())?;
            }
            return Err(error);
        }
        if let Some(found) = self.found().await? {
            let file = self.paths.cluster_id();
            let written = std::fs::write(&file, found.id);
            written.map_err(|e| {
                Error::new(format!("{} can't be written", file.display()), "df -h").because(&e)
            })?;
        }
        self.add_context(context)?;
        let version = self.version(context).await?;
        self.load_images(context).await?;
        let detail = format!("kind {}, Kubernetes {version}, created", self.cluster);
        Ok(Outcome::new(Change::Created, detail))
    }

    /// Where the making of a cluster was interrupted, what was begun comes to its end first: the `docker
    /// run` of a killed kind goes on, and its node would appear when we have looked already.
    async fn come_to_rest(&self, context: &Context<'_>) -> Result<()> {
        if !context.journal.knows(&self.thing()) || self.paths.cluster_id().exists() {
            return Ok(());
        }
        let own = self.paths.kubeconfig();
        let label = format!("{}={}", docker::LABEL, self.cluster);
        let start = Instant::now();
        loop {
            let makers = program::running(&["create", "cluster", &own.to_string_lossy()]);
            let nodes = program::running(&["run", &label]);
            if makers.is_empty() && nodes.is_empty() {
                return Ok(());
            }
            if start.elapsed() > context.patience {
                let what = format!("kind cluster {} is still being made", self.cluster);
                return Err(Error::new(what, format!("pgrep -af {}", self.cluster)));
            }
            (context.waiting)("waiting for the end of what was interrupted".to_string());
            makers.into_iter().for_each(program::end);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A cluster of ours is no more, and all that was in it or led to it: what has these names from now
    /// on is somebody else's. The ledger first: known and without its id, one of that name counts as ours.
    fn disown(&self, context: &Context<'_>) -> Result<()> {
        let journal = context.journal;
        if journal.knows(&self.thing()) {
            let went =
                |thing: &&Thing| !matches!(thing, Thing::Process { .. } | Thing::Cluster { .. });
            for thing in journal.things().iter().filter(went) {
                journal.removed(thing)?;
            }
            journal.removed(&self.thing())?;
            self.forget_cluster();
        }
        Ok(())
    }

    /// That a file is not there is what is wanted.
    fn forget_cluster(&self) {
        let _ = std::fs::remove_file(self.paths.kubeconfig());
        let _ = std::fs::remove_file(self.paths.cluster_id());
    }

    pub(super) async fn undo_cluster(&self, context: &Context<'_>) -> Result<Undone> {
        self.come_to_rest(context).await?;
        let Some(found) = self.found().await? else {
            return Ok(Undone::Absent);
        };
        if self.maker(&found, context.journal).await? == Maker::Somebody {
            let reason = "it is another cluster of that name than the one gw created";
            return Ok(Undone::Kept(reason.to_string()));
        }
        self.program(context.waiting).await?.delete().await?;
        Ok(Undone::Removed)
    }
}
