//! The backends of a profile: who answers.

use super::field::{Field, Fields};
use super::problem::quote;
use super::value::{filled, name, refuse_twins};
use super::{Backend, Gateway};
use crate::provider::Provider;

const KNOWN: [&str; 6] = ["name", "provider", "model", "port", "required", "fallback"];
/// Longer names leave no room for the `host-` in front of the name of a backend's Service.
const LONGEST: usize = 58;
const EXAMPLE: &str = "for example `- name: ollama` with `provider: ollama`";

/// The backends in the order of the text; `gateway` is who has taken a port of this machine already.
pub fn backends(root: &Fields, gateway: &Gateway) -> Vec<Backend> {
    let Some(field) = root.need("backends", EXAMPLE) else {
        return Vec::new();
    };
    let items = field.items();
    if items.is_empty() && field.node.data == crate::yaml::Data::List(Vec::new()) {
        field.wrong("has no backends, so nobody could answer", EXAMPLE);
    }
    let mut names = Vec::new();
    let read = items.iter().map(|item| {
        let (backend, named) = backend(item, gateway);
        names.push((named, backend.name.clone()));
        backend
    });
    let read = read.collect();
    refuse_twins("backend name", &names);
    read
}

fn backend<'a>(item: &Field<'a>, gateway: &Gateway) -> (Backend, Field<'a>) {
    let mut backend = Backend {
        name: String::new(),
        provider: Provider::Mock,
        model: None,
        port: None,
        required: true,
        fallback: false,
    };
    let Some(fields) = item.fields(&KNOWN) else {
        return (backend, item.clone());
    };
    let named = fields.need("name", "routes call the backend by it");
    if let Some(field) = &named {
        backend.name = name(field, LONGEST);
    }
    let provided = fields.need("provider", &format!("one of: {}", providers().join(", ")));
    let provider = provided
        .as_ref()
        .and_then(|field| field.one_of("a provider", &providers(), Provider::named));
    backend.provider = provider.unwrap_or(backend.provider);
    backend.model = fields
        .get("model")
        .and_then(|f| filled(&f).map(str::to_string));
    backend.port = fields
        .get("port")
        .and_then(|f| f.number("a port", 1, u16::MAX));
    backend.required = flag(&fields, "required", true);
    backend.fallback = flag(&fields, "fallback", false);
    if let (Some(provider), Some(field)) = (provider, fields.get("port").or(provided)) {
        refuse_port(
            &field,
            backend.port.unwrap_or(provider.ways().default_port),
            gateway,
        );
    }
    (backend, named.unwrap_or_else(|| item.clone()))
}

fn flag(fields: &Fields, name: &str, default: bool) -> bool {
    let value = fields.get(name).and_then(|field| field.boolean());
    value.unwrap_or(default)
}

/// Both would listen on this machine, and the gateway would send requests to itself.
fn refuse_port(field: &Field, port: u16, gateway: &Gateway) {
    if port == gateway.port {
        let what = format!("port {port} is the gateway's own on this machine");
        field.wrong(
            what,
            format!("give the gateway {} another port", quote(&gateway.name)),
        );
    }
}

fn providers() -> Vec<&'static str> {
    Provider::ALL.map(|provider| provider.ways().name).to_vec()
}
