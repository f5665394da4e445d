//! What the bridge and its programs write, in the form that `gw logs` reads.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::gateway::clock;

#[derive(Clone)]
pub(super) struct Journal(Arc<Mutex<Box<dyn Write + Send>>>);

impl Journal {
    pub fn new(to: Box<dyn Write + Send>) -> Journal {
        Journal(Arc::new(Mutex::new(to)))
    }

    /// A line of a program's own.
    pub fn say(&self, server: &str, text: &str) {
        self.write(&format!("{server}: {text}"));
    }

    pub fn note(&self, server: &str, what: &str, pid: Option<u32>) {
        self.level("info", server, what, pid);
    }

    pub fn warn(&self, server: &str, what: &str, pid: Option<u32>) {
        self.level("warn", server, what, pid);
    }

    fn level(&self, level: &str, server: &str, what: &str, pid: Option<u32>) {
        let time = clock::precise(SystemTime::now());
        let pid = pid.map(|pid| format!(" pid={pid}")).unwrap_or_default();
        self.line(&format!("{time}\t{level}\t{server}: {what}{pid}\n"));
    }

    pub fn write(&self, text: &str) {
        let time = clock::precise(SystemTime::now());
        self.line(&format!("{time} {text}\n"));
    }

    fn line(&self, line: &str) {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that can't be written is no reason to answer nobody.
        let _ = to.write_all(line.as_bytes());
    }
}
