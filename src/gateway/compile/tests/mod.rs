//! Objects and the conditions that facts 4 says they get.

mod backend;
mod gateway;
mod mutant;
mod policy;
mod route;

use serde_json::{Value, json};

use super::compile;
use super::status::UNSUPPORTED;
use crate::gateway::object::{Id, World};

fn gateway(listener: Value) -> Value {
    let mut base = json!({"name": "http", "protocol": "HTTP", "port": 8080});
    for (field, value) in listener.as_object().unwrap() {
        base[field] = value.clone();
    }
    object(
        "gateway.networking.k8s.io/v1",
        "Gateway",
        "gw",
        json!({"gatewayClassName": "agentgateway", "listeners": [base]}),
    )
}

fn object(version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "ns"}, "spec": spec})
}

fn backend(spec: Value) -> Value {
    object(
        "agentgateway.dev/v1alpha1",
        "AgentgatewayBackend",
        "b",
        spec,
    )
}

fn openai(policies: Value) -> Value {
    backend(json!({"ai": {"provider": {"openai": {}}}, "policies": policies}))
}

fn policy(spec: Value) -> Value {
    object("agentgateway.dev/v1alpha1", "AgentgatewayPolicy", "p", spec)
}

fn route(spec: Value) -> Value {
    let mut full = json!({"parentRefs": [{"name": "gw"}]});
    for (field, value) in spec.as_object().unwrap() {
        full[field] = value.clone();
    }
    object("gateway.networking.k8s.io/v1", "HTTPRoute", "r", full)
}

fn status(objects: Vec<Value>, kind: &str) -> Value {
    let name = match kind {
        "HTTPRoute" => "r",
        "Gateway" => "gw",
        "AgentgatewayPolicy" => "p",
        _ => "b",
    };
    let compiled = compile(&World::of(objects).unwrap());
    compiled
        .status
        .get(&Id::new(kind, "ns", name))
        .cloned()
        .unwrap_or(Value::Null)
}

/// `Type=Status Reason Message` of each condition.
fn said(conditions: &Value) -> Vec<String> {
    let text = |c: &Value, field: &str| c[field].as_str().unwrap_or("").to_string();
    let conditions = conditions.as_array().into_iter().flatten();
    let said = conditions.map(|c| {
        format!(
            "{}={} {} {}",
            text(c, "type"),
            text(c, "status"),
            text(c, "reason"),
            text(c, "message")
        )
    });
    said.map(|line| line.trim_end().to_string()).collect()
}
