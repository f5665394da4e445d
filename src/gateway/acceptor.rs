//! TLS to clients: each connection gets the certificate of the listener whose hostname it asks for,
//! as it is configured at that moment.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::choose;
use super::plane::Plane;

/// What accepts connections on a port; none where the machine's TLS can't be set up at all.
pub(super) fn new(plane: &Arc<Plane>, port: u16) -> Option<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let mut config = config
        .with_safe_default_protocol_versions()
        .ok()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Certificates {
            plane: plane.clone(),
            port,
        }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Some(Arc::new(config).into())
}

struct Certificates {
    plane: Arc<Plane>,
    port: u16,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificates of port {}", self.port)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello) -> Option<Arc<CertifiedKey>> {
        let config = self.plane.config();
        let listeners = config.listeners.get(&self.port)?;
        // A client that names no host gets a listener that takes every one.
        let name = hello.server_name().unwrap_or("");
        choose::listener(listeners, name)?.certificate.clone()
    }
}
