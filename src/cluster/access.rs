//! The way to one cluster's API server: a kubeconfig of our own, or a context of the user's.

use crate::error::{Error, Exit, Result};
use crate::host::kubeconfig::{is_plain, merged, server, user_files};
use crate::host::proxy;
use crate::provider::bedrock::AWS_VARIABLES;
use crate::text;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub enum Access {
    /// A file whose only context it is: of a kind cluster that is ours.
    Own(PathBuf),
    /// A context of the user's. Its keys stay where they are: nothing of it is copied.
    Theirs(Theirs),
}

/// Which context of which kubeconfig, and where it led when the environment was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Theirs {
    /// Files in the form of KUBECONFIG, absolute.
    pub kubeconfig: String,
    pub context: String,
    /// The API server's address: the same name may lead elsewhere by now.
    pub server: String,
}

impl Theirs {
    /// The context as it is now.
    pub fn find(context: &str, server: &str) -> Self {
        let files = std::env::join_paths(user_files()).unwrap_or_default();
        Theirs {
            kubeconfig: files.to_string_lossy().into_owned(),
            context: context.to_string(),
            server: server.to_string(),
        }
    }

    /// The merged kubeconfig, if its context still leads to the same server.
    fn read(&self) -> Result<Kubeconfig> {
        let name = text::shell(&self.context);
        let files: Vec<PathBuf> = std::env::split_paths(&self.kubeconfig).collect();
        let file = merged(&files)?;
        match server(&file, &self.context) {
            Some(server) if server == self.server => Ok(file),
            Some(server) => {
                let what = format!("context {} leads to another cluster now", self.context);
                let next = format!("kubectl config view --minify --context {name}");
                let error = Error::new(what, next).exit(Exit::NoTarget);
                Err(error
                    .fact(format!("it leads to {server}"))
                    .fact(format!("the environment is at {}", self.server)))
            }
            None => {
                let what = format!("there is no context {} any more", self.context);
                let error = Error::new(what, "gw down --forget").exit(Exit::NoTarget);
                Err(error.fact(format!("in {}", self.kubeconfig)))
            }
        }
    }
}

impl Access {
    /// A client. Reads time out: a dead API server must not hold a command up. Watches set their own
    /// limits.
    pub async fn client(&self) -> Result<Client> {
        let (file, options, next) = match self {
            Access::Own(path) => (
                own(path)?,
                KubeConfigOptions::default(),
                "gw up".to_string(),
            ),
            Access::Theirs(theirs) => {
                let options = KubeConfigOptions {
                    context: Some(theirs.context.clone()),
                    ..KubeConfigOptions::default()
                };
                let name = text::shell(&theirs.context);
                (
                    theirs.read()?,
                    options,
                    format!("kubectl --context {name} get nodes"),
                )
            }
        };
        let unusable = |e: &(dyn std::error::Error + 'static)| {
            Error::new(format!("{} can't be used", self.title()), next.clone()).because(e)
        };
        let config = Config::from_custom_kubeconfig(file.clone(), &options).await;
        let mut config = config.map_err(|e| unusable(&e))?;
        proxy::except(&mut config, &file);
        if let Some(proxy) = &config.proxy_url {
            let host = config.cluster_url.host().unwrap_or_default();
            let what = format!("{} leads through a proxy, and gw can't", self.title());
            let error = Error::new(what, format!("export NO_PROXY=\"$NO_PROXY,{host}\""));
            let proxy = proxy.host().unwrap_or_default();
            return Err(error
                .fact(format!(
                    "HTTPS_PROXY or the kubeconfig names the proxy {proxy}"
                ))
                .fact(format!(
                    "gw asks API servers by themselves: {}",
                    config.cluster_url
                )));
        }
        config.connect_timeout = Some(Duration::from_secs(5));
        config.read_timeout = Some(Duration::from_secs(60));
        Client::try_from(config).map_err(|e| unusable(&e))
    }

    fn title(&self) -> String {
        match self {
            Access::Own(path) => path.display().to_string(),
            Access::Theirs(theirs) => format!("context {}", theirs.context),
        }
    }

    /// What `helm` is given to work on this cluster: arguments, and its KUBECONFIG where it needs one.
    pub fn helm(&self) -> (Vec<String>, Option<String>) {
        match self {
            Access::Own(path) => {
                let path = path.to_string_lossy().into_owned();
                (vec!["--kubeconfig".to_string(), path], None)
            }
            Access::Theirs(theirs) => {
                let context = ["--kube-context".to_string(), theirs.context.clone()];
                (context.to_vec(), Some(theirs.kubeconfig.clone()))
            }
        }
    }

