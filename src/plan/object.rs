//! The Kubernetes objects of a plan, from typed values to JSON.

use super::agentgateway::{
    API_VERSION, GROUP, ParametersSpec, ServiceOverlay, ServicePort, ServiceSpec,
};
use super::chart::image_values;
use super::placeholder;
use super::{
    ENVIRONMENT_LABEL, MANAGED_BY_LABEL, MANAGER, NODE_PORT, WITNESS_HOSTNAME, WITNESS_LISTENER,
};
use crate::profile::{Gateway, Headers, Image, Route, TargetKind};
use gateway_api::apis::standard::gateways::{
    GatewayInfrastructure, GatewayInfrastructureParametersRef, GatewayListeners, GatewaySpec,
};
use gateway_api::apis::standard::httproutes::{
    HttpRouteParentRefs, HttpRouteRules, HttpRouteRulesBackendRefs, HttpRouteRulesFilters,
    HttpRouteRulesFiltersRequestHeaderModifier, HttpRouteRulesFiltersRequestHeaderModifierAdd,
    HttpRouteRulesFiltersRequestHeaderModifierSet, HttpRouteRulesFiltersType,
    HttpRouteRulesFiltersUrlRewrite, HttpRouteRulesFiltersUrlRewritePath,
    HttpRouteRulesFiltersUrlRewritePathType, HttpRouteRulesMatches, HttpRouteRulesMatchesPath,
    HttpRouteRulesMatchesPathType, HttpRouteRulesTimeouts, HttpRouteSpec,
};
use serde::Serialize;
use serde_json::{Value, json};

pub const LISTENER: &str = "http";
pub const GATEWAY_CLASS: &str = "agentgateway";
const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";
pub(super) const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// Where objects of one environment live and how they are marked as ours.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub namespace: &'a str,
    pub environment: &'a str,
}

impl Place<'_> {
    pub(super) fn object(
        self,
        api_version: &str,
        kind: &str,
        name: &str,
        spec: impl Serialize,
    ) -> Value {
        json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": self.metadata(name),
            "spec": to_json(spec),
        })
    }

    /// An object that stands beside those of a plan for a moment, marked as ours.
    pub fn beside(self, api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
        self.object(api_version, kind, name, spec)
    }

    pub(super) fn metadata(self, name: &str) -> Value {
        json!({"name": name, "namespace": self.namespace, "labels": self.labels()})
    }

    fn labels(self) -> Value {
        json!({MANAGED_BY_LABEL: MANAGER, ENVIRONMENT_LABEL: self.environment})
    }

    pub fn namespace(self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": self.labels()},
        })
    }

    /// Gives the Gateway's Service the type that the target needs and, where asked, sets the proxy's
    /// image (facts 8, 15.8). The rendered default, a LoadBalancer, would open the gateway to others
    /// wherever a cluster has one.
    pub fn parameters(self, gateway: &Gateway, image: Option<&Image>, target: TargetKind) -> Value {
        let port = ServicePort {
            name: format!("listener-{}", gateway.port),
            port: gateway.port,
            node_port: NODE_PORT,
        };
        let (kind, ports) = match target {
            TargetKind::Kind => ("NodePort", vec![port]),
            TargetKind::OrbStack => ("LoadBalancer", Vec::new()),
            TargetKind::Context | TargetKind::Embedded => ("ClusterIP", Vec::new()),
        };
        let spec = ParametersSpec {
            image: image.map(image_values),
            service: ServiceOverlay {
                spec: ServiceSpec { kind, ports },
            },
        };
        self.object(API_VERSION, "AgentgatewayParameters", &gateway.name, spec)
    }

    /// The Gateway; on a cluster with its parameters and the listener for the witness.
    pub fn gateway(self, gateway: &Gateway, on_cluster: bool) -> Value {
        let mut listeners = vec![listener(LISTENER, gateway.port, None)];
        if on_cluster {
            let hostname = Some(WITNESS_HOSTNAME.to_string());
            listeners.push(listener(WITNESS_LISTENER, gateway.port, hostname));
        }
        let parameters = GatewayInfrastructureParametersRef {
            group: GROUP.to_string(),
            kind: "AgentgatewayParameters".to_string(),
            name: gateway.name.clone(),
        };
        let spec = GatewaySpec {
            gateway_class_name: GATEWAY_CLASS.to_string(),
            infrastructure: on_cluster.then(|| GatewayInfrastructure {
                parameters_ref: Some(parameters),
                ..Default::default()
            }),
            listeners,
            ..Default::default()
        };
        self.object(GATEWAY_API, "Gateway", &gateway.name, spec)
    }

    /// A route by path prefix that puts `instead` in its place, usually nothing: what a backend with
    /// an address of its own needs to see its own paths (facts 9.4).
    pub fn route(self, route: &Route, gateway: &Gateway, instead: &str) -> Value {
        let mut filters = vec![replace_prefix(instead)];
        if route.request_headers != Headers::default() {
            filters.push(change_headers(&route.request_headers));
        }
        let rule = HttpRouteRules {
            matches: Some(vec![prefix_match(&route.path)]),
            filters: Some(filters),
            backend_refs: Some(vec![HttpRouteRulesBackendRefs {
                group: Some(GROUP.to_string()),
                kind: Some("AgentgatewayBackend".to_string()),
                name: route.backend.clone(),
                ..Default::default()
            }]),
            timeouts: route.timeout.map(|timeout| HttpRouteRulesTimeouts {
                request: Some(format!("{}ms", timeout.as_millis())),
                ..Default::default()
            }),
            ..Default::default()
        };
        let spec = HttpRouteSpec {
            parent_refs: Some(vec![HttpRouteParentRefs {
                name: gateway.name.clone(),
                section_name: Some(LISTENER.to_string()),
                ..Default::default()
            }]),
            rules: Some(vec![rule]),
            ..Default::default()
        };
        self.object(GATEWAY_API, "HTTPRoute", &route.name, spec)
    }

    /// A name for an address of this machine: a Service without selector and its EndpointSlice
    /// (facts 15.9). The Service keeps the service's usual port, whatever port carries it.
    pub fn host_alias(self, backend: &str, port: u16) -> [Value; 2] {
        let (name, at) = (host_alias_name(backend), placeholder::port(backend));
        let ports = json!([{"name": "http", "port": port, "protocol": "TCP", "targetPort": at}]);
        let service = self.object("v1", "Service", &name, json!({"ports": ports}));
        let mut metadata = self.metadata(&name);
        metadata["labels"]["kubernetes.io/service-name"] = json!(name);
        let address = placeholder::address(backend);
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
            "ports": [{"name": "http", "port": at, "protocol": "TCP"}],
        });
        [service, slice]
    }

    /// Backend and route by which one address is tried from the gateway's own place (facts 15.15).
    pub fn witness(
        self,
        name: &str,
        gateway: &str,
        (host, port): (&str, u16),
        http2: bool,
    ) -> [Value; 2] {
        let mut backend = json!({"static": {"host": host, "port": port}});
        if http2 {
            backend["policies"] = json!({"http": {"version": "HTTP2"}});
        }
        let spec = HttpRouteSpec {
            parent_refs: Some(vec![HttpRouteParentRefs {
                name: gateway.to_string(),
                section_name: Some(WITNESS_LISTENER.to_string()),
                ..Default::default()
            }]),
            rules: Some(vec![HttpRouteRules {
                matches: Some(vec![prefix_match(&format!("/{name}"))]),
                filters: Some(vec![replace_prefix("")]),
                backend_refs: Some(vec![HttpRouteRulesBackendRefs {
                    group: Some(GROUP.to_string()),
                    kind: Some("AgentgatewayBackend".to_string()),
                    name: name.to_string(),
                    ..Default::default()
                }]),
                ..Default::default()
            }]),
            ..Default::default()
        };
        [
            self.object(API_VERSION, "AgentgatewayBackend", name, backend),
            self.object(GATEWAY_API, "HTTPRoute", name, spec),
        ]
    }
}

