//! Logs of pods as they are written: of every pod that comes, to the end of every one that goes.

use super::log::{Back, Run, labels, params, states};
use super::mark::Mark;
use futures::{AsyncBufReadExt, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{LogParams, WatchEvent, WatchParams};
use kube::{Api, Client, ResourceExt};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Before what failed is tried again.
const PAUSE: Duration = Duration::from_millis(250);
const DEADLINE: Duration = Duration::from_secs(5);
/// How long one watch lasts, in seconds: shorter than a client waits for an answer.
const WATCH: u32 = 50;

/// What comes of logs that are followed.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A line as the kubelet gives it, with its time before it.
    Line(String),
    /// The API server does not answer, and why.
    Silent(String),
    /// It answers again.
    Back,
}

/// What is known of a container of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct State {
    /// Of its last run.
    pub number: i32,
    /// Whether that run has begun: there is a log then.
    pub begun: bool,
    pub running: bool,
    /// Whether the pod was taken away.
    pub gone: bool,
}

/// A container of a pod: its uid and the container's name.
type Place = (String, String);

/// Who is told the news: whether there is somebody still.
type Ear = Arc<dyn Fn(News) -> bool + Send + Sync>;

/// Follows the logs of a deployment or a gateway from where they were read, where nothing was read from
/// `begun` on, and those of pods that come later from their beginning. It has no end of its own.
pub async fn follow(
    client: Client,
    (namespace, name): (&str, &str),
    read: &[(Run, Vec<String>)],
    begun: Timestamp,
    told: impl Fn(News) -> bool + Send + Sync + 'static,
) {
    let mut followed = Followed {
        pods: Api::namespaced(client, namespace),
        begun,
        read: HashMap::new(),
        states: HashMap::new(),
        readers: JoinSet::new(),
        ear: Arc::new(told),
    };
    for (run, lines) in read {
        let place = (run.uid.clone(), run.container.clone());
        let (mark, number) = followed.read.entry(place).or_default();
        *number = run.number.max(*number);
        lines.iter().for_each(|line| {
            mark.is_new(line);
        });
    }
    let mut silent = false;
    loop {
        if let Err(why) = followed.watch(name, &mut silent).await
            && !std::mem::replace(&mut silent, true)
            && !(followed.ear)(News::Silent(why))
        {
            return;
        }
        sleep(PAUSE).await;
    }
}

struct Followed {
    pods: Api<Pod>,
    begun: Timestamp,
    /// How far logs had been read before, and of which run they were.
    read: HashMap<Place, (Mark, i32)>,
    /// Where a reader of each container is told what becomes of it.
    states: HashMap<Place, Sender<State>>,
    readers: JoinSet<()>,
    ear: Ear,
}

impl Followed {
    /// Lists pods and watches them until the watch ends, as it does from time to time.
    async fn watch(&mut self, name: &str, silent: &mut bool) -> Result<(), String> {
        let list = timeout(DEADLINE, self.pods.list(&labels(name))).await;
        let list = list.map_err(|_| "no answer in 5 s".to_string())?;
        let list = list.map_err(|e| crate::error::chain(&e))?;
        if std::mem::take(silent) {
            (self.ear)(News::Back);
        }
        let there: Vec<String> = list.items.iter().filter_map(Pod::uid).collect();
        self.leave(|uid| !there.contains(uid));
        list.items.iter().for_each(|pod| self.join(pod));
        let mut params = WatchParams::default().timeout(WATCH);
        params.label_selector = labels(name).label_selector;
        let version = list.metadata.resource_version.unwrap_or_default();
        // What a watch lacks, the next list has.
        let Ok(changes) = self.pods.watch(&params, &version).await else {
            return Ok(());
        };
        let mut changes = std::pin::pin!(changes);
        while let Some(Ok(change)) = changes.next().await {
            match change {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => self.join(&pod),
                WatchEvent::Deleted(pod) => {
                    let uid = pod.uid().unwrap_or_default();
                    self.leave(|gone| *gone == uid);
                }
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(_) => break,
            }
        }
        Ok(())
    }

    /// Tells readers of a pod how it is now, and begins to read what is new.
    fn join(&mut self, pod: &Pod) {
        while self.readers.try_join_next().is_some() {}
        let uid = pod.uid().unwrap_or_default();
        let created = pod.creation_timestamp().map(|created| created.0);
        let is_old = created.is_some_and(|created| created < self.begun);
        for (container, state) in states(pod) {
            let place = (uid.clone(), container);
            if let Some(told) = self.states.get(&place) {
                told.send_if_modified(|known| std::mem::replace(known, state) != state);
                continue;
            }
            let (teller, told) = watch::channel(state);
            let read = self.read.remove(&place);
            let (mark, number) = read.unwrap_or_else(|| match is_old {
                true => (Mark::from(self.begun), state.number),
                false => (Mark::default(), 0),
            });
            let reader = Reader {
                pods: self.pods.clone(),
                run: Run {
                    pod: pod.name_any(),
                    uid: uid.clone(),
                    container: place.1.clone(),
                    number,
                },
                mark,
                ear: self.ear.clone(),
            };
            self.readers.spawn(reader.read(told));
            self.states.insert(place, teller);
        }
    }

    /// Pods that were taken away: what they wrote at last is read, and no more.
    fn leave(&mut self, is_gone: impl Fn(&String) -> bool) {
        self.states.retain(|(uid, _), told| {
            let gone = is_gone(uid);
            if gone {
                told.send_modify(|state| state.gone = true);
            }
            !gone
        });
    }
}

/// One container's log, through all of its runs: their lines come one after another.
struct Reader {
    pods: Api<Pod>,
    run: Run,
    mark: Mark,
    ear: Ear,
}

impl Reader {
    async fn read(mut self, mut told: Receiver<State>) {
        loop {
            let state = *told.borrow_and_update();
            if state.number > self.run.number {
                // What the former run wrote after it was read last.
                if !self.once(state, true).await && !state.gone {
                    sleep(PAUSE).await;
                    continue;
                }
                self.run.number = state.number;
            }
            let whole = !state.begun || self.once(state, false).await;
            if state.gone {
                return;
            }
            if whole && !state.running {
                if told.changed().await.is_err() {
                    return;
                }
            } else {
                // Broken off, or ended and nobody has said so yet.
                let _ = timeout(PAUSE, told.changed()).await;
            }
        }
    }

    /// Reads from where the last reading ended; whether to the end, or to where there is no log.
    async fn once(&mut self, state: State, previous: bool) -> bool {
        self.mark.again();
        let back = self.mark.since().map_or(Back::All, Back::To);
        let params = LogParams {
            follow: state.running && !state.gone && !previous,
            ..params(&self.run.container, back, previous)
        };
        let stream = match self.pods.log_stream(&self.run.pod, &params).await {
            Ok(stream) => stream,
            Err(error) => return matches!(error, kube::Error::Api(_)),
        };
        let mut stream = std::pin::pin!(stream);
        let mut line = Vec::new();
        loop {
            match stream.read_until(b'\n', &mut line).await {
                Ok(0) => return true,
                // A line that was cut is read whole the next time.
                Ok(_) if line.last() != Some(&b'\n') && params.follow => return false,
                Ok(_) => {}
                Err(_) => return false,
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches('\n');
            if self.mark.is_new(text) && !(self.ear)(News::Line(text.to_string())) {
                return true;
            }
            line.clear();
        }
    }
}
