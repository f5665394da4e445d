//! `gw logs --follow`: lines as they are written, until the reader, a signal or `gw down` ends it.

use super::{Printer, Seen, Wanted, merged};
use crate::apply::record::Record;
use crate::cluster::follow::{News, follow as follow_pods};
use crate::commands::session::Session;
use crate::diagnose::log::{Line, parse, stamped};
use crate::error::Result;
use crate::host::terminal::has_reader;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Between two looks at files: nobody sees it.
const LOOK: Duration = Duration::from_millis(30);
/// How long a line waits for earlier ones of other logs.
const MERGE: Duration = Duration::from_millis(30);
/// Between two looks whether anybody reads, and whether there is anything to follow.
const CHECK: Duration = Duration::from_millis(500);

type Told = (&'static str, News);

pub async fn follow(
    session: &Session,
    record: &Record,
    wanted: &Wanted,
    mut seen: Seen,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let (sender, mut news) = unbounded_channel();
    // Readers end with this.
    let _readers = readers(&mut seen, &sender);
    let (mut last, mut silent) = (std::mem::take(&mut seen.last), false);
    let mut checked = Instant::now();
    loop {
        let mut lines = come(session, &mut news, &mut silent).await;
        for (role, texts) in seen.files.news(&|role| wanted.is_of(role)) {
            lines.extend(texts.iter().map(|text| parse(&role, text)));
        }
        let mut lines = merged(lines, &mut last);
        lines.retain(|line| wanted.takes(line));
        if !lines.is_empty() {
            printer.print(&lines);
        }
        if checked.elapsed() < CHECK && lines.is_empty() {
            continue;
        }
        checked = Instant::now();
        if !has_reader() {
            return Ok(());
        }
        if !session.environment().record().exists() {
            let what = format!("environment `{}` was taken down", record.environment);
            session.sink.note(what);
            return Ok(());
        }
    }
}

/// Where there is no way to the cluster, which has been said, files are followed alone.
fn readers(seen: &mut Seen, sender: &UnboundedSender<Told>) -> JoinSet<()> {
    let mut readers = JoinSet::new();
    let Some(client) = &seen.client else {
        return readers;
    };
    let begun = seen.begun;
    for pods in std::mem::take(&mut seen.pods) {
        let client = client.clone();
        let (source, sender) = (pods.source, sender.clone());
        readers.spawn(async move {
            let told = move |news| sender.send((source, news)).is_ok();
            let whose = (pods.namespace.as_str(), pods.name.as_str());
            follow_pods(client, whose, &pods.read, begun, told).await;
        });
    }
    readers
}

/// What pods have written, within a moment.
async fn come(
    session: &Session,
    news: &mut UnboundedReceiver<Told>,
    silent: &mut bool,
) -> Vec<Line> {
    let first = tokio::select! {
        // This side keeps a sender: it is never closed.
        first = news.recv() => first,
        () = sleep(LOOK) => None,
    };
    let Some(first) = first else {
        return Vec::new();
    };
    sleep(MERGE).await;
    let rest = std::iter::from_fn(|| news.try_recv().ok());
    let mut lines = Vec::new();
    for (source, news) in std::iter::once(first).chain(rest) {
        match news {
            News::Line(text) => lines.push(stamped(source, &text)),
            News::Silent(why) if !std::mem::replace(silent, true) => {
                let what = "the API server does not answer; logs go on when it does";
                session.sink.note(format!("{what}: {why}"));
            }
            News::Back if std::mem::replace(silent, false) => {
                session.sink.note("the API server answers again");
            }
            News::Silent(_) | News::Back => {}
        }
    }
    lines
}
