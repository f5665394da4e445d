//! The `kind` program: makes and deletes clusters.

use crate::error::{Error, Result};
use crate::exec::{Run, find};
use crate::host::docker;
use crate::plan::{Cluster, NODE_PORT};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const INSTALL: &str = "go install sigs.k8s.io/kind@v0.31.0";
/// Pulling a node image of a gigabyte over a slow line is part of it.
const CREATE_DEADLINE: Duration = Duration::from_secs(900);
const DELETE_DEADLINE: Duration = Duration::from_secs(120);
/// The default that kind v0.31 carries (kind pkg/apis/config/defaults/image.go); its digest is that
/// of an image built for that kind.
const IMAGE_FOR_KIND_0_31: &str =
    "kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f";
/// Inside what v2.2 supports (facts 1.1), for every other kind.
const IMAGE_FOR_OTHER_KINDS: &str = "kindest/node:v1.34.0";

pub struct Program {
    path: PathBuf,
    cluster: String,
    /// The environment's own: the user's kubeconfig is changed by us alone.
    kubeconfig: String,
    /// The engine on which we look for the cluster.
    docker_host: String,
}

impl Program {
    pub async fn find(cluster: &str, kubeconfig: PathBuf) -> Result<Self> {
        Ok(Program {
            path: find("kind", INSTALL)?,
            docker_host: docker::engine().await?.0,
            cluster: cluster.to_string(),
            kubeconfig: kubeconfig.to_string_lossy().into_owned(),
        })
    }

    /// Creates the cluster; `waiting` is told of each of kind's own steps.
    pub async fn create(
        &self,
        plan: &Cluster,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<()> {
        let image = match &plan.node_image {
            Some(image) => image.clone(),
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

/// One node, the gateway's port on 127.0.0.1 alone (facts 15.13).
fn config(host_port: u16) -> Value {
    json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{
            "role": "control-plane",
            "extraPortMappings": [{
                "containerPort": NODE_PORT,
                "hostPort": host_port,
                "listenAddress": "127.0.0.1",
                "protocol": "TCP",
            }],
        }],
    })
}

/// By what `kind version` prints: `kind v0.31.0 go1.25.5 linux/amd64`.
fn default_image(version: &str) -> &'static str {
    match version.split_whitespace().nth(1) {
        Some(version) if version.starts_with("v0.31.") => IMAGE_FOR_KIND_0_31,
        _ => IMAGE_FOR_OTHER_KINDS,
    }
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
