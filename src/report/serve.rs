//! `gw serve` on a screen: what is served and where, and what there is to warn of.

use super::human;
use super::style::Look;
use crate::error::Error;
use crate::gateway::ListenerAt;
use crate::gateway::input::{Input, Weight};
use crate::text;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The answer when the gateway answers: one line an address, and what is behind it.
pub fn screen(objects: &[Value], listeners: &[ListenerAt], look: Look) -> String {
    let mut addresses: Vec<SocketAddr> = listeners.iter().map(|at| at.address).collect();
    addresses.dedup();
    let behind = counts(objects);
    if addresses.is_empty() {
        return format!("{} {behind}\n", look.good());
    }
    let lines = addresses.iter().map(|address| {
        format!(
            "{} {} answers: {behind}\n",
            look.good(),
            url(address, listeners)
        )
    });
    lines.collect()
}

fn url(address: &SocketAddr, listeners: &[ListenerAt]) -> String {
    let is_tls = listeners
        .iter()
        .any(|at| at.address == *address && at.is_tls);
    let scheme = if is_tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// `2 routes, 1 backend and 1 policy`.
fn counts(objects: &[Value]) -> String {
    let of = |kind: &str| {
        objects
            .iter()
            .filter(|object| object["kind"] == kind)
            .count()
    };
    let counts = [
        ("Gateway", "gateway"),
        ("HTTPRoute", "route"),
        ("AgentgatewayBackend", "backend"),
        ("AgentgatewayPolicy", "policy"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .map(|(kind, noun)| (of(kind), noun))
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| text::count(count, noun))
        .collect();
    match counts.is_empty() {
        true => "no object that routes anything".to_string(),
        false => text::list(&counts),
    }
}

/// Listeners for a machine.
pub fn listeners(listeners: &[ListenerAt]) -> Value {
    let listeners = listeners.iter().map(|at| {
        json!({
            "gateway": at.gateway,
            "name": at.name,
            "hostname": at.hostname,
            "port": at.port,
            "protocol": if at.is_tls { "HTTPS" } else { "HTTP" },
            "address": at.address.to_string(),
        })
    });
    listeners.collect()
}

/// Warnings for a machine.
pub fn told(input: &Input) -> Value {
    let told = input.told(Weight::Warned).map(|(source, problem)| {
        json!({
            "file": source.origin,
            "line": problem.line,
            "column": problem.column,
            "object": problem.path,
            "what": problem.what,
            "hint": problem.hint,
        })
    });
    told.collect()
}

pub fn warnings(lines: &[String], look: Look) -> String {
    let mut out = String::new();
    for line in lines {
        let mark = match line.starts_with(' ') {
            true => " ".to_string(),
            false => look.warned(),
        };
        out.push_str(&format!("{mark} {line}\n"));
    }
    out
}

/// Where tools of operation ask.
pub fn doors(urls: &Value) -> String {
    let url = |name: &str| urls[name].as_str().unwrap_or("").to_string();
    let rows = [
        ("ready", "ready"),
        ("metrics", "metrics"),
        ("config", "configDump"),
    ];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(title, name)| vec!["  ".to_string(), title.to_string(), url(name)])
        .collect();
    text::table(&rows).join("\n") + "\n"
}

/// A new version of the files is served.
pub fn reloaded(objects: &[Value], look: Look) -> String {
    format!("{} reloaded: {}\n", look.good(), counts(objects))
}

/// A new version of the files can't be, and why.
pub fn kept(error: &Error, look: Look) -> String {
    format!("{}  the old objects go on\n", human::error(error, look))
}
