//! The backends of a profile: who answers.

use super::field::{Field, Fields};
use super::problem::quote;
use super::suggest::among;
use super::value::{name, refuse_twins};
use super::{Backend, Gateway, Llm, Serves, llm, mcp};
use crate::yaml::Data;

const COMMON: [&str; 5] = ["name", "required", "fallback", "groups", "mcp"];
/// Longer names leave no room for the `host-` in front of the name of a backend's Service.
const LONGEST: usize = 58;
const EXAMPLE: &str = "for example `- name: ollama` with `provider: ollama`";

/// The backends in the order of the text; `gateway` is who has taken a port of this machine already.
pub fn backends(root: &Fields, gateway: &Gateway) -> Vec<Backend> {
    let Some(field) = root.need("backends", EXAMPLE) else {
        return Vec::new();
    };
    let items = field.items();
    if items.is_empty() && field.node.data == Data::List(Vec::new()) {
        field.wrong("has no backends, so nobody could answer", EXAMPLE);
    }
    let mut names = Vec::new();
    let read = items.iter().map(|item| {
        let (backend, named) = backend(item, gateway);
        names.push((named, backend.name.clone()));
        backend
    });
    let read: Vec<Backend> = read.collect();
    refuse_twins("backend name", &names);
    for (item, backend) in items.iter().zip(&read) {
        if let Serves::Groups(groups) = &backend.serves {
            members(item, groups, &read);
        }
    }
    read
}

fn backend<'a>(item: &Field<'a>, gateway: &Gateway) -> (Backend, Field<'a>) {
    let mut backend = Backend {
        name: String::new(),
        serves: Serves::Llm(Box::new(Llm::of(crate::provider::Provider::Mock))),
        required: true,
        fallback: false,
    };
    let known: Vec<&str> = COMMON.iter().chain(&llm::FIELDS).copied().collect();
    let Some(fields) = item.fields(&known) else {
        return (backend, item.clone());
    };
    let named = fields.need("name", "routes call the backend by it");
    if let Some(field) = &named {
        backend.name = name(field, LONGEST);
    }
    backend.required = flag(&fields, "required", true);
    backend.fallback = flag(&fields, "fallback", false);
    match (fields.get("groups"), fields.get("mcp")) {
        (Some(groups), _) => {
            alone(&fields, "groups");
            backend.serves = Serves::Groups(self::groups(&groups));
        }
        (None, Some(servers)) => {
            alone(&fields, "mcp");
            backend.serves = Serves::Mcp(mcp::mcp(&servers, gateway));
        }
        (None, None) => {
            let llm = llm::llm(&fields, gateway);
            backend.serves = Serves::Llm(Box::new(llm));
        }
    }
    (backend, named.unwrap_or_else(|| item.clone()))
}

/// Fields of a provider beside what is none.
fn alone(fields: &Fields, kind: &str) {
    for name in llm::FIELDS
        .iter()
        .chain(&["mcp"])
        .filter(|name| **name != kind)
    {
        if let Some(field) = fields.get(name) {
            field.wrong(
                format!("has no meaning beside `{kind}`"),
                format!("a backend has `provider`, `groups` or `mcp`; here it has `{kind}`"),
            );
        }
    }
}

fn flag(fields: &Fields, name: &str, default: bool) -> bool {
    let value = fields.get(name).and_then(|field| field.boolean());
    value.unwrap_or(default)
}

/// Groups of names; a name alone is a group of one.
fn groups(field: &Field) -> Vec<Vec<String>> {
    let items = field.items();
    if items.is_empty() && field.node.data == Data::List(Vec::new()) {
        field.wrong(
            "has no groups, so nobody could answer",
            "for example `[[openai], [ollama]]`",
        );
    }
    let group = |item: &Field| match &item.node.data {
        Data::List(_) => {
            let members = item.items();
            members
                .iter()
                .filter_map(|m| m.text().map(str::to_string))
                .collect()
        }
        Data::Scalar(_) | Data::Map(_) => item
            .text_like("a list of names of backends")
            .map(str::to_string)
            .into_iter()
            .collect(),
    };
    items.iter().map(group).collect()
}

/// Every member is another backend with a provider, and stands once.
fn members(item: &Field, groups: &[Vec<String>], all: &[Backend]) {
    let Some(field) = item.any_fields().and_then(|fields| fields.get("groups")) else {
        return;
    };
    let known = all.iter().filter(|b| matches!(b.serves, Serves::Llm(_)));
    let known: Vec<&str> = known.map(|b| b.name.as_str()).collect();
    let mut seen = Vec::new();
    for name in groups.iter().flatten() {
        if !known.contains(&name.as_str()) {
            let what = format!("there is no backend {} with a provider", quote(name));
            field.wrong(what, among(name, &known));
        } else if seen.contains(&name) {
            field.wrong(
                format!("{} is a member twice", quote(name)),
                "once is enough",
            );
        }
        seen.push(name);
    }
    if groups.iter().any(Vec::is_empty) && !groups.is_empty() {
        field.wrong("has an empty group", "name a backend in each group");
    }
}
