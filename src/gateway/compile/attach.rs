//! Policies of all levels on one backend of one rule: Gateway < Listener < Route < Rule < Backend
//! (facts 7.1).

use std::sync::Arc;

use serde_json::Value;

use super::policy::Policies;
use super::upstream::Upstream;
use super::{backend, reference};
use crate::gateway::config::{Auth, Backend, BackendKind, Destination, Origin};
use crate::gateway::object::{World, namespace, port, text, text_or};
use crate::gateway::tls::Tls;

/// What the levels above a rule's backends ask of every call.
pub(super) struct Attached<'a> {
    pub policies: &'a Policies,
    pub wider: Upstream,
}

impl Attached<'_> {
    /// A destination as it is called from here. It is the shared one where no policy says otherwise.
    pub fn applied(
        &self,
        world: &World,
        route: &Value,
        reference: &Value,
        destination: Destination,
    ) -> Destination {
        let place = text_or(reference, &["namespace"], namespace(route));
        let name = text(reference, &["name"]);
        let on = |kind, section: &str| self.policies.upstream(place, kind, name, section);
        match destination {
            Destination::Unknown => Destination::Unknown,
            Destination::Backend(shared) => {
                let object = world.get("AgentgatewayBackend", place, name);
                match object.filter(|_| !self.wider.is_empty()) {
                    None => Destination::Backend(shared),
                    Some(object) => {
                        let attached = on("AgentgatewayBackend", "").or(&self.wider);
                        let own = backend::translate(world, object, &attached);
                        own.map_or(Destination::Unknown, |b| Destination::Backend(Arc::new(b)))
                    }
                }
            }
            Destination::Service(origin) => {
                let number = port(reference, &["port"]);
                let attached = on("Service", &number.to_string()).or(&on("Service", ""));
                let attached = attached.or(&self.wider);
                match attached.is_empty() {
                    true => Destination::Service(origin),
                    false => service(world, place, name, number, &attached),
                }
            }
        }
    }
}

fn service(
    world: &World,
    place: &str,
    name: &str,
    number: u16,
    attached: &Upstream,
) -> Destination {
    let object = world.get("Service", place, name);
    let origin = object.and_then(|object| reference::service(world, object, number).ok());
    let Some(origin) = origin else {
        return Destination::Unknown;
    };
    // Only a model's requests are held, so that they can be signed.
    if attached
        .auth
        .as_ref()
        .is_some_and(Auth::is_made_for_each_request)
    {
        return Destination::Unknown;
    }
    let host = format!("{name}.{place}.svc.cluster.local");
    let named = |tls: Tls| match tls.server_name {
        Some(_) => Some(tls),
        None => Some(Tls {
            server_name: Some(super::tls::server_name(&host).ok()?),
            ..tls
        }),
    };
    let origin = Origin {
        tls: attached.tls.clone().and_then(named),
        ..origin
    };
    Destination::Backend(Arc::new(Backend {
        kind: BackendKind::Static(Box::new(attached.speak(origin))),
        auth: attached.auth.clone(),
        request_timeout: attached.timeout(),
    }))
}
