//! What calls to an API server answer, in words.

use crate::error::{Error, Result};
use kube::Client;
use std::time::{Duration, Instant};

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

/// The API server's version, as soon as it tells; `next` is what to do where it never does.
pub async fn version(
    client: &Client,
    patience: Duration,
    waiting: &(dyn Fn(String) + Send + Sync),
    next: &str,
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
                return Err(refused(what, &e, next));
            }
            Err(_) => {
                waiting("the API server does not answer yet".to_string());
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
