//! `gw logs [COUNT|SOURCE]`: the end of a log.

use super::Outcome;
use super::session::Session;
use crate::apply::record::Record;
use crate::cli::Logs;
use crate::cluster::{client, log};
use crate::error::{Error, Result};
use crate::gateway::before;
use crate::profile::TargetKind;
use std::fs;

const LINES: usize = 50;

pub async fn run(session: &Session, options: &Logs) -> Outcome {
    let record = session.record()?;
    let mut count = LINES;
    let mut source = "gateway";
    for word in &options.what {
        match word.parse() {
            Ok(number) => count = number,
            Err(_) => source = word,
        }
    }
    let lines = read(session, &record, source, count).await?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    session.write(&text);
    Ok(None)
}

async fn read(
    session: &Session,
    record: &Record,
    source: &str,
    count: usize,
) -> Result<Vec<String>> {
    let on_cluster = record.target() == Some(TargetKind::Kind);
    match source {
        "gateway" | "proxy" if on_cluster => {
            from_pods(session, record, &record.gateway, count).await
        }
        "controller" if on_cluster => from_pods(session, record, "agentgateway", count).await,
        "gateway" | "proxy" => from_files(session, "gateway", count),
        "relay" | "mock" => from_files(session, source, count),
        other if other.starts_with("relay-") => from_files(session, other, count),
        other => {
            let error = Error::usage(format!("there is no log `{other}`"), "gw logs gateway");
            let known = if on_cluster {
                "gateway, proxy, controller, relay, mock"
            } else {
                "gateway, mock"
            };
            Err(error.fact(format!("known: {known}")))
        }
    }
}

async fn from_pods(
    session: &Session,
    record: &Record,
    name: &str,
    count: usize,
) -> Result<Vec<String>> {
    let client = client::connect(session.environment().kubeconfig()).await?;
    log::tail(&client, &record.namespace, name, count).await
}

/// Logs of background processes, of all roles that begin so.
fn from_files(session: &Session, role: &str, count: usize) -> Result<Vec<String>> {
    let folder = session.environment().folder().to_path_buf();
    let mut logs = Vec::new();
    for file in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with(role) && name.ends_with(".log") {
            logs.push(file.path());
        }
    }
    logs.sort();
    let mut lines = Vec::new();
    for log in &logs {
        for part in [&before(log), log] {
            let text = fs::read_to_string(part).unwrap_or_default();
            lines.extend(text.lines().map(str::to_string));
        }
    }
    if lines.is_empty() {
        return Err(Error::new(
            format!("the {role} has written no log"),
            "gw status",
        ));
    }
    Ok(lines.split_off(lines.len().saturating_sub(count)))
}
