//! One command at a time changes an environment; the second waits and says for whom.

use crate::error::{Error, Result};
use crate::text;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Held until dropped; the system lets go of it when the process ends, however it ends.
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// What this process holds. The file's own text may be of one that was killed and had our pid.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn held() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longer than anything that holds it may take.
const PATIENCE: Duration = Duration::from_secs(900);
const PAUSE: Duration = Duration::from_millis(50);

impl Lock {
    /// Whether this process holds it already, in whatever part of itself.
    pub fn is_ours(path: &Path) -> bool {
        held().contains(path)
    }

    fn of(file: File, path: &Path) -> Self {
        let path = path.to_path_buf();
        held().insert(path.clone());
        Lock { file, path }
    }

    /// Takes the lock if nobody holds it.
    pub fn take_free(path: &Path) -> Option<Self> {
        let file = open(path).ok()?;
        file.try_lock().ok()?;
        is_at(&file, path).then(|| Lock::of(file, path))
    }

    /// Takes the lock; `waiting` is told once who holds it.
    pub async fn take(path: &Path, command: &str, waiting: impl Fn(String)) -> Result<Self> {
        let folder = path.parent().unwrap_or(path).display();
        let fault = |e: &std::io::Error| {
            let what = format!("the state folder {folder} can't be written");
            let next = "XDG_STATE_HOME=/tmp/gatewright-state gw up";
            Error::new(what, next).because(e)
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| fault(&e))?;
        }
        let mut file = open(path).map_err(|e| fault(&e))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => break,
                // `down` took the folder away while we waited: what we hold is nobody's lock.
                Ok(()) => {
                    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
                    file = folder.and_then(|()| open(path)).map_err(|e| fault(&e))?;
                    continue;
                }
                Err(TryLockError::Error(e)) => return Err(fault(&e)),
                Err(TryLockError::WouldBlock) => {}
            }
            let holder = fs::read_to_string(path).unwrap_or_default();
            let holder = if holder.is_empty() {
                "another gw".to_string()
            } else {
                holder
            };
            if start.elapsed() > PATIENCE {
                let time = text::duration(PATIENCE);
                let what = format!("the environment is held by {holder} for {time}");
                return Err(Error::new(what, "gw status"));
            }
            if start.elapsed() < PAUSE {
                waiting(format!("waiting for {holder}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        let holder = format!("`gw {command}` (pid {})", std::process::id());
        let written = file
            .set_len(0)
            .and_then(|()| file.write_all(holder.as_bytes()));
        written.map_err(|e| fault(&e))?;
        Ok(Lock::of(file, path))
    }
}

impl Drop for Lock {
    /// Nobody is named who holds it no more.
    fn drop(&mut self) {
        held().remove(&self.path);
        let _ = self.file.set_len(0);
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(false).read(true).write(true);
    options.open(path)
}

/// Whether an open file is still the one that its path names.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn what_a_killed_process_of_our_number_wrote_makes_no_lock_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::write(&path, format!("`gw up` (pid {})", std::process::id())).unwrap();
        assert!(!Lock::is_ours(&path));
        let lock = Lock::take(&path, "up", |_| {}).await.unwrap();
        assert!(Lock::is_ours(&path));
        drop(lock);
        assert!(!Lock::is_ours(&path));
    }

    #[tokio::test]
    async fn a_second_command_waits_and_says_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/lock");
        let first = Lock::take(&path, "up", |_| {}).await.unwrap();
        assert!(Lock::take_free(&path).is_none());
        let said = Mutex::new(String::new());
        let second = Lock::take(&path, "down", |text| {
            *said.lock().unwrap() = text;
        });
        let free = async {
            tokio::time::sleep(Duration::from_millis(120)).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(second, free);
        drop(second.unwrap());
        assert!(Lock::take_free(&path).is_some());
        let holder = format!("waiting for `gw up` (pid {})", std::process::id());
        assert_eq!(*said.lock().unwrap(), holder);
    }
}
