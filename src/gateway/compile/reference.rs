//! What a backend's address means: a name, an IP, or a Service of the same world.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::HeaderValue;
use http::uri::Authority;
use serde_json::Value;

use super::tls::server_name;
use crate::gateway::config::Origin;
use crate::gateway::object::{World, dig, list, name, namespace, port, text, text_or, texts};
use crate::gateway::tls::Tls;

/// The origin of a host and port. A name of the form `service.namespace.svc[.cluster.local]` is
/// looked up among the Services that were given, since there is no cluster DNS here (facts 15.9).
pub(super) fn origin(
    world: &World,
    host: &str,
    number: u16,
    tls: Option<Tls>,
) -> Result<Origin, String> {
    let endpoint: Arc<str> = format!("{host}:{number}").into();
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let named = match is_address {
        true => None,
        false => Some(HeaderValue::from_str(host).map_err(|_| format!("invalid host {host:?}"))?),
    };
    let Some(service) = service_of(world, host) else {
        let implied = tls.is_some() && number == 443;
        let dial = vec![authority(host, (!implied).then_some(number))?];
        return Ok(Origin {
            endpoint,
            dial,
            host: named,
            tls,
            http2: false,
        });
    };
    let tls = match tls {
        Some(tls) if tls.server_name.is_none() => Some(Tls {
            server_name: Some(server_name(host)?),
            ..tls
        }),
        named => named,
    };
    let dial = ready(world, service, number)?;
    Ok(Origin {
        endpoint,
        dial,
        host: named,
        tls,
        http2: false,
    })
}

/// The origin of a Service that a route names: the client's Host is kept.
pub(super) fn service(world: &World, service: &Value, number: u16) -> Result<Origin, String> {
    let host = format!("{}.{}.svc.cluster.local", name(service), namespace(service));
    Ok(Origin {
        endpoint: format!("{host}:{number}").into(),
        dial: ready(world, service, number)?,
        host: None,
        tls: None,
        http2: false,
    })
}

fn service_of<'a>(world: &'a World, host: &str) -> Option<&'a Value> {
    let stem = host
        .strip_suffix(".svc.cluster.local")
        .or_else(|| host.strip_suffix(".svc"))?;
    let (service, namespace) = stem.split_once('.')?;
    world.get("Service", namespace, service)
}

/// The ready endpoints behind a port of a Service.
fn ready(world: &World, service: &Value, number: u16) -> Result<Vec<Authority>, String> {
    let ports = list(service, &["spec", "ports"]);
    let Some(wanted) = ports.iter().find(|p| port(p, &["port"]) == number) else {
        return Ok(Vec::new());
    };
    let of_service = |slice: &&Value| {
        let labels = dig(slice, &["metadata", "labels"]);
        namespace(slice) == namespace(service)
            && text(labels, &["kubernetes.io/service-name"]) == name(service)
    };
    let mut found = Vec::new();
    for slice in world.all("EndpointSlice").into_iter().filter(of_service) {
        let named = |p: &&Value| text(p, &["name"]) == text(wanted, &["name"]);
        for target in list(slice, &["ports"]).iter().filter(named) {
            for endpoint in list(slice, &["endpoints"]) {
                if dig(endpoint, &["conditions", "ready"]).as_bool() == Some(false) {
                    continue;
                }
                for address in texts(endpoint, &["addresses"]) {
                    found.push(authority(&address, Some(port(target, &["port"])))?);
                }
            }
        }
    }
    Ok(found)
}

fn authority(host: &str, port: Option<u16>) -> Result<Authority, String> {
    let host = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_string(),
    };
    let text = match port {
        Some(port) => format!("{host}:{port}"),
        None => host.clone(),
    };
    text.parse().map_err(|_| format!("invalid host {host:?}"))
}

/// Whether a ReferenceGrant lets objects of a kind of Gateway API and a namespace use a core object of another.
pub(super) fn granted(world: &World, from: (&str, &str), to: (&str, &str), object: &str) -> bool {
    let grants = world.all("ReferenceGrant").into_iter();
    grants
        .filter(|grant| namespace(grant) == to.1)
        .any(|grant| {
            let from = list(grant, &["spec", "from"]).iter().any(|f| {
                text(f, &["group"]) == "gateway.networking.k8s.io"
                    && (text(f, &["kind"]), text(f, &["namespace"])) == from
            });
            let to = list(grant, &["spec", "to"]).iter().any(|t| {
                text(t, &["group"]).is_empty()
                    && text(t, &["kind"]) == to.0
                    && text_or(t, &["name"], object) == object
            });
            from && to
        })
}
