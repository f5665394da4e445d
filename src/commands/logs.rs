//! `gw logs [COUNT|SOURCE|ROUTE]`: what gateway, controller and our own processes wrote, in time order.

mod follow;
mod tail;

use super::Outcome;
use super::session::Session;
use crate::apply::record::Record;
use crate::cli::Logs;
use crate::cluster::log::{self, Back, Run};
use crate::diagnose::log::{Line, parse, stamped};
use crate::error::{Error, Exit, Result};
use crate::gateway::ends::ending;
use crate::report::document::Document;
use crate::report::log as shown;
use crate::verify::gateway::NOWHERE;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use std::collections::HashMap;
use tail::Tails;

const LINES: usize = 50;
/// The most that is read of any one log where nothing was said of how far back.
const DEPTH: i64 = 2000;

/// What was asked for.
struct Wanted {
    count: usize,
    /// Whose lines; every one's where nothing was said.
    source: Option<String>,
    /// A route of ours, by name and path.
    route: Option<(String, String)>,
    since: Option<Timestamp>,
    errors: bool,
}

/// The logs that were read, and how far.
struct Seen {
    lines: Vec<Line>,
    pods: Vec<Pods>,
    files: Tails,
    /// When it was begun to read them.
    begun: Timestamp,
    /// The way to the cluster, where pods are wanted and it is there.
    client: Option<Client>,
    /// When each source has spoken last.
    last: HashMap<String, Timestamp>,
}

/// The pods of one source.
struct Pods {
    source: &'static str,
    namespace: String,
    name: String,
    read: Vec<(Run, Vec<String>)>,
}

pub async fn run(session: &Session, options: &Logs) -> Outcome {
    tokio::select! {
        outcome = told(session, options) => outcome,
        // Whoever follows has no other way to end it: nothing is to be said.
        number = ending() => Ok(Some(Exit::Signal(u8::try_from(number).unwrap_or(0)))),
    }
}

async fn told(session: &Session, options: &Logs) -> Outcome {
    let record = session.record()?;
    let wanted = wanted(&record, options)?;
    let mut seen = read(session, &record, &wanted, options.follow).await?;
    let mut lines = std::mem::take(&mut seen.lines);
    lines.retain(|line| wanted.takes(line));
    let lines = lines.split_off(lines.len().saturating_sub(wanted.count));
    if session.is_json() && !options.follow {
        let values: Vec<serde_json::Value> = lines.iter().map(shown::value).collect();
        session.write(
            &Document::new("logs", &record.environment)
                .set("lines", values)
                .text(),
        );
        return Ok(None);
    }
    let mut printer = Printer::new(session);
    printer.print(&lines);
    if options.follow {
        follow::follow(session, &record, &wanted, seen, &mut printer).await?;
    }
    Ok(None)
}

/// Lines as they are shown: each source with its colour, in the order in which they come.
struct Printer<'a> {
    session: &'a Session,
    sources: Vec<String>,
}

impl<'a> Printer<'a> {
    fn new(session: &'a Session) -> Self {
        Printer {
            session,
            sources: Vec::new(),
        }
    }

    fn print(&mut self, lines: &[Line]) {
        let mut text = String::new();
        for line in lines {
            let known = self
                .sources
                .iter()
                .position(|source| *source == line.source);
            let hue = known.unwrap_or_else(|| {
                self.sources.push(line.source.clone());
                self.sources.len() - 1
            });
            let wide = self.sources.iter().map(String::len).max().unwrap_or(0);
            let said = match self.session.is_json() {
                true => shown::value(line).to_string(),
                false => shown::line(line, wide, hue, self.session.out),
            };
            text.push_str(&said);
            text.push('\n');
        }
        self.session.write(&text);
    }
}

impl Wanted {
    /// Pods whose logs are wanted.
    fn pods(&self, record: &Record) -> Vec<Pods> {
        let all = [
            ("controller", record.system(), "agentgateway"),
            ("proxy", record.namespace.as_str(), record.gateway.as_str()),
        ];
        let wanted = all
            .into_iter()
            .filter(|(source, ..)| record.is_on_cluster() && self.is_of(source));
        let pods = wanted.map(|(source, namespace, name)| Pods {
            source,
            namespace: namespace.to_string(),
            name: name.to_string(),
            read: Vec::new(),
        });
        pods.collect()
    }

    fn is_of(&self, source: &str) -> bool {
        self.source.as_ref().is_none_or(|named| {
            named == source || (named == "relay" && source.starts_with("relay"))
        })
    }

    fn back(&self) -> Back {
        self.since.map_or(Back::Lines(DEPTH), Back::To)
    }

    fn takes(&self, line: &Line) -> bool {
        let route = self
            .route
            .as_ref()
            .is_none_or(|(name, path)| line.is_of(name, path));
        // A line without a time is of the moment of its neighbours, which nobody knows: it is shown.
        let recent = match (self.since, line.at) {
            (Some(since), Some(at)) => at >= since,
            _ => true,
        };
        // What a proof has refused on purpose is nobody's error.
        let wrong = !self.errors || line.is_error() && !line.is_own();
        // Whether the gateway answers is asked with this path, by every status: nobody's request.
        let own = line.field("http.path") == Some(NOWHERE);
        route && recent && wrong && !own
    }
}

