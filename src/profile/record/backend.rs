//! Backends in their written form.

use super::object;
use crate::profile::{Backend, Llm, Mcp, McpServer, McpTarget, Serves, Variable, source};
use crate::provider::Form;
use crate::provider::check::AUTHORIZATION;
use serde_json::{Map, Value, json};

pub(super) fn backend(backend: &Backend) -> Value {
    let Backend {
        name,
        serves,
        required,
        fallback,
    } = backend;
    let served = match serves {
        Serves::Llm(served) => llm(served),
        Serves::Groups(groups) => json!({"groups": groups}),
        Serves::Mcp(servers) => json!({"mcp": mcp(servers)}),
    };
    let mut value = json!({"name": name});
    let rest = [served, json!({"required": required, "fallback": fallback})];
    for fields in rest {
        if let (Some(all), Value::Object(fields)) = (value.as_object_mut(), fields) {
            all.extend(fields);
        }
    }
    value
}

fn llm(llm: &Llm) -> Value {
    let Llm {
        provider,
        model,
        models,
        aliases,
        form,
        port,
        address,
        settings,
        keys,
    } = llm;
    let mut value = object([
        ("provider", Some(json!(provider.ways().name))),
        ("model", model.as_ref().map(|text| json!(text))),
        ("models", (!models.is_empty()).then(|| json!(models))),
        ("aliases", (!aliases.is_empty()).then(|| json!(aliases))),
        ("form", form.map(|form| json!(Form::name(form)))),
        ("port", port.map(|port| json!(port))),
        ("address", address.as_ref().map(|a| json!(a.text()))),
    ]);
    for (field, text) in settings {
        value[field] = json!(text);
    }
    for (entry, from) in keys {
        let field = match entry.as_str() {
            AUTHORIZATION => "key",
            other => other,
        };
        value[field] = source::to_wire(from);
    }
    value
}

fn mcp(mcp: &Mcp) -> Value {
    let Mcp { targets, stateless } = mcp;
    json!({"targets": targets.iter().map(target).collect::<Vec<_>>(), "stateless": stateless})
}

fn target(target: &McpTarget) -> Value {
    let McpTarget {
        name,
        server,
        protocol,
        key,
    } = target;
    let of_server = match server {
        McpServer::Mock => json!({"mock": true, "protocol": protocol.name()}),
        McpServer::Address(address) => {
            json!({"address": address.text(), "protocol": protocol.name()})
        }
        McpServer::Stdio(stdio) => {
            let variable = |(name, value): (&String, &Variable)| {
                let value = match value {
                    Variable::Plain(text) => json!(text),
                    Variable::Key(from) => source::to_wire(from),
                };
                (name.clone(), value)
            };
            let env: Map<String, Value> = stdio.env.iter().map(variable).collect();
            json!({"command": stdio.command, "env": env})
        }
        McpServer::Services(selector) => object([
            ("selector", Some(json!(selector.labels))),
            ("namespace", selector.namespace.as_ref().map(|n| json!(n))),
        ]),
    };
    let mut value = json!({"name": name});
    let key = object([("key", key.as_ref().map(source::to_wire))]);
    for fields in [of_server, key] {
        if let (Some(all), Value::Object(fields)) = (value.as_object_mut(), fields) {
            all.extend(fields);
        }
    }
    value
}
