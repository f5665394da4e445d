//! A backend that is one or several MCP servers.

use super::address::{Address, address};
use super::field::Field;
use super::value::{name, refuse_twins};
use super::{Gateway, Mcp, McpTarget, Protocol, llm, source};
use crate::yaml::Data;

const KNOWN: [&str; 5] = ["name", "address", "mock", "protocol", "key"];
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
    if let Data::Map(_) = field.node.data {
        let fields = field.fields(&["targets", "stateless"]);
        listed = fields
            .as_ref()
            .and_then(|fields| fields.need("targets", EXAMPLE));
        let stateless = fields.and_then(|fields| fields.get("stateless"));
        mcp.stateless = stateless.and_then(|field| field.boolean()).unwrap_or(false);
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
    mcp
}

fn target<'a>(item: &Field<'a>, gateway: &Gateway) -> (McpTarget, Field<'a>) {
    let mut target = McpTarget {
        name: String::new(),
        address: None,
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
    let mock = fields.get("mock").and_then(|field| field.boolean());
    match (fields.get("address"), mock.unwrap_or(false)) {
        (Some(field), false) => target.address = machine(&field, gateway),
        (Some(field), true) => field.wrong("has no meaning beside `mock`", "keep one of them"),
        (None, true) => {}
        (None, false) => fields.wrong("has no address", EXAMPLE),
    }
    if let Some(field) = fields.get("protocol") {
        let named = |text: &str| Protocol::ALL.into_iter().find(|p| p.name() == text);
        let protocol = field.one_of("a protocol", &Protocol::ALL.map(Protocol::name), named);
        target.protocol = protocol.unwrap_or(target.protocol);
    }
    target.key = fields.get("key").and_then(|field| source::source(&field));
    (target, named.unwrap_or_else(|| item.clone()))
}

fn machine(field: &Field, gateway: &Gateway) -> Option<Address> {
    let address = address(field)?;
    if address.is_machine() {
        llm::refuse_port(field, address.port, gateway);
        if address.tls {
            field.wrong(
                "is TLS on this machine",
                "a service of this machine is asked in plain HTTP",
            );
        }
    }
    Some(address)
}
