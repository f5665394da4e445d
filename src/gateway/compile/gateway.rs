//! Gateway to listeners, and its status (facts 4.1, 4.2).

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use serde_json::{Value, json};

use super::certificate;
use super::parameters::{self, Parameters};
use super::status::{Problem, condition};
use crate::gateway::config::Candidate;
use crate::gateway::object::{World, full_name, list, port, text};

/// The one class served here; others wait for a controller that will not come (facts 15.6).
pub(super) const CLASS: &str = "agentgateway";

/// Ports that the real proxy keeps for itself (facts 3).
const RESERVED: [u16; 3] = [15000, 15020, 15021];

/// What is said of a listener whose certificate can't be had (facts 4.2).
const BAD_TLS: &str = "Bad TLS configuration";

/// A listener while routes are being attached to it.
pub(super) struct Open {
    pub gateway: Arc<str>,
    pub name: Arc<str>,
    pub hostname: String,
    pub port: u16,
    pub certificate: Option<Arc<CertifiedKey>>,
    pub parameters: Parameters,
    pub attached: usize,
    pub candidates: Vec<Candidate>,
}

pub(super) fn is_served(gateway: &Value) -> bool {
    text(gateway, &["spec", "gatewayClassName"]) == CLASS
}

/// Every listener that can be opened, of every served Gateway.
pub(super) fn listeners(world: &World) -> Vec<Open> {
    let mut open = Vec::new();
    for gateway in world.all("Gateway").into_iter().filter(|g| is_served(g)) {
        let owner: Arc<str> = full_name(gateway).into();
        // Where they can't be read, the status says so and the defaults serve.
        let parameters = parameters::read(world, gateway).unwrap_or_default();
        for listener in list(gateway, &["spec", "listeners"]) {
            let port = port(listener, &["port"]);
            if port == 0 || RESERVED.contains(&port) || refusal(listener).is_some() {
                continue;
            }
            let Ok(certificate) = certificate(world, gateway, listener) else {
                continue;
            };
            open.push(Open {
                gateway: owner.clone(),
                name: text(listener, &["name"]).into(),
                hostname: text(listener, &["hostname"]).to_ascii_lowercase(),
                port,
                certificate,
                parameters: parameters.clone(),
                attached: 0,
                candidates: Vec::new(),
            });
        }
    }
    open
}

/// What an HTTPS listener shows to clients, or the condition that says why it can't; nothing for HTTP.
fn certificate(
    world: &World,
    gateway: &Value,
    listener: &Value,
) -> Result<Option<Arc<CertifiedKey>>, Problem> {
    match text(listener, &["protocol"]) {
        "HTTPS" => certificate::read(world, gateway, listener).map(Some),
        _ => Ok(None),
    }
}

/// Why a listener's protocol is refused.
pub(super) fn refusal(listener: &Value) -> Option<String> {
    const KNOWN: [&str; 4] = ["HTTP", "HTTPS", "TLS", "TCP"];
    let protocol = text(listener, &["protocol"]);
    let upper = protocol.to_ascii_uppercase();
    match protocol {
        "HTTP" | "HTTPS" => None,
        known if KNOWN.contains(&known) => Some(format!(
            "protocol {known:?} is not supported by the embedded gateway, which serves HTTP and HTTPS on 127.0.0.1 only"
        )),
        _ if KNOWN.contains(&upper.as_str()) => Some(format!(
            "protocol {protocol:?} is unsupported. hint: {upper:?} (uppercase) may be supported"
        )),
        _ => Some(format!("protocol {protocol:?} is unsupported")),
    }
}

/// Status of a Gateway. Programmed is said from configuration alone, as the real controller does (facts 3.2).
pub(super) fn status(world: &World, gateway: &Value, open: &[Open]) -> Value {
    if !is_served(gateway) {
        let waiting = |kind: &str| json!({"type": kind, "status": "Unknown", "reason": "Pending", "message": "Waiting for controller"});
        return json!({"conditions": [waiting("Accepted"), waiting("Programmed")]});
    }
    let all = list(gateway, &["spec", "listeners"]);
    let broken: Vec<String> = all
        .iter()
        .filter_map(|l| {
            broken(world, gateway, l).map(|why| format!("{}: {why}", text(l, &["name"])))
        })
        .collect();
    let accepted = match (parameters::read(world, gateway), broken.is_empty()) {
        (Err(why), _) => condition(gateway, "Accepted", false, "InvalidParameters", &why),
        (Ok(_), true) => condition(gateway, "Accepted", true, "Accepted", ""),
        (Ok(_), false) => {
            let message = format!("Some listeners are not programmed: {}", broken.join("; "));
            condition(gateway, "Accepted", true, "ListenersNotValid", &message)
        }
    };
    let programmed = condition(
        gateway,
        "Programmed",
        true,
        "Programmed",
        "Successfully programmed Gateway",
    );
    let listeners: Vec<Value> = all
        .iter()
        .map(|l| listener_status(world, gateway, l, open))
        .collect();
    json!({
        "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
        "conditions": [accepted, programmed],
        "listeners": listeners,
    })
}

/// Why a listener is not programmed.
fn broken(world: &World, gateway: &Value, listener: &Value) -> Option<String> {
    let tls = || certificate(world, gateway, listener).err();
    refusal(listener).or_else(|| tls().map(|_| BAD_TLS.to_string()))
}

fn listener_status(world: &World, gateway: &Value, listener: &Value, open: &[Open]) -> Value {
    const FINE: &str = "No errors found";
    let owner = full_name(gateway);
    let name = text(listener, &["name"]);
    let state = |kind: &str, ok: bool, reason: &str, message: &str| {
        condition(gateway, kind, ok, reason, message)
    };
    let accepted = match refusal(listener) {
        None => state("Accepted", true, "Accepted", FINE),
        Some(why) => state("Accepted", false, "UnsupportedProtocol", &why),
    };
    let programmed = match broken(world, gateway, listener) {
        None => state("Programmed", true, "Programmed", FINE),
        Some(why) => state("Programmed", false, "Invalid", &why),
    };
    let resolved = match certificate(world, gateway, listener) {
        Ok(_) => state("ResolvedRefs", true, "ResolvedRefs", FINE),
        Err(problem) => state("ResolvedRefs", false, problem.reason, &problem.message),
    };
    let attached = open
        .iter()
        .find(|o| *o.gateway == *owner && &*o.name == name);
    json!({
        "name": name,
        "attachedRoutes": attached.map_or(0, |open| open.attached),
        "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
        "conditions": [
            accepted,
            programmed,
            resolved,
            state("Conflicted", false, "NoConflicts", FINE),
        ],
    })
}
