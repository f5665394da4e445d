//! Calls to upstreams: connections for plain HTTP, for each TLS setting, and for each address that speaks
//! HTTP/2, shared by all requests.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper_rustls::{
    DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, ResolveServerName,
};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::sync::OnceCell;
use tower_service::Service;

use super::body::AnyBody;
use super::config::Origin;
use super::refusal::Refusal;
use super::resolver::{Resolver, Unresolved};
use super::tls::Tls;
use super::wire::Wires;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// HTTP/2 clients that are kept, one for each address.
const MULTIPLEXED: usize = 256;

type Plain = Wires<HttpConnector<Resolver>>;
type Secure = Wires<HttpsConnector<HttpConnector<Resolver>>>;
type MultiplexedClient = Client<HttpsConnector<Dial>, AnyBody>;

pub(super) struct Transport {
    plain: Plain,
    connector: HttpConnector<Resolver>,
    secure: Mutex<HashMap<Tls, Arc<Secure>>>,
    multiplexed: Mutex<HashMap<(Option<Tls>, Authority), MultiplexedClient>>,
    /// Loaded when the first TLS call is made: reading the system's roots takes time and memory.
    system: OnceCell<RootCertStore>,
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
            plain: Wires::new(connector.clone()),
            connector,
            secure: Mutex::default(),
            multiplexed: Mutex::default(),
            system: OnceCell::new(),
            roots,
        }
    }

    /// Sends a request whose URI is still a path only.
    pub async fn send(
        &self,
        origin: &Origin,
        request: Request<AnyBody>,
    ) -> Result<Response<AnyBody>, Refusal> {
        let Some(dial) = pick(&origin.dial) else {
            return Err(Refusal::no_healthy_backends());
        };
        let answer = match (&origin.tls, origin.http2) {
            (None, false) => self.plain.send(Scheme::HTTP, dial, request).await,
            (Some(tls), false) => {
                let secure = self.secure(tls).await?;
                secure.send(Scheme::HTTPS, dial, request).await
            }
            (tls, true) => return self.share(tls.as_ref(), dial, request).await,
        };
        answer.map_err(|lost| {
            let (what, error) = lost.error();
            failure(what, error)
        })
    }

    /// Sends a request over the HTTP/2 connection to an address.
    async fn share(
        &self,
        tls: Option<&Tls>,
        dial: &Authority,
        mut request: Request<AnyBody>,
    ) -> Result<Response<AnyBody>, Refusal> {
        // In HTTP/2 the authority is what HTTP/1 says in Host.
        let host = request.headers_mut().remove(HOST);
        let named = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let scheme = match tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        };
        let path = request.uri().path_and_query().cloned();
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(named.unwrap_or_else(|| dial.clone()))
            .path_and_query(path.unwrap_or(PathAndQuery::from_static("/")));
        *request.uri_mut() = uri.build().map_err(Refusal::invalid)?;
        let client = self.multiplexed(tls, dial).await?;
        let answer = client.request(request).await;
        let answer = answer.map_err(|error| {
            let what = match error.is_connect() {
                true => "Connect",
                false => "SendRequest",
            };
            failure(what, error.source().unwrap_or(&error))
        })?;
        Ok(answer.map(AnyBody::Incoming))
    }

    async fn secure(&self, tls: &Tls) -> Result<Arc<Secure>, Refusal> {
        let lock = || self.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = lock().get(tls) {
            return Ok(client.clone());
        }
        let names: Arc<dyn ResolveServerName + Send + Sync> = match &tls.server_name {
            Some(name) => Arc::new(FixedServerNameResolver::new(name.clone())),
            None => Arc::new(DefaultServerNameResolver::default()),
        };
        let config = self.config(tls, b"http/1.1").await?;
        let connector = HttpsConnector::new(self.connector.clone(), config, true, names);
        let wires = Arc::new(Wires::new(connector));
        Ok(lock().entry(tls.clone()).or_insert(wires).clone())
    }

    async fn multiplexed(
        &self,
        tls: Option<&Tls>,
        dial: &Authority,
    ) -> Result<MultiplexedClient, Refusal> {
        let key = (tls.cloned(), dial.clone());
        let lock = || {
            let clients = self.multiplexed.lock();
            clients.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(client) = lock().get(&key) {
            return Ok(client.clone());
        }
        let to = Uri::builder()
            .scheme(if tls.is_some() { "https" } else { "http" })
            .authority(dial.clone())
            .path_and_query("/");
        let http = Dial {
            connector: self.connector.clone(),
            to: to.build().map_err(Refusal::invalid)?,
        };
        let dialled = dial.host().trim_matches(['[', ']']).to_string();
        // Plain HTTP never looks at these, so they must not cost reading the roots.
        let unused = Tls::unverified();
        let tls = tls.unwrap_or(&unused);
        let name = match &tls.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(dialled).map_err(Refusal::invalid)?,
        };
        let config = self.config(tls, b"h2").await?;
        let names = Arc::new(FixedServerNameResolver::new(name));
        let connector = HttpsConnector::new(http, config, false, names);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .set_host(false)
            .http2_only(true)
            .build(connector);
        let mut clients = lock();
        // Where hosts are named by clients there may be any number of them.
        if clients.len() >= MULTIPLEXED {
            clients.clear();
        }
        Ok(clients.entry(key).or_insert(client).clone())
    }

    /// What calls in one protocol are made with.
    pub(super) async fn config(
        &self,
        tls: &Tls,
        protocol: &[u8],
    ) -> Result<rustls::ClientConfig, Refusal> {
        let system = match tls.needs_system_roots() {
            false => RootCertStore::empty(),
            true => {
                let roots = self.roots.clone();
                let load = || async move {
                    let loaded = tokio::task::spawn_blocking(move || system_roots(roots)).await;
                    loaded.map_err(io::Error::other)?
                };
                let system = self.system.get_or_try_init(load).await;
                system.map_err(broken)?.clone()
            }
        };
        tls.config(system, protocol).map_err(broken)
    }
}

/// Connects to one address, whatever the request's authority says.
#[derive(Clone)]
struct Dial {
    connector: HttpConnector<Resolver>,
    to: Uri,
}

impl Service<Uri> for Dial {
    type Response = <HttpConnector<Resolver> as Service<Uri>>::Response;
    type Error = <HttpConnector<Resolver> as Service<Uri>>::Error;
    type Future = <HttpConnector<Resolver> as Service<Uri>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        self.connector.call(self.to.clone())
    }
}

fn broken(error: io::Error) -> Refusal {
    Refusal::upstream(&format!("Connect: {error}"))
}

fn pick<T>(items: &[T]) -> Option<&T> {
    match items {
        [] => None,
        [only] => Some(only),
        _ => items.get(rand::random_range(0..items.len())),
    }
}

fn system_roots(instead: Option<RootCertStore>) -> io::Result<RootCertStore> {
    if let Some(roots) = instead {
        return Ok(roots);
    }
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (valid, _) = roots.add_parsable_certificates(loaded.certs);
    match valid {
        0 => Err(io::Error::other("this system has no root certificates")),
        _ => Ok(roots),
    }
}

/// The real proxy's words for a call that failed (facts 9.7).
fn failure(what: &str, error: &(dyn StdError + 'static)) -> Refusal {
    let mut io = None;
    let mut last = error.to_string();
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Unresolved>() {
            return Refusal::dns();
        }
        io = io.or(error.downcast_ref::<io::Error>());
        last = error.to_string();
        cause = error.source();
    }
    let first = io.filter(|_| what == "Connect").map(io::Error::to_string);
    Refusal::upstream(&format!("{what}: {}", first.unwrap_or(last)))
}