/// The Service that stands for a service of this machine.
pub fn host_alias_name(backend: &str) -> String {
    format!("host-{backend}")
}

fn listener(name: &str, port: u16, hostname: Option<String>) -> GatewayListeners {
    GatewayListeners {
        name: name.to_string(),
        port: i32::from(port),
        protocol: "HTTP".to_string(),
        hostname,
        ..Default::default()
    }
}

fn prefix_match(path: &str) -> HttpRouteRulesMatches {
    HttpRouteRulesMatches {
        path: Some(HttpRouteRulesMatchesPath {
            r#type: Some(HttpRouteRulesMatchesPathType::PathPrefix),
            value: Some(path.to_string()),
        }),
        ..Default::default()
    }
}

fn replace_prefix(instead: &str) -> HttpRouteRulesFilters {
    let instead = match instead {
        "" => "/",
        path => path,
    };
    HttpRouteRulesFilters {
        r#type: HttpRouteRulesFiltersType::UrlRewrite,
        url_rewrite: Some(HttpRouteRulesFiltersUrlRewrite {
            path: Some(HttpRouteRulesFiltersUrlRewritePath {
                r#type: HttpRouteRulesFiltersUrlRewritePathType::ReplacePrefixMatch,
                replace_prefix_match: Some(instead.to_string()),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn change_headers(headers: &Headers) -> HttpRouteRulesFilters {
    let set = headers.set.iter().cloned();
    let add = headers.add.iter().cloned();
    let set =
        set.map(|(name, value)| HttpRouteRulesFiltersRequestHeaderModifierSet { name, value });
    let add =
        add.map(|(name, value)| HttpRouteRulesFiltersRequestHeaderModifierAdd { name, value });
    HttpRouteRulesFilters {
        r#type: HttpRouteRulesFiltersType::RequestHeaderModifier,
        request_header_modifier: Some(HttpRouteRulesFiltersRequestHeaderModifier {
            set: some_unless_empty(set.collect()),
            add: some_unless_empty(add.collect()),
            remove: some_unless_empty(headers.remove.clone()),
        }),
        ..Default::default()
    }
}

fn some_unless_empty<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

/// Serialisation of these types has no way to fail: their keys are strings and they hold no maps
/// with other keys.
fn to_json(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
