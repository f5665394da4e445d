//! The background processes of this binary. Each says on one line of stdout that it is ready.

use super::Outcome;
use crate::cli::{self, Doors};
use crate::cluster::access::{Access, Theirs};
use crate::cluster::forward::Forward;
use crate::cluster::relay::Relay;
use crate::error::{Error, Result};
use crate::gateway::bridge::{Bridge, settings};
use crate::gateway::ends::Ends;
use crate::gateway::processor::serve_processor;
use crate::gateway::{DoorPorts, RotatingFile, ServeOptions, serve};
use crate::host::port;
use crate::host::subnet::Subnet;
use std::io::Write;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

pub async fn gateway(socket: PathBuf, log: Option<PathBuf>, doors: &Doors) -> Outcome {
    let said = socket.to_string_lossy().into_owned();
    let log = opened(log)?;
    let options = ServeOptions {
        socket,
        log,
        doors: ports(doors),
        // Nobody waiting is no reason to end: the gateway is there for its callers.
        ready: Box::new(move || drop(ready(&said))),
    };
    serve(options).await?;
    Ok(None)
}

/// Where a process of ours writes its log: stderr, or a file that is put aside when it has grown.
pub(super) fn opened(log: Option<PathBuf>) -> Result<Box<dyn Write + Send>> {
    Ok(match log {
        None => Box::new(std::io::stderr()),
        Some(path) => Box::new(RotatingFile::open(&path).map_err(|e| {
            let what = format!("the log {} can't be opened", path.display());
            Error::new(what, "gw status").because(&e)
        })?),
    })
}

/// Ends when it is told to, and all that it runs with it.
pub async fn bridge(listen: SocketAddrV4, log: Option<PathBuf>) -> Outcome {
    let settings = settings::read(std::io::stdin().lock());
    let settings = settings.map_err(|why| Error::usage(why, "gw up"))?;
    let listener = port::listen("the bridge", listen).await?;
    let failed = |e: std::io::Error| Error::new("the bridge ended", "gw up").because(&e);
    let mut ends = Ends::new().map_err(failed)?;
    let shutdown = async move { _ = ends.next().await };
    let bridge = Bridge::new(settings, opened(log)?);
    ready(&listener.local_addr().map_err(failed)?.to_string())?;
    bridge.serve(listener, shutdown).await.map_err(failed)?;
    Ok(None)
}

pub fn ports(doors: &Doors) -> DoorPorts {
    DoorPorts {
        ready: doors.ready_port,
        metrics: doors.metrics_port,
        config: doors.config_port,
    }
}

pub async fn relay(
    listen: SocketAddrV4,
    to: SocketAddrV4,
    allow: &str,
    (whole, raw): (bool, bool),
    log: Option<PathBuf>,
) -> Outcome {
    let allow: Subnet = allow
        .parse()
        .map_err(|why: String| Error::usage(why, "gw up"))?;
    if !allow.is_part_of_v4() {
        let what = "a relay takes the sources of one IPv4 network, such as 172.18.0.0/16";
        return Err(Error::usage(what, "gw up"));
    }
    let relay = Relay {
        listen,
        to,
        allow,
        whole,
        raw,
    };
    let listener = port::listen("the relay", relay.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|e| Error::new("the relay has no address", "gw up").because(&e))?;
    ready(&address.to_string())?;
    relay.serve(listener, lines(opened(log)?)).await;
    Ok(None)
}

pub async fn forward(options: cli::Forward) -> Outcome {
    let forward = Forward {
        access: Access::Theirs(Theirs {
            kubeconfig: options.kubeconfig,
            context: options.context,
            server: options.server,
        }),
        namespace: options.namespace,
        gateway: options.gateway,
        port: options.listen.port(),
    };
    let listener = port::listen("the port-forward", options.listen).await?;
    ready(&options.listen.to_string())?;
    forward.serve(listener, lines(opened(options.log)?)).await;
    Ok(None)
}

pub async fn processor(listen: SocketAddrV4, log: Option<PathBuf>) -> Outcome {
    let hint = "gw processor --listen 127.0.0.1:0";
    let failed = |e: std::io::Error| Error::new("the processor can't listen", hint).because(&e);
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    lines(opened(log)?)(format!("listens on {address}"));
    ready(&address.to_string())?;
    // It ends with its process: the command's own signals end it.
    serve_processor(listener, std::future::pending()).await;
    Ok(None)
}

pub(super) fn ready(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    said.map_err(|e| Error::new("nobody waits for this process", "gw up").because(&e))
}

fn lines(log: Box<dyn Write + Send>) -> impl Fn(String) + Clone + Send + Sync {
    let log = Arc::new(Mutex::new(log));
    move |line| {
        let at = k8s_openapi::jiff::Timestamp::now();
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that can't be written is no reason to carry nothing.
        let _ = log.write_all(format!("{at} {line}\n").as_bytes());
    }
}
