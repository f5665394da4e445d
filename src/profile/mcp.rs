//! A backend that is one or several MCP servers.

mod place;

use super::field::Field;
use super::value::{name, refuse_twins};
use super::{Gateway, Mcp, McpServer, McpTarget, Protocol, source};
use crate::yaml::Data;

const KNOWN: [&str; 9] = [
    "name",
    "address",
    "mock",
    "command",
    "env",
    "selector",
    "namespace",
    "protocol",
    "key",
];
/// The CRD's own limit (facts 6).
const MOST: usize = 32;
const EXAMPLE: &str = "for example `[{name: everything, address: http://localhost:3001/mcp}]`";

/// Either a list of servers, or a map of `targets` and `stateless`.
pub fn mcp(field: &Field, gateway: &Gateway) -> Mcp {
    let mut mcp = Mcp {
        targets: Vec::new(),
        stateless: false,
    };
    let mut listed = Some(field.clone());
    let mut stateless = None;
    if let Data::Map(_) = field.node.data {
        let fields = field.fields(&["targets", "stateless"]);
        listed = fields
            .as_ref()
            .and_then(|fields| fields.need("targets", EXAMPLE));
        stateless = fields.and_then(|fields| fields.get("stateless"));
        mcp.stateless = stateless.as_ref().and_then(Field::boolean).unwrap_or(false);
    }
    let Some(listed) = listed else { return mcp };
    let items = listed.items();
    if matches!(&listed.node.data, Data::List(list) if list.is_empty()) {
        listed.wrong("has no servers, so there would be no tools", EXAMPLE);
    }
    if items.len() > MOST {
        listed.wrong("has more servers than a backend can have", "at most 32");
    }
    let mut names = Vec::new();
    for item in &items {
        let (target, named) = target(item, gateway);
        names.push((named, target.name.clone()));
        mcp.targets.push(target);
    }
    refuse_twins("server name", &names);
    let is_program = |target: &McpTarget| matches!(target.server, McpServer::Stdio(_));
    if let Some(field) = stateless.filter(|_| mcp.stateless)
        && mcp.targets.iter().any(is_program)
    {
        field.wrong(
            "would start the program of `command` anew for every request",
            "leave it out: each session has a process of its own, which keeps running",
        );
    }
    mcp
}

fn target<'a>(item: &Field<'a>, gateway: &Gateway) -> (McpTarget, Field<'a>) {
    let mut target = McpTarget {
        name: String::new(),
        server: McpServer::Mock,
        protocol: Protocol::StreamableHttp,
        key: None,
    };
    let Some(fields) = item.fields(&KNOWN) else {
        return (target, item.clone());
    };
    let named = fields.need(
        "name",
        "tools are called by it where there are several servers",
    );
    if let Some(field) = &named {
        target.name = name(field, 40);
    }
    if let Some(server) = place::server(&fields, gateway) {
        target.server = server;
    }
    if let Some(field) = fields.get("protocol") {
        let named = |text: &str| Protocol::ALL.into_iter().find(|p| p.name() == text);
        let protocol = field.one_of("a protocol", &Protocol::ALL.map(Protocol::name), named);
        target.protocol = protocol.unwrap_or(target.protocol);
        place::refuse_beside(&target.server, &field, "protocol");
    }
    if let Some(field) = fields.get("key") {
        target.key = source::source(&field);
        place::refuse_beside(&target.server, &field, "key");
    }
    (target, named.unwrap_or_else(|| item.clone()))
}
