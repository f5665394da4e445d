//! The certificate of the stand-in for the providers' own hosts. The key is for tests only; nothing trusts it but they.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

pub const CA: &[u8] = include_bytes!("../recordings/tls/ca.pem");
pub const CERTIFICATE: &[u8] = include_bytes!("../recordings/tls/cert.pem");
pub const KEY: &[u8] = include_bytes!("../recordings/tls/key.pem");

/// The names that the certificate is for.
pub const NAMES: [&str; 6] = [
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "my-resource.openai.azure.com",
    "us-east5-aiplatform.googleapis.com",
    "bedrock-runtime.us-east-1.amazonaws.com",
];

pub fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(CA).unwrap())
        .unwrap();
    roots
}

pub fn acceptor() -> tokio_rustls::TlsAcceptor {
    server(None).into()
}

/// A server's configuration; `clients` says whose certificates it asks for.
pub fn server(clients: Option<Arc<dyn ClientCertVerifier>>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients),
    };
    let config = builder.with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}
