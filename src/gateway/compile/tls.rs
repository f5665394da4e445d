//! `policies.tls`: how an upstream is spoken to over TLS (facts 4.4, 5, 6).

use std::sync::Arc;

use rustls::pki_types::ServerName;
use serde_json::Value;

use crate::gateway::object::{World, dig, list, text, texts};
use crate::gateway::tls::{Identity, Tls, Verify, certificates};

/// Null is no TLS; an empty object is TLS with the system's roots.
pub(in crate::gateway) fn read(
    world: &World,
    place: &str,
    spec: &Value,
) -> Result<Option<Tls>, String> {
    if spec.is_null() {
        return Ok(None);
    }
    let sni = match text(spec, &["sni"]) {
        "" => None,
        name => Some(server_name(name)?),
    };
    let names = texts(spec, &["verifySubjectAltNames"]);
    let verify = match (text(spec, &["insecureSkipVerify"]), names.is_empty()) {
        ("", true) => Verify::Name,
        ("", false) => {
            let names = names.iter().map(|name| server_name(name));
            Verify::Names(names.collect::<Result<_, _>>()?)
        }
        (_, false) => {
            return Err(
                "insecureSkipVerify and verifySubjectAltNames may not be set together".to_string(),
            );
        }
        ("Hostname", true) => Verify::Chain,
        (_, true) => Verify::Nothing,
    };
    let roots = list(spec, &["caCertificateRefs"]).first();
    if verify == Verify::Nothing && roots.is_some() {
        return Err(
            "insecureSkipVerify All and caCertificateRefs may not be set together".to_string(),
        );
    }
    let identity = list(spec, &["mtlsCertificateRef"]).first();
    Ok(Some(Tls {
        server_name: sni,
        verify,
        roots: roots
            .map(|reference| trusted(world, place, text(reference, &["name"])))
            .transpose()?,
        identity: identity
            .map(|reference| shown(world, place, text(reference, &["name"])))
            .transpose()?,
        alpn: texts(spec, &["alpnProtocols"])
            .into_iter()
            .map(String::into_bytes)
            .collect(),
    }))
}

/// A name that a certificate can be for.
pub(super) fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.to_string()).map_err(|_| format!("invalid server name {name:?}"))
}

type Certificates = Arc<[rustls::pki_types::CertificateDer<'static>]>;

/// The roots in a ConfigMap's `ca.crt`.
fn trusted(world: &World, place: &str, name: &str) -> Result<Certificates, String> {
    let map = world
        .get("ConfigMap", place, name)
        .ok_or_else(|| format!("ConfigMap {place}/{name} not found"))?;
    let found = certificates(text(dig(map, &["data"]), &["ca.crt"]));
    found
        .map(Arc::from)
        .map_err(|cause| format!("ConfigMap {place}/{name} contains invalid certificate: {cause}"))
}

/// The certificate and key in a Secret of type `kubernetes.io/tls`.
fn shown(world: &World, place: &str, name: &str) -> Result<Identity, String> {
    let secret = world
        .secret(place, name)
        .ok_or_else(|| format!("secret {place}/{name} not found"))?;
    let part = |key: &str| secret.get(key).map_or("", String::as_str);
    Identity::read(part("tls.crt"), part("tls.key"))
        .map_err(|cause| format!("secret {place}/{name} contains invalid certificate: {cause}"))
}
