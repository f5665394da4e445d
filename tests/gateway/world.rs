//! A gateway with two backends before an upstream.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use gatewright::gateway::{Gateway, Options, Ports};
use serde_json::Value;

use crate::support::log::Lines;
use crate::support::model::{self, Seen};
use crate::support::yaml;

pub const LOCAL: (&str, &str) = ("host", "localhost:8080");
pub const PING: &str = r#"{"model":"m","messages":[{"role":"user","content":"ping"}]}"#;
pub const STREAM: &str =
    r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"ping"}]}"#;
pub const SOON: Duration = Duration::from_secs(5);

/// A Gateway, an openai backend `ai` on `/ai`, a static one `plain` on `/plain`; then whatever else is given.
pub fn objects(upstream: SocketAddr, more: &str) -> Vec<Value> {
    let port = upstream.port();
    let text = format!(
        r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: ns}}
spec: {{gatewayClassName: agentgateway, listeners: [{{name: http, protocol: HTTP, port: 8080}}]}}
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: ai, namespace: ns}}
spec: {{ai: {{provider: {{openai: {{}}, host: 127.0.0.1, port: {port}}}}}}}
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: plain, namespace: ns}}
spec: {{static: {{host: 127.0.0.1, port: {port}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: main, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules:
  - name: ai
    matches: [{{path: {{value: /ai}}}}]
    filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /}}}}}}]
    backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: ai}}]
  - matches: [{{path: {{value: /plain}}}}]
    filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /}}}}}}]
    backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: plain}}]
---
{more}"#
    );
    yaml::objects(&text)
}

/// A PEM text as it stands in a block of YAML.
pub fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

/// A gateway without objects.
pub fn empty() -> (Gateway, Lines) {
    let log = Lines::default();
    let mut options = Options::new(Box::new(log.clone()));
    options.ports = Ports::Free;
    options.resolve = HashMap::new();
    (Gateway::start(options).unwrap(), log)
}

pub async fn start(upstream: SocketAddr, more: &str) -> (Gateway, SocketAddr, Lines) {
    let (gateway, log) = empty();
    for object in objects(upstream, more) {
        gateway.apply(object).await.unwrap();
    }
    let address = gateway.address(8080).await.unwrap();
    (gateway, address, log)
}

pub async fn recorded() -> (SocketAddr, Seen) {
    let seen = Seen::default();
    (
        model::start(model::recorded, None, seen.clone()).await,
        seen,
    )
}
