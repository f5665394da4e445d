//! One answer of the answers of all servers (facts 9.8).

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, SelectAll};
use serde_json::{Value, json};

use super::message::{Kind, Message};
use super::rules::Access;
use super::stream::Messages;
use super::target::Servers;

/// What the real proxy says of itself where it speaks for several servers (recording `two-initialize`).
const INSTRUCTIONS: &str = "This server is a gateway to a set of mcp servers. It is responsible for routing requests to the correct server and aggregating the results.";

type Tagged = stream::BoxStream<'static, (usize, Result<Message, String>)>;

struct Merge {
    request: Message,
    servers: Arc<Servers>,
    access: Access,
    streams: SelectAll<Tagged>,
    results: Vec<Option<Value>>,
    done: bool,
}

/// What all servers say to one request: everything that comes before their answers as it comes, then
/// one answer. An error of any server is the answer.
pub(super) fn merged(
    request: Message,
    servers: Arc<Servers>,
    access: Access,
    answers: Vec<Messages>,
) -> Messages {
    let results = vec![None; answers.len()];
    let tagged = answers.into_iter().enumerate().map(|(index, messages)| {
        let tag = move |item| (index, item);
        messages.map(tag).boxed()
    });
    let merge = Merge {
        request,
        servers,
        access,
        streams: stream::select_all(tagged),
        results,
        done: false,
    };
    stream::unfold(merge, Merge::next).boxed()
}

impl Merge {
    async fn next(mut self) -> Option<(Result<Message, String>, Merge)> {
        if self.done {
            return None;
        }
        loop {
            if self.results.iter().all(Option::is_some) {
                self.done = true;
                let results = self.results.drain(..).flatten().collect();
                let result = combine(&self.request, &self.servers, &self.access, results);
                let answer = Message::result(self.request.id(), result);
                return Some((Ok(answer.shaped(self.request.method())), self));
            }
            let Some((index, item)) = self.streams.next().await else {
                self.done = true;
                let cause = "upstream closed on receive".to_string();
                return Some((Err(cause), self));
            };
            match item {
                Ok(message) if message.kind == Kind::Result => {
                    self.results[index] = Some(message.into_result());
                }
                Ok(message) if message.kind == Kind::Error => {
                    self.done = true;
                    return Some((Ok(message), self));
                }
                Ok(message) => return Some((Ok(message), self)),
                Err(cause) => {
                    self.done = true;
                    return Some((Err(cause), self));
                }
            }
        }
    }
}

/// The result for a client, of one for each server. Lists have no second page: the real proxy drops
/// the cursor.
fn combine(request: &Message, servers: &Servers, access: &Access, results: Vec<Value>) -> Value {
    match request.method() {
        "initialize" => initialize(request, servers, results),
        "tools/list" => list(servers, results, "tools", |target, item| {
            named(servers, access, "tool", target, item)
        }),
        "prompts/list" => list(servers, results, "prompts", |target, item| {
            named(servers, access, "prompt", target, item)
        }),
        "resources/list" => list(servers, results, "resources", |target, item| {
            allowed(access, target, item, "uri")
        }),
        "resources/templates/list" => {
            list(servers, results, "resourceTemplates", |target, item| {
                allowed(access, target, item, "uriTemplate")
            })
        }
        _ => json!({}),
    }
}

/// One server speaks for itself. Of several, the lowest version counts.
fn initialize(request: &Message, servers: &Servers, results: Vec<Value>) -> Value {
    let versions = results.iter().filter_map(|r| r["protocolVersion"].as_str());
    let version = versions.min().or(request.param("protocolVersion"));
    let own = json!({
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "rmcp", "version": "0.14.0"},
        "instructions": INSTRUCTIONS,
    });
    match servers.only() {
        Some(_) => results.into_iter().next().unwrap_or(own),
        None => own,
    }
}

fn list(
    servers: &Servers,
    results: Vec<Value>,
    field: &str,
    kept: impl Fn(&str, Value) -> Option<Value>,
) -> Value {
    let mut all = Vec::new();
    for (target, mut result) in servers.targets.iter().zip(results) {
        if let Some(Value::Array(items)) = result.get_mut(field).map(Value::take) {
            all.extend(
                items
                    .into_iter()
                    .filter_map(|item| kept(&target.name, item)),
            );
        }
    }
    json!({field: all})
}

fn named(
    servers: &Servers,
    access: &Access,
    kind: &'static str,
    target: &str,
    mut item: Value,
) -> Option<Value> {
    let name = item.get("name")?.as_str()?.to_string();
    if !access.allows(kind, target, &name) {
        return None;
    }
    item["name"] = servers.outer_name(target, &name).into();
    Some(item)
}

fn allowed(access: &Access, target: &str, item: Value, field: &str) -> Option<Value> {
    let uri = item.get(field)?.as_str()?;
    access.allows("resource", target, uri).then_some(item)
}
