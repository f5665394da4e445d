//! What happens while it happens: phases begin, wait for something, and end. `report` draws them.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Done,
    Skipped,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A phase has begun; `name` is one short noun such as `charts`.
    Begin { name: String },
    /// The phase waits, and for what: `agentgateway: pulling image`.
    Waiting { name: String, reason: String },
    /// The phase ended; `detail` is what a person reads after its name.
    End {
        name: String,
        ending: Ending,
        detail: String,
        elapsed: Duration,
    },
    /// Something worth a line that belongs to no phase.
    Note { text: String },
}

/// Where events go. Cheap to clone; safe to use from parallel steps.
#[derive(Clone)]
pub struct Sink(Arc<dyn Fn(Event) + Send + Sync>);

impl Sink {
    pub fn new(receive: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Sink(Arc::new(receive))
    }

    /// Drops every event.
    pub fn none() -> Self {
        Sink::new(|_| {})
    }

    pub fn send(&self, event: Event) {
        (self.0)(event);
    }

    pub fn note(&self, text: impl Into<String>) {
        self.send(Event::Note { text: text.into() });
    }

    /// Begins a phase. Dropping the task without ending it reports failure, so that an early
    /// return can't leave a tick that is not true.
    pub fn begin(&self, name: impl Into<String>) -> Task {
        let name = name.into();
        self.send(Event::Begin { name: name.clone() });
        Task {
            sink: self.clone(),
            name,
            start: Instant::now(),
            ended: false,
        }
    }
}

/// A phase that has begun.
pub struct Task {
    sink: Sink,
    name: String,
    start: Instant,
    ended: bool,
}

impl Task {
    pub fn waiting(&self, reason: impl Into<String>) {
        self.sink.send(Event::Waiting {
            name: self.name.clone(),
            reason: reason.into(),
        });
    }

    pub fn done(mut self, detail: impl Into<String>) {
        self.end(Ending::Done, detail.into());
    }

    pub fn skipped(mut self, reason: impl Into<String>) {
        self.end(Ending::Skipped, reason.into());
    }

    pub fn failed(mut self, detail: impl Into<String>) {
        self.end(Ending::Failed, detail.into());
    }

    fn end(&mut self, ending: Ending, detail: String) {
        self.ended = true;
        self.sink.send(Event::End {
            name: self.name.clone(),
            ending,
            detail,
            elapsed: self.start.elapsed(),
        });
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Ending::Failed, String::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_task_that_is_dropped_has_failed() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let sink = Sink::new(move |event| log.lock().unwrap().push(event));
        drop(sink.begin("charts"));
        let events = seen.lock().unwrap();
        assert!(
            matches!(&events[1], Event::End { ending: Ending::Failed, name, .. } if name == "charts")
        );
    }
}
