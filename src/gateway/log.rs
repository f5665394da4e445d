//! Where access log lines go: a thread of its own writes them, so that a slow disk never holds up a request.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Lines that may wait for the writer; more are dropped rather than waited for.
const WAITING: usize = 4096;
/// How long a line waits for others to be written with.
const MOMENT: Duration = Duration::from_millis(4);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Log(SyncSender<Option<String>>);

impl Log {
    /// Starts the writer; it ends at `end`, or when the last `Log` is dropped.
    pub fn start(writer: Box<dyn Write + Send>) -> std::io::Result<(Log, JoinHandle<()>)> {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = thread::Builder::new()
            .name("access-log".to_string())
            .stack_size(128 << 10)
            .spawn(move || write_all(&receiver, writer))?;
        Ok((Log(sender), thread))
    }

    /// Hands over a line with its line end.
    pub fn line(&self, line: String) {
        // A full channel means the disk is slower than the traffic, a closed one that we are stopping.
        let _ = self.0.try_send(Some(line));
    }

    /// Lets the writer finish what waits. Blocks while the channel is full.
    pub fn end(&self) {
        // A writer that has ended already has nothing left to finish.
        let _ = self.0.send(None);
    }
}

/// Lines are written in batches: one write for all that a moment brings, and no waking for each.
fn write_all(lines: &Receiver<Option<String>>, mut writer: Box<dyn Write + Send>) {
    let mut batch = String::new();
    while let Ok(Some(line)) = lines.recv() {
        batch.push_str(&line);
        thread::sleep(MOMENT);
        let mut ended = false;
        for line in lines.try_iter().take(WAITING) {
            match line {
                Some(line) => batch.push_str(&line),
                None => ended = true,
            }
        }
        // A log that can't be written must not stop traffic; there is nobody to tell.
        let _ = writer.write_all(batch.as_bytes());
        let _ = writer.flush();
        batch.clear();
        if ended {
            return;
        }
    }
}
