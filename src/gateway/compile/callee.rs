//! `backendRef` of a policy: the Service or AgentgatewayBackend that it calls (facts 4.5, 7.2).

use serde_json::Value;

use super::upstream::Upstream;
use super::{backend, reference};
use crate::gateway::config::{BackendKind, Callee};
use crate::gateway::object::{World, port, text, text_or};

/// What is called over gRPC, which needs HTTP/2.
pub(super) fn over_grpc(world: &World, home: &str, policy: &Value) -> Result<Callee, String> {
    let mut callee = read(world, home, policy)?;
    if let Some(origin) = &mut callee.origin {
        origin.http2 = true;
    }
    Ok(callee)
}

/// Reads the reference; the error is the controller's. Another namespace needs no grant here (facts 7.2).
pub(super) fn read(world: &World, home: &str, policy: &Value) -> Result<Callee, String> {
    let at = |field| text(policy, &["backendRef", field]);
    let (name, place) = (
        at("name"),
        text_or(policy, &["backendRef", "namespace"], home),
    );
    match (
        at("group"),
        text_or(policy, &["backendRef", "kind"], "Service"),
    ) {
        ("", "Service") => {
            let Some(service) = world.get("Service", place, name) else {
                return Err(format!("unable to find the Service {place}/{name}"));
            };
            match port(policy, &["backendRef", "port"]) {
                0 => Err("port is required for Service targets".to_string()),
                number => Ok(Callee {
                    origin: Some(reference::service(world, service, number)?),
                    auth: None,
                    timeout: None,
                }),
            }
        }
        ("agentgateway.dev", "AgentgatewayBackend") => {
            match world.get("AgentgatewayBackend", place, name) {
                None => Err(format!("unable to find the Backend {place}/{name}")),
                Some(object) => Ok(called(world, object)),
            }
        }
        ("", kind) => Err(format!("unsupported backend {kind}")),
        (group, kind) => Err(format!("unsupported backend {kind}.{group}")),
    }
}

/// A backend that is not accepted, or that is no plain address, is there but can't be called.
fn called(world: &World, object: &Value) -> Callee {
    match backend::translate(world, object, &Upstream::default()) {
        Ok(backend) => Callee {
            origin: match backend.kind {
                BackendKind::Static(origin) => Some(*origin),
                _ => None,
            },
            auth: backend.auth,
            timeout: backend.request_timeout,
        },
        Err(_) => Callee {
            origin: None,
            auth: None,
            timeout: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_resolved_or_refused_in_the_controllers_words() {
        let backend = |name: &str, spec: Value| {
            json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayBackend",
            "metadata": {"name": name, "namespace": "ns"}, "spec": spec})
        };
        let world = World::of(vec![
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "other"}, "spec": {"ports": [{"port": 80}]}}),
            backend("b", json!({"static": {"host": "127.0.0.1", "port": 1}})),
            backend("ai", json!({"ai": {"provider": {"openai": {}}}})),
        ])
        .unwrap();
        let agw = |name: &str| json!({"group": "agentgateway.dev", "kind": "AgentgatewayBackend", "name": name});
        let table = [
            (
                json!({"name": "s", "namespace": "other", "port": 80}),
                Ok(true),
            ),
            (
                json!({"name": "s", "port": 80}),
                Err("unable to find the Service ns/s"),
            ),
            (
                json!({"name": "s", "namespace": "other"}),
                Err("port is required for Service targets"),
            ),
            (agw("b"), Ok(true)),
            (agw("ai"), Ok(false)),
            (agw("gone"), Err("unable to find the Backend ns/gone")),
            (
                json!({"group": "g", "kind": "K", "name": "n"}),
                Err("unsupported backend K.g"),
            ),
        ];
        for (reference, expected) in table {
            let found = read(&world, "ns", &json!({"backendRef": reference}));
            let found = found.map(|callee| callee.origin.is_some());
            assert_eq!(found, expected.map_err(str::to_string), "{reference}");
        }
    }
}
