//! `gw mock`: the mock provider in the foreground, and the process that `up` starts.

use super::Outcome;
use super::service::{opened, ready};
use crate::cli;
use crate::error::{Error, Result};
use crate::gateway::ends::Ends;
use crate::gateway::mock::{Keys, Mock};
use std::fs;
use tokio::net::TcpListener;

const KEYS: &str = "GW_MOCK_KEYS";

pub async fn run(options: &cli::Mock) -> Outcome {
    let keys = keys(options)?;
    let listener = TcpListener::bind(options.listen).await.map_err(|e| {
        let what = format!("the mock provider can't listen on {}", options.listen);
        Error::new(what, "gw mock --listen 127.0.0.1:0").because(&e)
    })?;
    let failed = |e: std::io::Error| Error::new("the mock provider ended", "gw mock").because(&e);
    let mut ends = Ends::new().map_err(failed)?;
    let shutdown = async move { _ = ends.next().await };
    ready(&listener.local_addr().map_err(failed)?.to_string())?;
    let mock = Mock::new(keys).log(opened(options.log.clone())?);
    mock.serve(listener, shutdown).await.map_err(failed)?;
    Ok(None)
}

/// The keys to take, never from the command line, which everybody on a machine can read.
fn keys(options: &cli::Mock) -> Result<Keys> {
    if options.keyless {
        return Ok(Keys::Unasked);
    }
    let Some(path) = &options.keys else {
        return Ok(Keys::read(&std::env::var(KEYS).unwrap_or_default()));
    };
    let text = fs::read_to_string(path).map_err(|e| {
        let what = format!("the keys in {} can't be read", path.display());
        Error::usage(what, format!("ls -l {}", path.display())).because(&e)
    })?;
    match Keys::read(&text) {
        Keys::Unasked => {
            let what = format!("{} has no key in it", path.display());
            Err(Error::usage(what, "gw mock --help"))
        }
        keys => Ok(keys),
    }
}
