//! What we made, written before and after each change; `down` reads it backwards.
//!
//! One JSON object a line: `{"at": SECONDS, "event": "begin"|"removed", "thing": {…}}`. A line that
//! was cut by a kill is taken away: nothing was changed yet when it was being written.

use crate::error::{Error, Result};
use crate::plan::outcome::Journal;
use crate::plan::thing::Thing;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Serialize, Deserialize)]
struct Line {
    /// Seconds since 1970.
    at: u64,
    event: Happening,
    thing: Thing,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Happening {
    Begin,
    Removed,
}

pub struct Ledger {
    path: PathBuf,
    /// What we made and have not removed, oldest first.
    things: Mutex<Vec<Thing>>,
}

impl Ledger {
    pub fn open(path: &Path) -> Result<Self> {
        let mut text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(fault(path, &e)),
        };
        // A line that was cut goes: what it was to announce had not begun.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            text.truncate(whole);
            fs::write(path, &text).map_err(|e| fault(path, &e))?;
        }
        // Any other line that can't be read is damage, and a damaged ledger is not an empty one.
        if text
            .lines()
            .any(|line| serde_json::from_str::<Line>(line).is_err())
        {
            let what = format!("the ledger {} is damaged", path.display());
            return Err(Error::new(what, format!("cat {}", path.display())));
        }
        Ok(Ledger {
            path: path.to_path_buf(),
            things: Mutex::new(Self::read(&text)),
        })
    }

    /// What a ledger holds, without opening it for writing. Nothing where there is none.
    pub fn peek(path: &Path) -> Vec<Thing> {
        Self::read(&fs::read_to_string(path).unwrap_or_default())
    }

    fn read(text: &str) -> Vec<Thing> {
        let mut things = Vec::new();
        for line in text
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok())
        {
            match line.event {
                Happening::Begin => {
                    remember(&mut things, &line.thing);
                }
                Happening::Removed => things.retain(|thing| *thing != line.thing),
            }
        }
        things
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Thing>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, event: Happening, thing: &Thing) -> Result<()> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = Line {
            at: now.as_secs(),
            event,
            thing: thing.clone(),
        };
        let text = serde_json::to_string(&line).unwrap_or_default();
        append(&self.path, &format!("{text}\n"))
    }
}

impl Journal for Ledger {
    /// Notes that a thing is about to be made or changed. Noted once.
    fn begin(&self, thing: &Thing) -> Result<()> {
        let mut things = self.lock();
        if remember(&mut things, thing) {
            self.write(Happening::Begin, thing)?;
        }
        Ok(())
    }

    /// Notes that a thing of ours is gone.
    fn removed(&self, thing: &Thing) -> Result<()> {
        let mut things = self.lock();
        if things.contains(thing) {
            things.retain(|have| have != thing);
            self.write(Happening::Removed, thing)?;
        }
        Ok(())
    }

    fn knows(&self, thing: &Thing) -> bool {
        self.lock().contains(thing)
    }

    /// Oldest first.
    fn things(&self) -> Vec<Thing> {
        self.lock().clone()
    }
}

fn remember(things: &mut Vec<Thing>, thing: &Thing) -> bool {
    let new = !things.contains(thing);
    if new {
        things.push(thing.clone());
    }
    new
}

fn append(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| fault(path, &e))
}

fn fault(path: &Path, cause: &std::io::Error) -> Error {
    Error::new(
        format!("the ledger {} can't be used", path.display()),
        format!("ls -l {}", path.display()),
    )
    .because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(name: &str) -> Thing {
        Thing::Chart {
            name: name.into(),
            namespace: "n".into(),
        }
    }

    #[test]
    fn what_was_begun_and_not_removed_is_known_to_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let ledger = Ledger::open(&path).unwrap();
        for name in ["a", "b", "a", "c"] {
            ledger.begin(&chart(name)).unwrap();
        }
        ledger.removed(&chart("b")).unwrap();
        assert_eq!(
            Ledger::open(&path).unwrap().things(),
            [chart("a"), chart("c")]
        );
    }

    #[test]
    fn a_line_cut_by_a_kill_spoils_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        Ledger::open(&path).unwrap().begin(&chart("a")).unwrap();
        append(&path, "{\"at\": 1, \"event\": \"beg").unwrap();
        Ledger::open(&path).unwrap().begin(&chart("b")).unwrap();
        assert_eq!(
            Ledger::open(&path).unwrap().things(),
            [chart("a"), chart("b")]
        );
    }

    #[test]
    fn a_damaged_ledger_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        fs::write(&path, "garbage\n").unwrap();
        assert!(Ledger::open(&path).is_err_and(|error| error.what.contains("is damaged")));
    }
}
