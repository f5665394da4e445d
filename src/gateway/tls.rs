//! TLS to upstreams: what `policies.tls` asks for, made into a client's configuration (facts 5, 6).

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// How an upstream is spoken to over TLS. Equal settings share their connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tls {
    /// The name to ask for and to verify, where it is not the dialled one.
    pub server_name: Option<ServerName<'static>>,
    pub verify: Verify,
    /// Trusted instead of the system's.
    pub roots: Option<Arc<[CertificateDer<'static>]>>,
    pub identity: Option<Identity>,
    /// Protocols to offer, in order, instead of the one that the call is made in.
    pub alpn: Vec<Vec<u8>>,
}

/// What an upstream's certificate is held against.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Verify {
    /// A trusted root and the name.
    #[default]
    Name,
    /// A trusted root and one of these names instead.
    Names(Vec<ServerName<'static>>),
    /// A trusted root only.
    Chain,
    Nothing,
}

/// The certificate that an upstream is shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// Reads PEM; the error says nothing of its content.
    pub fn read(certificate: &str, key: &str) -> Result<Identity, String> {
        let chain = certificates(certificate)?;
        PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "no private key in it")?;
        let key = key.as_bytes().to_vec();
        Ok(Identity { chain, key })
    }
}

/// Reads one certificate or more from PEM.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err("no certificate in it".to_string()),
        Err(error) => Err(error.to_string()),
    }
}

impl Tls {
    /// Takes whatever certificate comes.
    pub(super) fn unverified() -> Tls {
        Tls {
            verify: Verify::Nothing,
            ..Tls::default()
        }
    }

    /// The configuration for calls in one protocol; `system` is trusted where nothing else is named.
    pub(super) fn config(
        &self,
        system: RootCertStore,
        protocol: &[u8],
    ) -> io::Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = match &self.roots {
            None => system,
            Some(named) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(named.iter().cloned());
                roots
            }
        };
        let verifier = self.verifier(Arc::new(roots), &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(io::Error::other)?;
                builder
                    .with_client_auth_cert(identity.chain.clone(), key)
                    .map_err(io::Error::other)?
            }
        };
        config.alpn_protocols = match self.alpn.is_empty() {
            true => vec![protocol.to_vec()],
            false => self.alpn.clone(),
        };
        Ok(config)
    }

    /// Whether the system's roots are looked at.
    pub(super) fn needs_system_roots(&self) -> bool {
        self.roots.is_none() && self.verify != Verify::Nothing
    }

    fn verifier(
        &self,
        roots: Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
    ) -> io::Result<Arc<dyn ServerCertVerifier>> {
        if self.verify == Verify::Nothing {
            return Ok(Arc::new(Trusting(provider.clone())));
        }
        let strict = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(io::Error::other)?;
        Ok(match &self.verify {
            Verify::Name | Verify::Nothing => strict,
            Verify::Chain => Arc::new(Relaxed {
                strict,
                names: None,
            }),
            Verify::Names(names) => Arc::new(Relaxed {
                strict,
                names: Some(names.clone()),
            }),
        })
    }
}

/// Takes a certificate for another name than the dialled one: one of some names, or any at all.
#[derive(Debug)]
struct Relaxed {
    strict: Arc<WebPkiServerVerifier>,
    names: Option<Vec<ServerName<'static>>>,
}

impl ServerCertVerifier for Relaxed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        dialled: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |name: &ServerName<'_>| {
            self.strict
                .verify_server_cert(certificate, chain, name, ocsp, now)
        };
        let Some(names) = &self.names else {
            // The name is looked at last, so this is all that is wrong.
            return match verify(dialled) {
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                )) => Ok(ServerCertVerified::assertion()),
                other => other,
            };
        };
        let mut outcome = Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        for name in names {
            outcome = verify(name);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

/// Takes any certificate (`insecureSkipVerify: All`), as long as the upstream has its key.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
