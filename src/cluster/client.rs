//! A connection to one cluster, from our own kubeconfig.

use crate::error::{Error, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A client for the only context of a kubeconfig file. Reads time out: a dead API server must not
/// hold a command up. Watches set their own limits.
pub async fn connect(kubeconfig: PathBuf) -> Result<Client> {
    let unusable = |e: &(dyn std::error::Error + 'static)| {
        Error::new(
            format!("{} can't be used", kubeconfig.display()),
            "gw up --target kind",
        )
        .because(e)
    };
    let file = Kubeconfig::read_from(&kubeconfig).map_err(|e| unusable(&e))?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(|e| unusable(&e))?;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = Some(Duration::from_secs(60));
    Client::try_from(config).map_err(|e| unusable(&e))
}

/// A failed call to the API server, as facts.
pub fn refused(what: impl Into<String>, error: &kube::Error, next: impl Into<String>) -> Error {
    let result = Error::new(what, next);
    match error {
        kube::Error::Api(status) => result.fact(format!(
            "the API server answered {}: {}",
            status.code, status.message
        )),
        other => result.because(other),
    }
}

/// Whether a call failed because the thing, or its kind, is not there.
pub fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// The API server's version, as soon as it tells.
pub async fn version(
    client: &Client,
    patience: Duration,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<String> {
    let start = Instant::now();
    loop {
        match client.apiserver_version().await {
            Ok(version) => return Ok(version.git_version),
            Err(e) if start.elapsed() > patience => {
                let what = format!(
                    "the API server does not answer after {}",
                    crate::text::duration(patience)
                );
                return Err(refused(
                    what,
                    &e,
                    "docker ps --filter label=io.x-k8s.kind.cluster",
                ));
            }
            Err(_) => {
                waiting("the API server does not answer yet".to_string());
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
