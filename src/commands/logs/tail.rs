//! The logs of background processes as files: what was written since the last look.

use crate::gateway::before;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Every log of a folder, read to where it ended.
#[derive(Default)]
pub struct Tails {
    folder: PathBuf,
    tails: BTreeMap<String, Tail>,
}

/// One log. Its lines before are put aside in another file when it is full (`gateway.log.1`), and the
/// same file is emptied then.
#[derive(Default)]
struct Tail {
    /// How much of the file was read, to the end of a line.
    at: u64,
    file: Option<Mark>,
    aside: Option<Mark>,
}

/// Of a file that did not change it is the same.
#[derive(Clone, Copy, PartialEq)]
struct Mark {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Tails {
    pub fn of(folder: &Path) -> Tails {
        Tails {
            folder: folder.to_path_buf(),
            tails: BTreeMap::new(),
        }
    }

    /// New lines by whose they are, of those that are wanted: the first time all that there are.
    pub fn news(&mut self, is_wanted: &dyn Fn(&str) -> bool) -> Vec<(String, Vec<String>)> {
        let mut news = Vec::new();
        for file in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(role) = name.strip_suffix(".log").filter(|role| is_wanted(role)) else {
                continue;
            };
            let known = self.tails.contains_key(role);
            let tail = self.tails.entry(role.to_string()).or_default();
            let path = file.path();
            let mut bytes = match known {
                true => Vec::new(),
                false => fs::read(before(&path)).unwrap_or_default(),
            };
            tail.read(&path, known, &mut bytes);
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<String> = text.lines().map(str::to_string).collect();
            if !lines.is_empty() {
                news.push((role.to_string(), lines));
            }
        }
        news
    }
}

impl Tail {
    /// Whole lines that came since the last look.
    fn read(&mut self, path: &Path, known: bool, bytes: &mut Vec<u8>) {
        let (file, aside) = (mark(path), mark(&before(path)));
        if known && file == self.file {
            return;
        }
        let other = self
            .file
            .zip(file)
            .is_some_and(|(was, is)| was.inode != is.inode);
        if other || file.is_none_or(|file| file.length < self.at) {
            // What was not read yet was put aside.
            if known && !other && aside != self.aside {
                from(&before(path), self.at, bytes);
            }
            self.at = 0;
        }
        self.at += from(path, self.at, bytes);
        (self.file, self.aside) = (file, aside);
    }
}

/// Appends what a file has from a place on, to the end of its last line; how much that is.
fn from(path: &Path, at: u64, bytes: &mut Vec<u8>) -> u64 {
    let begun = bytes.len();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(at))?;
        file.read_to_end(bytes)
    });
    let end = bytes[begun..].iter().rposition(|byte| *byte == b'\n');
    let whole = match read {
        Ok(_) => end.map_or(0, |end| end + 1),
        // What can't be read now is read at the next look.
        Err(_) => 0,
    };
    bytes.truncate(begun + whole);
    whole as u64
}

fn mark(path: &Path) -> Option<Mark> {
    let seen = |data: Metadata| Mark {
        inode: data.ino(),
        length: data.len(),
        changed: (data.mtime(), data.mtime_nsec()),
    };
    fs::metadata(path).ok().map(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn every_line_of_a_file_comes_once_whole_and_across_the_moment_in_which_it_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("relay-ollama.log");
        let mut tails = Tails::of(folder.path());
        let mut news = || {
            let news = tails.news(&|role| role == "relay-ollama");
            news.into_iter()
                .flat_map(|(_, lines)| lines)
                .collect::<Vec<String>>()
        };
        assert!(news().is_empty());
        append(&before(&log), "zero\n");
        append(&log, "one\ntw");
        assert_eq!(news(), ["zero", "one"]);
        assert!(news().is_empty());
        append(&log, "o\nthree\n");
        assert_eq!(news(), ["two", "three"]);
        append(&log, "four\n");
        // As `RotatingFile` does it.
        fs::copy(&log, before(&log)).unwrap();
        OpenOptions::new()
            .write(true)
            .open(&log)
            .unwrap()
            .set_len(0)
            .unwrap();
        append(&log, "five\n");
        assert_eq!(news(), ["four", "five"]);
        // Begun anew by somebody else: nothing was put aside.
        fs::remove_file(&log).unwrap();
        append(&log, "six\n");
        assert_eq!(news(), ["six"]);
        append(&folder.path().join("other.log"), "not wanted\n");
        assert!(news().is_empty());
    }
}
