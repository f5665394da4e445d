//! A home with this machine's Docker, and a kind cluster of its own that goes with it.

use super::home::{Home, Said, said};
use std::process::Command;

/// Variables of this machine that lead to its Docker, and to what the outside world is here.
const PASSED_ON: [&str; 4] = [
    "GW_NODE_IMAGE",
    "SSL_CERT_FILE",
    "KIND_EXPERIMENTAL_DOCKER_NETWORK",
    "DOCKER_HOST",
];

pub struct Kind {
    pub home: Home,
    pub cluster: String,
    variables: Vec<(&'static str, String)>,
}

impl Kind {
    pub fn new(name: &str) -> Self {
        let cluster = format!("gw-test-{name}-{}", std::process::id());
        let variables = vec![
            ("GW_CLUSTER", cluster.clone()),
            ("GW_TARGET", "kind".to_string()),
        ];
        Kind {
            home: Home::new(),
            cluster,
            variables,
        }
    }

    /// A variable for every command.
    #[allow(dead_code, reason = "each test program uses a part of it")]
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.env_remove("DOCKER_HOST");
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.variables.iter().cloned());
        command
    }

    pub fn gw(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Another program, on this cluster.
    pub fn run(&self, program: &str, args: &[&str]) -> Said {
        let kubeconfig = self.home.environment().join("kubeconfig");
        let mut command = Command::new(program);
        command.arg("--kubeconfig").arg(kubeconfig).args(args);
        said(command.output().unwrap())
    }

    pub fn kubectl(&self, args: &[&str]) -> Said {
        self.run("kubectl", args)
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        let _ = self.command(&["down", "--yes"]).output();
        let _ = Command::new("kind")
            .args(["delete", "cluster", "--name", &self.cluster])
            .output();
    }
}