fn wanted(record: &Record, options: &Logs) -> Result<Wanted> {
    let mut wanted = Wanted {
        count: if options.since.is_some() {
            usize::MAX
        } else {
            LINES
        },
        source: None,
        route: None,
        since: None,
        errors: options.errors,
    };
    for word in &options.what {
        match word.parse() {
            Ok(number) => wanted.count = number,
            Err(_) => name(&mut wanted, record, word)?,
        }
    }
    if let Some(span) = options.since {
        wanted.since = Timestamp::now()
            .checked_sub(k8s_openapi::jiff::SignedDuration::try_from(span).unwrap_or_default())
            .ok();
    }
    Ok(wanted)
}

fn name(wanted: &mut Wanted, record: &Record, word: &str) -> Result<()> {
    let on_cluster = record.is_on_cluster();
    let bare = word.trim_start_matches('/');
    let route = record
        .routes
        .iter()
        .find(|route| route.path == word || route.name == bare);
    match word {
        "controller" if on_cluster => wanted.source = Some("controller".to_string()),
        "gateway" | "proxy" if on_cluster => wanted.source = Some("proxy".to_string()),
        "gateway" | "proxy" => wanted.source = Some("gateway".to_string()),
        "relay" | "processor" | "forward" | "bridge" => wanted.source = Some(word.to_string()),
        other if other.starts_with("relay-") => wanted.source = Some(word.to_string()),
        "mock" if route.is_none() || record.routes.len() > 1 => {
            wanted.source = Some("mock".to_string())
        }
        _ => match route {
            Some(route) => wanted.route = Some((route.name.clone(), route.path.clone())),
            None => {
                let known = if on_cluster {
                    "proxy, controller, forward, relay, mock, bridge"
                } else {
                    "gateway, mock, bridge"
                };
                let paths: Vec<&str> = record
                    .routes
                    .iter()
                    .map(|route| route.path.as_str())
                    .collect();
                let error = Error::usage(format!("there is no log `{word}`"), "gw logs gateway");
                return Err(error.fact(format!("known: {known}, {}", paths.join(", "))));
            }
        },
    }
    Ok(())
}

/// Every log that is wanted, merged in time order. A log that can't be read is no reason to show none of
/// the others, unless it is the one that was named.
async fn read(session: &Session, record: &Record, wanted: &Wanted, follow: bool) -> Result<Seen> {
    let mut seen = Seen {
        lines: Vec::new(),
        pods: Vec::new(),
        files: Tails::of(session.environment().folder()),
        begun: Timestamp::now(),
        client: None,
        last: HashMap::new(),
    };
    let mut fault = None;
    let mut logs: Vec<Line> = Vec::new();
    let pods = wanted.pods(record);
    if !pods.is_empty() {
        match session.access(record).client().await {
            Ok(client) => seen.client = Some(client),
            Err(error) => fault = Some(error),
        }
    }
    for mut pods in pods {
        if let Some(client) = &seen.client {
            match log::runs(client, &pods.namespace, &pods.name, wanted.back()).await {
                Ok(read) => pods.read = read,
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        let lines = pods.read.iter().flat_map(|(_, lines)| lines);
        logs.extend(lines.map(|line| stamped(pods.source, line)));
        seen.pods.push(pods);
    }
    for (role, lines) in seen.files.news(&|role| wanted.is_of(role)) {
        logs.extend(lines.iter().map(|line| parse(&role, line)));
    }
    match fault {
        Some(fault) if logs.is_empty() => return Err(fault),
        Some(fault) => {
            let why = fault.facts.first().map_or("", String::as_str);
            session.sink.note(format!("{}: {why}", fault.what));
        }
        None if logs.is_empty() && !follow => {
            let source = wanted.source.as_deref().unwrap_or("gateway");
            let what = format!("the {source} has written no log");
            return Err(Error::new(what, "gw status"));
        }
        None => {}
    }
    seen.lines = merged(logs, &mut seen.last);
    Ok(seen)
}

/// In time order; a line without a time stays behind the one of its source that it follows, whose time
/// `last` keeps.
fn merged(lines: Vec<Line>, last: &mut HashMap<String, Timestamp>) -> Vec<Line> {
    let timed = lines.into_iter().map(|line| {
        let before = last.get(&line.source).copied();
        let at = line.at.or(before).unwrap_or(Timestamp::UNIX_EPOCH);
        last.insert(line.source.clone(), at);
        (at, line)
    });
    let mut all: Vec<(Timestamp, Line)> = timed.collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_merged_by_time_and_lines_without_one_stay_where_they_were() {
        let lines = [
            ("a", "2026-11-25T10:00:00Z one"),
            ("a", "without a time"),
            ("a", "2026-11-25T10:00:02Z three"),
            ("b", "2026-11-25T10:00:01Z two"),
        ];
        let lines = lines.iter().map(|(source, text)| parse(source, text));
        let mut last = HashMap::new();
        let mut said = merged(lines.collect(), &mut last);
        // What comes later goes on where this ended.
        let later = [
            ("b", "2026-11-25T10:00:02Z four"),
            ("a", "without a time too"),
        ];
        let later = later.iter().map(|(source, text)| parse(source, text));
        said.extend(merged(later.collect(), &mut last));
        let said: Vec<String> = said.into_iter().map(|line| line.message).collect();
        let expected = [
            "one",
            "without a time",
            "two",
            "three",
            "four",
            "without a time too",
        ];
        assert_eq!(said, expected);
    }
}