    /// Variables by which the program that a context names logs in (`aws eks get-token`): who starts
    /// another that uses the context hands them on, and no others that hold keys.
    pub fn login_variables(&self) -> &'static [&'static str] {
        let by_program = |theirs: &Theirs| {
            let file = theirs.read();
            file.is_ok_and(|file| !is_plain(&file, &theirs.context))
        };
        match self {
            Access::Theirs(theirs) if by_program(theirs) => &AWS_VARIABLES,
            Access::Own(_) | Access::Theirs(_) => &[],
        }
    }

    /// A command of `kubectl` or `helm` that a person is to type must reach this cluster, not the one
    /// they work on. Any other, and one that says where already, is left as it is.
    pub fn here(&self, next: &str) -> String {
        const SAID: [&str; 3] = ["--kubeconfig", "--context", "--kube-context"];
        let Some((program, rest)) = next.split_once(' ') else {
            return next.to_string();
        };
        let says = rest.split([' ', '=']).any(|word| SAID.contains(&word));
        let flag = match (program, self) {
            ("kubectl" | "helm", _) if says => return next.to_string(),
            ("kubectl" | "helm", Access::Own(_)) => "--kubeconfig",
            ("kubectl", Access::Theirs(_)) => "--context",
            ("helm", Access::Theirs(_)) => "--kube-context",
            _ => return next.to_string(),
        };
        let place = match self {
            Access::Own(path) => path.to_string_lossy(),
            Access::Theirs(theirs) => theirs.context.as_str().into(),
        };
        format!("{program} {flag} {} {rest}", text::shell(&place))
    }

    /// Whether anything leads to the cluster still: a context that was taken away leads to none.
    pub fn is_there(&self) -> bool {
        match self {
            Access::Own(path) => path.exists(),
            Access::Theirs(theirs) => theirs.read().is_ok(),
        }
    }
}

fn own(path: &Path) -> Result<Kubeconfig> {
    Kubeconfig::read_from(path).map_err(|e| {
        let what = format!("{} can't be used", path.display());
        Error::new(what, "gw up --target kind").because(&e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theirs(folder: &Path, server: &str) -> Theirs {
        Theirs {
            kubeconfig: folder.join("config").to_string_lossy().into_owned(),
            context: "dev".into(),
            server: server.into(),
        }
    }

    #[test]
    fn a_command_to_be_typed_says_once_which_cluster_it_is_for() {
        let own = Access::Own(PathBuf::from("/my state/kubeconfig"));
        let theirs = Access::Theirs(theirs(Path::new("/"), ""));
        for (access, next, here) in [
            (
                &own,
                "kubectl get pods",
                "kubectl --kubeconfig '/my state/kubeconfig' get pods",
            ),
            (
                &own,
                "helm -n a rollback b",
                "helm --kubeconfig '/my state/kubeconfig' -n a rollback b",
            ),
            (
                &theirs,
                "kubectl get pods",
                "kubectl --context dev get pods",
            ),
            (&theirs, "helm list", "helm --kube-context dev list"),
            (&theirs, "kubelogin get-token", "kubelogin get-token"),
            (&theirs, "gw up", "gw up"),
        ] {
            assert_eq!(access.here(next), here);
            assert_eq!(access.here(here), here);
        }
        let elsewhere = "kubectl config view --kubeconfig=/a";
        assert_eq!(theirs.here(elsewhere), elsewhere);
    }

    #[test]
    fn a_context_that_leads_elsewhere_by_now_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = "contexts: [{name: dev, context: {cluster: c, user: u}}]\n\
            clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
            users: [{name: u, user: {token: t}}]\n";
        std::fs::write(folder.path().join("config"), file).unwrap();
        assert!(theirs(folder.path(), "https://127.0.0.1:1").read().is_ok());
        let moved = theirs(folder.path(), "https://127.0.0.1:2")
            .read()
            .unwrap_err();
        assert!(
            moved.what.contains("leads to another cluster now"),
            "{moved}"
        );
        std::fs::write(folder.path().join("config"), "contexts: []\n").unwrap();
        let gone = theirs(folder.path(), "https://127.0.0.1:1");
        assert_eq!(gone.read().unwrap_err().next, "gw down --forget");
        assert!(!Access::Theirs(gone).is_there());
    }
}
