//! Calls to upstreams: one pool of connections for plain HTTP, one for each TLS setting, shared by all requests.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{
    ConfigBuilderExt, FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder,
};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use super::body::AnyBody;
use super::config::{Origin, Tls};
use super::grpc::GrpcClient;
use super::refusal::Refusal;
use super::resolver::{Resolver, Unresolved};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 128;

type PlainClient = Client<HttpConnector<Resolver>, AnyBody>;
type SecureClient = Client<HttpsConnector<HttpConnector<Resolver>>, AnyBody>;

pub(super) struct Transport {
    plain: PlainClient,
    connector: HttpConnector<Resolver>,
    grpc: GrpcClient,
    secure: Mutex<HashMap<Tls, SecureClient>>,
    /// Loaded when the first TLS call is made: reading the system's roots takes time and memory.
    tls: OnceCell<ClientConfig>,
    roots: Option<RootCertStore>,
}

impl Transport {
    /// `roots` stand in for the system's.
    pub fn new(resolver: Resolver, roots: Option<RootCertStore>) -> Transport {
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Transport {
            plain: pool().build(connector.clone()),
            grpc: pool().http2_only(true).build(connector.clone()),
            connector,
            secure: Mutex::default(),
            tls: OnceCell::new(),
            roots,
        }
    }

    /// For calls that policies make over gRPC.
    pub fn grpc(&self) -> &GrpcClient {
        &self.grpc
    }

    /// Sends a request whose URI is still a path only.
    pub async fn send(
        &self,
        origin: &Origin,
        mut request: Request<AnyBody>,
    ) -> Result<Response<Incoming>, Refusal> {
        let Some(dial) = pick(&origin.dial) else {
            return Err(Refusal::no_healthy_backends());
        };
        let scheme = if origin.tls.is_some() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        let path = request.uri().path_and_query().cloned();
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(dial.clone())
            .path_and_query(path.unwrap_or(PathAndQuery::from_static("/")));
        *request.uri_mut() = uri.build().map_err(Refusal::invalid)?;
        let answer = match &origin.tls {
            None => self.plain.request(request).await,
            Some(tls) => self.secure(tls).await?.request(request).await,
        };
        answer.map_err(|error| failure(&error))
    }

    async fn secure(&self, tls: &Tls) -> Result<SecureClient, Refusal> {
        let lock = || self.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = lock().get(tls) {
            return Ok(client.clone());
        }
        let roots = self.roots.clone();
        let load = || async move {
            let loaded = tokio::task::spawn_blocking(move || tls_config(roots)).await;
            loaded.map_err(io::Error::other)?
        };
        let config = self.tls.get_or_try_init(load).await;
        let config = config.map_err(|error| Refusal::upstream(&format!("Connect: {error}")))?;
        let builder = HttpsConnectorBuilder::new()
            .with_tls_config(config.clone())
            .https_only();
        let builder = match &tls.server_name {
            None => builder.enable_http1(),
            Some(name) => builder
                .with_server_name_resolver(FixedServerNameResolver::new(name.clone()))
                .enable_http1(),
        };
        let client = pool().build(builder.wrap_connector(self.connector.clone()));
        Ok(lock().entry(tls.clone()).or_insert(client).clone())
    }
}

fn pool() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .set_host(false);
    builder
}

pub(super) fn pick<T>(items: &[T]) -> Option<&T> {
    match items {
        [] => None,
        [only] => Some(only),
        _ => items.get(rand::random_range(0..items.len())),
    }
}

fn tls_config(roots: Option<RootCertStore>) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    match roots {
        Some(roots) => Ok(config.with_root_certificates(roots).with_no_client_auth()),
        None => Ok(config.with_native_roots()?.with_no_client_auth()),
    }
}

/// The real proxy's words for a call that failed (facts 9.7).
fn failure(error: &ClientError) -> Refusal {
    let mut io = None;
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    let mut last = error.to_string();
    while let Some(inner) = cause {
        if inner.is::<Unresolved>() {
            return Refusal::dns();
        }
        io = io.or(inner.downcast_ref::<io::Error>());
        last = inner.to_string();
        cause = inner.source();
    }
    match (error.is_connect(), io) {
        (true, Some(io)) => Refusal::upstream(&format!("Connect: {io}")),
        (true, None) => Refusal::upstream(&format!("Connect: {last}")),
        (false, _) => Refusal::upstream(&format!("SendRequest: {last}")),
    }
}
