//! Doors for tools of operation, on loopback only: readiness, metrics, configuration, on the ports of
//! the real proxy where they are free (facts 3).

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::host;
use super::state::Gateway;
use crate::secret::redact;

/// Callers of one door at once; more wait.
const CALLERS: usize = 16;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Beside every gateway of this machine there is room for the doors of another.
const TRIES: u16 = 30;
const DISTANCE: u16 = 30;
const BREATH: Duration = Duration::from_millis(50);

/// Ports that are tried first; 0 takes any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorPorts {
    pub ready: u16,
    pub metrics: u16,
    pub config: u16,
}

impl Default for DoorPorts {
    fn default() -> DoorPorts {
        DoorPorts {
            ready: 15021,
            metrics: 15020,
            config: 15000,
        }
    }
}

/// Open doors; they close when this is dropped.
pub struct Doors {
    ready: SocketAddr,
    metrics: SocketAddr,
    config: SocketAddr,
    tasks: Vec<AbortHandle>,
}

#[derive(Debug, Clone, Copy)]
enum Door {
    Ready,
    Metrics,
    Config,
}

impl Doors {
    /// Opens all three. A taken port is no failure: another one is taken, and `urls` tells which.
    pub async fn open(gateway: &Arc<Gateway>, ports: DoorPorts) -> io::Result<Doors> {
        let mut tasks = Vec::new();
        let mut open = async |door: Door, port: u16| {
            let listener = bind(port).await?;
            let address = listener.local_addr()?;
            let task = tokio::spawn(serve(listener, gateway.clone(), door));
            tasks.push(task.abort_handle());
            Ok::<_, io::Error>(address)
        };
        let ready = open(Door::Ready, ports.ready).await?;
        let metrics = open(Door::Metrics, ports.metrics).await?;
        let config = open(Door::Config, ports.config).await?;
        Ok(Doors {
            ready,
            metrics,
            config,
            tasks,
        })
    }

    /// Where to ask: `ready`, `metrics` and `configDump`.
    pub fn urls(&self) -> Value {
        json!({
            "ready": format!("http://{}/healthz/ready", self.ready),
            "metrics": format!("http://{}/metrics", self.metrics),
            "configDump": format!("http://{}/config_dump", self.config),
        })
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// The port, else one at some distance from it: those that a system hands out by itself are left to others.
async fn bind(port: u16) -> io::Result<TcpListener> {
    for port in (0..TRIES).filter_map(|turn| port.checked_add(turn * DISTANCE)) {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return Ok(listener);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

async fn serve(listener: TcpListener, gateway: Arc<Gateway>, door: Door) {
    let callers = Arc::new(Semaphore::new(CALLERS));
    loop {
        let permit = callers.clone().acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let gateway = gateway.clone();
        let service = service_fn(move |request| {
            let gateway = gateway.clone();
            async move { Ok::<_, Infallible>(answer(&gateway, door, &request).await) }
        });
        tokio::spawn(async move {
            // A caller that hangs up is the caller's affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(permit);
        });
    }
}

async fn answer(
    gateway: &Gateway,
    door: Door,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    let host = request.headers().get(http::header::HOST);
    let host = host::host_only(host.and_then(|host| host.to_str().ok()).unwrap_or(""));
    // A page from anywhere can point a name of its own here, and read the answer (DNS rebinding).
    if !host::is_local(&host) {
        return text(
            StatusCode::MISDIRECTED_REQUEST,
            "this door answers to localhost only",
        );
    }
    match (door, request.uri().path()) {
        (Door::Ready, "/healthz/ready") => match gateway.is_ready().await {
            true => text(StatusCode::OK, "ready"),
            false => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "not ready, pending: state manager",
            ),
        },
        (Door::Metrics, "/metrics" | "/stats/prometheus") => {
            text(StatusCode::OK, gateway.metrics())
        }
        (Door::Config, "/config_dump") => {
            let dump = json!({
                "version": env!("CARGO_PKG_VERSION"),
                "listeners": listeners(gateway).await,
                "objects": gateway.objects().await.iter().map(redact::object).collect::<Vec<_>>(),
            });
            let mut answer = text(StatusCode::OK, format!("{dump:#}\n"));
            let json = HeaderValue::from_static("application/json");
            answer.headers_mut().insert(CONTENT_TYPE, json);
            answer
        }
        _ => text(StatusCode::NOT_FOUND, "not found"),
    }
}

async fn listeners(gateway: &Gateway) -> Vec<Value> {
    let listeners = gateway.listeners().await.into_iter();
    let shown = listeners.map(|at| {
        json!({
            "gateway": at.gateway,
            "name": at.name,
            "hostname": at.hostname,
            "port": at.port,
            "address": at.address.to_string(),
        })
    });
    shown.collect()
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
