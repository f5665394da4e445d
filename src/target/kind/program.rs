//! The `kind` program: makes and deletes clusters.

use crate::error::{Error, Result};
use crate::exec::Run;
use crate::host::docker;
use crate::plan::{Cluster, NODE_PORT};
use crate::supply::tool;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pulling a node image of a gigabyte over a slow line is part of it.
const CREATE_DEADLINE: Duration = Duration::from_secs(900);
const LOAD_DEADLINE: Duration = Duration::from_secs(300);
const DELETE_DEADLINE: Duration = Duration::from_secs(120);
/// The gateway is for this machine alone (facts 15.13).
pub const LISTEN_ADDRESS: &str = "127.0.0.1";

pub struct Program {
    path: PathBuf,
    cluster: String,
    /// The environment's own: the user's kubeconfig is changed by us alone.
    kubeconfig: String,
    /// The engine on which we look for the cluster.
    docker_host: String,
}

impl Program {
    pub async fn at(path: PathBuf, cluster: &str, kubeconfig: PathBuf) -> Result<Self> {
        Ok(Program {
            path,
            docker_host: docker::engine().await?.0,
            cluster: cluster.to_string(),
            kubeconfig: kubeconfig.to_string_lossy().into_owned(),
        })
    }

    /// Creates the cluster; `waiting` is told of each of kind's own steps.
    pub async fn create(
        &self,
        plan: &Cluster,
        node_image: Option<&str>,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<()> {
        let image = match node_image.or(plan.node_image.as_deref()) {
            Some(image) => image.to_string(),
            None => default_image(&self.run(&["version"]).output().await?.stdout).to_string(),
        };
        let args = [
            "create",
            "cluster",
            "--name",
            &self.cluster,
            "--image",
            &image,
            "--kubeconfig",
            &self.kubeconfig,
            "--config",
            "-",
        ];
        let run = self
            .run(&args)
            .stdin(config(plan.host_port).to_string())
            .deadline(CREATE_DEADLINE);
        let said = |line: &str| {
            if let Some(step) = line.trim().strip_prefix('•') {
                let words: String = step.chars().filter(char::is_ascii).collect();
                waiting(words.trim().trim_end_matches("...").trim().to_string());
            }
        };
        run.watched(said).await.map(|_| ()).map_err(|error| Error {
            what: format!("kind cluster {} can't be created", self.cluster),
            next: format!("docker pull {image}"),
            facts: std::iter::once(error.what).chain(error.facts).collect(),
            ..error
        })
    }

    /// Takes an image into the node's own store. An archive and not an image of Docker's: that would
    /// fail on arm64 (facts/local-clusters).
    pub async fn load(&self, archive: &Path) -> Result<()> {
        let archive = archive.to_string_lossy();
        let args = ["load", "image-archive", &archive, "--name", &self.cluster];
        self.run(&args)
            .deadline(LOAD_DEADLINE)
            .output()
            .await
            .map(|_| ())
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::new(&self.path, args).env("DOCKER_HOST", &self.docker_host)
    }

    pub async fn delete(&self) -> Result<()> {
        let args = [
            "delete",
            "cluster",
            "--name",
            &self.cluster,
            "--kubeconfig",
            &self.kubeconfig,
        ];
        self.run(&args).deadline(DELETE_DEADLINE).output().await?;
        // Without its cluster it would lead nowhere; that it is gone already is no fault.
        let _ = std::fs::remove_file(&self.kubeconfig);
        Ok(())
    }

    /// The kubeconfig of a cluster that somebody else made.
    pub async fn kubeconfig(&self) -> Result<String> {
        let args = ["get", "kubeconfig", "--name", &self.cluster];
        Ok(self.run(&args).output().await?.stdout)
    }
}

/// One node, the gateway's port on this machine alone.
fn config(host_port: u16) -> Value {
    json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{
            "role": "control-plane",
            "extraPortMappings": [{
                "containerPort": NODE_PORT,
                "hostPort": host_port,
                "listenAddress": LISTEN_ADDRESS,
                "protocol": "TCP",
            }],
        }],
    })
}

/// By what `kind version` prints: `kind v0.31.0 go1.25.5 linux/amd64`.
fn default_image(version: &str) -> &'static str {
    tool::node_image(version.split_whitespace().nth(1).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_image_is_for_the_kind_it_was_built_for() {
        let image = default_image("kind v0.31.0 go1.25.5 linux/amd64");
        assert!(image.starts_with("kindest/node:v1.35.0@sha256:"));
        assert_eq!(
            default_image("kind v0.30.0 go1.24.6 darwin/arm64"),
            "kindest/node:v1.34.0"
        );
        assert_eq!(default_image(""), "kindest/node:v1.34.0");
    }

    #[test]
    fn the_gateways_port_is_open_to_this_machine_alone() {
        let mapping = &config(8080)["nodes"][0]["extraPortMappings"][0];
        assert_eq!(mapping["listenAddress"], "127.0.0.1");
        assert_eq!(mapping["hostPort"], 8080);
    }
}
