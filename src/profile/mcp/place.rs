//! Where an MCP server is: an address, a program of this machine, Services of a cluster, or our mock.

use super::EXAMPLE;
use crate::profile::address::{Address, address};
use crate::profile::field::{Field, Fields};
use crate::profile::problem::quote;
use crate::profile::value::{filled, name};
use crate::profile::{Gateway, McpServer, Selector, Stdio, Variable, llm, source};
use crate::yaml::Data;
use serde_json::Value;
use std::collections::BTreeMap;

const COMMAND: &str = "a program and its arguments, one word each: `[npx, -y, SERVER]`";
const LABELS: &str = "labels of Services, such as `{app: mcp}`";

/// The one place that is said.
pub fn server(fields: &Fields, gateway: &Gateway) -> Option<McpServer> {
    let mock = fields.get("mock").filter(|f| f.boolean() != Some(false));
    let said = ["address", "command", "selector"].map(|name| Some((name, fields.get(name)?)));
    let said: Vec<(&str, Field)> = said.into_iter().flatten().collect();
    let of_program = fields.get("env");
    let of_services = fields.get("namespace");
    let has = |name: &str| said.iter().any(|(said, _)| *said == name);
    for (field, owner) in [(&of_program, "command"), (&of_services, "selector")] {
        if let Some(field) = field.as_ref().filter(|_| !has(owner)) {
            field.wrong(format!("has no meaning without `{owner}`"), "leave it out");
        }
    }
    match (said.as_slice(), mock) {
        ([], Some(_)) => Some(McpServer::Mock),
        ([], None) => {
            fields.wrong("has no address", EXAMPLE);
            None
        }
        ([(_, field), ..], Some(_)) => {
            field.wrong("has no meaning beside `mock`", "keep one of them");
            None
        }
        ([(first, _), (_, second), ..], None) => {
            second.wrong(
                format!("has no meaning beside `{first}`"),
                "keep one of them",
            );
            None
        }
        ([("address", field)], None) => machine(field, gateway).map(McpServer::Address),
        ([("command", field)], None) => Some(McpServer::Stdio(Stdio {
            command: command(field)?,
            env: of_program.map(|field| env(&field)).unwrap_or_default(),
        })),
        ([(_, field)], None) => Some(McpServer::Services(Selector {
            labels: labels(field)?,
            namespace: of_services.map(|field| name(&field, 63)),
        })),
    }
}

/// What is said elsewhere of such a server, or has no meaning for it.
pub fn refuse_beside(server: &McpServer, field: &Field, said: &str) {
    let (beside, hint) = match (server, said) {
        (McpServer::Stdio(_), "key") => ("command", "what the program needs stands in `env`"),
        (McpServer::Stdio(_), _) => ("command", "leave it out"),
        // Facts 6: a selector's targets take it from the Service.
        (McpServer::Services(_), "protocol") => (
            "selector",
            "the Service's port says it: `appProtocol: kgateway.dev/mcp`, or `kgateway.dev/mcp-sse`",
        ),
        (McpServer::Services(_), _) => ("selector", "a server with a key has an address"),
        (McpServer::Mock | McpServer::Address(_), _) => return,
    };
    field.wrong(format!("has no meaning beside `{beside}`"), hint);
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

/// It runs wherever our bridge does: a path from somewhere would mean another program each time.
fn command(field: &Field) -> Option<Vec<String>> {
    let items = field.items();
    let words: Vec<String> = items
        .iter()
        .filter_map(|item| item.text().map(str::to_string))
        .collect();
    let Some(program) = words.first().filter(|_| words.len() == items.len()) else {
        if matches!(&field.node.data, Data::List(list) if list.is_empty()) {
            field.wrong("is empty", COMMAND);
        }
        return None;
    };
    if program.trim().is_empty() || program.contains(char::is_whitespace) {
        let what = format!("{} is not a program", quote(program));
        field.wrong(what, format!("no shell runs it: {COMMAND}"));
        return None;
    }
    let whole = program.starts_with('/') || program.starts_with("~/");
    if program.contains('/') && !whole {
        let what = format!("{} is a path from nowhere", quote(program));
        field.wrong(
            what,
            "a name on PATH, a path from `/` on, or one from `~/` on",
        );
        return None;
    }
    Some(words)
}

fn env(field: &Field) -> BTreeMap<String, Variable> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut all = BTreeMap::new();
    for (entry, value) in field.pairs() {
        let key = entry.key.as_str();
        let digit = key.starts_with(|c: char| c.is_ascii_digit());
        if key.is_empty() || digit || !key.chars().all(good) {
            value.wrong("is not the name of a variable", "letters, digits and `_`");
        }
        let read = match &value.node.data {
            Data::Map(_) => source::source(&value).map(Variable::Key),
            _ => value.text().map(|text| Variable::Plain(text.to_string())),
        };
        all.extend(read.map(|read| (key.to_string(), read)));
    }
    all
}

/// Whatever the API server takes as a label; what it does not take it says itself.
fn labels(field: &Field) -> Option<BTreeMap<String, String>> {
    let pairs = field.pairs();
    if pairs.is_empty() {
        if matches!(&field.node.data, Data::Map(_) | Data::Scalar(Value::Null)) {
            field.wrong("picks nothing", LABELS);
        }
        return None;
    }
    let read = pairs.iter().filter_map(|(entry, value)| {
        let text = filled(value)?;
        Some((entry.key.clone(), text.to_string()))
    });
    Some(read.collect())
}
