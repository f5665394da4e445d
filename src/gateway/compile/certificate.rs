//! The certificate of an HTTPS listener (facts 4.2).

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde_json::Value;

use super::reference::granted;
use super::status::Problem;
use crate::gateway::object::{World, list, namespace, text, text_or};

const INVALID: &str = "InvalidCertificateRef";

/// The one certificate that a listener refers to, or the condition that says why there is none.
pub(super) fn read(
    world: &World,
    gateway: &Value,
    listener: &Value,
) -> Result<Arc<CertifiedKey>, Problem> {
    let [reference] = list(listener, &["tls", "certificateRefs"]) else {
        let message = "exactly 1 certificateRefs should be present for TLS termination";
        return Err(Problem::soft(INVALID, message));
    };
    let word = |field: &str| text(reference, &[field]);
    let (group, kind, name, written) =
        (word("group"), word("kind"), word("name"), word("namespace"));
    let invalid = |why: String| {
        let message =
            format!("invalid certificate reference {group}/{kind}/{name}.{written}, {why}");
        Problem::soft(INVALID, message)
    };
    let own = namespace(gateway);
    let place = text_or(reference, &["namespace"], own);
    if !group.is_empty() || text_or(reference, &["kind"], "Secret") != "Secret" {
        return Err(invalid("only Secrets are supported".to_string()));
    }
    if place != own && !granted(world, ("Gateway", own), ("Secret", place), name) {
        let message = format!(
            "certificateRef {name}/{place} not accessible to a Gateway in namespace {own:?} (missing a ReferenceGrant?)"
        );
        return Err(Problem::soft("RefNotPermitted", message));
    }
    let Some(secret) = world.secret(place, name) else {
        return Err(invalid("secret not found".to_string()));
    };
    let part = |key: &str| secret.get(key).map_or("", String::as_str);
    certified(part("tls.crt"), part("tls.key"))
        .map_err(|why| invalid(format!("the certificate is malformed: {why}")))
}

/// A chain and its key from PEM. The error quotes neither.
fn certified(chain: &str, key: &str) -> Result<Arc<CertifiedKey>, String> {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| "tls.crt is no PEM".to_string())?;
    if chain.is_empty() {
        return Err("tls.crt has no certificate".to_string());
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| "tls.key has no private key".to_string())?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key)
        .map_err(|_| "the kind of private key is not supported".to_string())?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // A kind of key whose public half can't be had is left to the handshake.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(_) => Err("tls.key is not the key of tls.crt".to_string()),
    }
}
