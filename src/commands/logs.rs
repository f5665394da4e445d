//! `gw logs [COUNT|SOURCE|ROUTE]`: what gateway, controller and our own processes wrote, in time order.

use super::Outcome;
use super::session::Session;
use crate::apply::record::Record;
use crate::cli::Logs;
use crate::cluster::log;
use crate::diagnose::log::{Line, parse, stamped};
use crate::error::{Error, Result};
use crate::gateway::before;
use crate::report::document::Document;
use crate::report::log as shown;
use crate::verify::gateway::NOWHERE;
use k8s_openapi::jiff::Timestamp;
use std::collections::HashMap;
use std::fs;
use std::time::Duration;

const LINES: usize = 50;
/// The most that is read of any one log.
const DEPTH: i64 = 2000;
/// Between two looks while following.
const PAUSE: Duration = Duration::from_millis(700);
const CLUSTER: [&str; 2] = ["controller", "proxy"];

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

pub async fn run(session: &Session, options: &Logs) -> Outcome {
    let record = session.record()?;
    let wanted = wanted(&record, options)?;
    let mut lines = read(session, &record, &wanted).await?;
    let mut seen = Seen::default();
    if options.follow {
        seen.news(&lines);
    }
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
    let mut sources: Vec<String> = Vec::new();
    print(session, &lines, &mut sources);
    if !options.follow {
        return Ok(None);
    }
    loop {
        tokio::time::sleep(PAUSE).await;
        let Ok(now) = read(session, &record, &wanted).await else {
            continue;
        };
        let mut new = seen.news(&now);
        new.retain(|line| wanted.takes(line));
        print(session, &new, &mut sources);
    }
}

/// What was there at the last look, by source: how often each line. Lines without a time are alike.
#[derive(Default)]
struct Seen(HashMap<String, HashMap<String, usize>>);

impl Seen {
    /// Lines that were not there yet. A log that can't be read for once has not been forgotten.
    fn news(&mut self, now: &[Line]) -> Vec<Line> {
        let mut there: HashMap<String, HashMap<String, usize>> = HashMap::new();
        let mut news = Vec::new();
        for line in now {
            let identity = identity(line);
            let of_source = self.0.get(&line.source);
            let known = of_source.and_then(|lines| lines.get(&identity)).copied();
            let lines = there.entry(line.source.clone()).or_default();
            let count = lines.entry(identity).or_default();
            *count += 1;
            if *count > known.unwrap_or(0) {
                news.push(line.clone());
            }
        }
        self.0.extend(there);
        news
    }
}

fn identity(line: &Line) -> String {
    let at = line.at.map(|at| at.to_string()).unwrap_or_default();
    format!("{}\n{at}\n{}", line.source, line.text())
}

fn print(session: &Session, lines: &[Line], sources: &mut Vec<String>) {
    let mut text = String::new();
    for line in lines {
        let hue = sources
            .iter()
            .position(|source| *source == line.source)
            .unwrap_or_else(|| {
                sources.push(line.source.clone());
                sources.len() - 1
            });
        let wide = sources.iter().map(String::len).max().unwrap_or(0);
        let said = match session.is_json() {
            true => shown::value(line).to_string(),
            false => shown::line(line, wide, hue, session.out),
        };
        text.push_str(&said);
        text.push('\n');
    }
    session.write(&text);
}

impl Wanted {
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
        let wrong = !self.errors || line.is_error();
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
async fn read(session: &Session, record: &Record, wanted: &Wanted) -> Result<Vec<Line>> {
    let on_cluster = record.is_on_cluster();
    let is_wanted = |source: &str| {
        wanted.source.as_ref().is_none_or(|named| {
            named == source || (named == "relay" && source.starts_with("relay"))
        })
    };
    let mut logs: Vec<Vec<Line>> = Vec::new();
    let mut fault = None;
    if on_cluster
        && CLUSTER.iter().any(|source| is_wanted(source))
        && wanted.source.as_deref() != Some("relay")
    {
        match session.access(record).client().await {
            Ok(client) => {
                for (source, space, name) in [
                    ("controller", record.system(), "agentgateway"),
                    ("proxy", record.namespace.as_str(), record.gateway.as_str()),
                ] {
                    if !is_wanted(source) {
                        continue;
                    }
                    match log::all(&client, space, name, DEPTH).await {
                        Ok(lines) => {
                            logs.push(lines.iter().map(|line| stamped(source, line)).collect())
                        }
                        Err(error) => fault = fault.or(Some(error)),
                    }
                }
            }
            Err(error) => fault = Some(error),
        }
    }
    logs.extend(files(session, &is_wanted));
    if logs.iter().all(Vec::is_empty) {
        let source = wanted.source.as_deref().unwrap_or("gateway");
        return Err(fault.unwrap_or_else(|| {
            Error::new(format!("the {source} has written no log"), "gw status")
        }));
    }
    Ok(merged(logs))
}

/// Logs of background processes, each with what was put aside when it grew.
fn files(session: &Session, is_wanted: &dyn Fn(&str) -> bool) -> Vec<Vec<Line>> {
    let folder = session.environment().folder().to_path_buf();
    let mut logs = Vec::new();
    for file in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let Some(role) = name.strip_suffix(".log").filter(|role| is_wanted(role)) else {
            continue;
        };
        let texts = [before(&file.path()), file.path()]
            .map(|part| fs::read_to_string(part).unwrap_or_default());
        let lines = texts.iter().flat_map(|text| text.lines());
        logs.push(lines.map(|line| parse(role, line)).collect());
    }
    logs
}

/// In time order; a line without a time stays behind the one that it follows.
fn merged(logs: Vec<Vec<Line>>) -> Vec<Line> {
    let mut all: Vec<(Timestamp, Line)> = Vec::new();
    for log in logs {
        let mut last = Timestamp::UNIX_EPOCH;
        for line in log {
            last = line.at.unwrap_or(last);
            all.push((last, line));
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followed_lines_are_told_once_and_again_where_they_come_again() {
        let mut seen = Seen::default();
        let mut news = |texts: &[(&str, &str)]| {
            let lines: Vec<Line> = texts
                .iter()
                .map(|(source, text)| parse(source, text))
                .collect();
            let news = seen.news(&lines).into_iter().map(|line| line.message);
            news.collect::<Vec<String>>()
        };
        let (proxy, relay) = (("proxy", "2026-11-25T10:00:00Z one"), ("relay", "refused"));
        assert_eq!(news(&[proxy, relay]), ["one", "refused"]);
        // For one look the proxy's log can't be read.
        assert!(news(&[relay]).is_empty());
        assert!(news(&[proxy, relay]).is_empty());
        assert_eq!(news(&[proxy, relay, relay]), ["refused"]);
        // The relay's log was begun anew.
        assert!(news(&[proxy, relay]).is_empty());
        assert_eq!(news(&[proxy, relay, relay]), ["refused"]);
    }

    #[test]
    fn logs_are_merged_by_time_and_lines_without_one_stay_where_they_were() {
        let first = vec![
            parse("a", "2026-11-25T10:00:00Z one"),
            parse("a", "without a time"),
            parse("a", "2026-11-25T10:00:02Z three"),
        ];
        let second = vec![parse("b", "2026-11-25T10:00:01Z two")];
        let said: Vec<String> = merged(vec![first, second])
            .into_iter()
            .map(|line| line.message)
            .collect();
        assert_eq!(said, ["one", "without a time", "two", "three"]);
    }
}
