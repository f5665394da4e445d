//! A log file that does not grow without end: when it is full, it is kept once and begun anew.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How long a log may grow; with the one before it, a disk holds twice as much at most.
const LARGEST: u64 = 10 << 20;

/// Appends to a file. Others may append to it too, such as the process's own stderr: the file stays
/// the same one and is only emptied.
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    length: u64,
    largest: u64,
}

impl RotatingFile {
    pub fn open(path: &Path) -> io::Result<RotatingFile> {
        RotatingFile::bounded(path, LARGEST)
    }

    fn bounded(path: &Path, largest: u64) -> io::Result<RotatingFile> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(RotatingFile {
            path: path.to_path_buf(),
            file,
            length,
            largest,
        })
    }
}

/// Where the lines before those of a log are kept: `gateway.log.1`.
pub fn before(log: &Path) -> PathBuf {
    let mut name: OsString = log.as_os_str().to_os_string();
    name.push(".1");
    PathBuf::from(name)
}

impl Write for RotatingFile {
    /// Takes whole lines, as the log's writer hands them over: none is cut in two.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.length > 0 && self.length + data.len() as u64 > self.largest {
            match fs::copy(&self.path, before(&self.path)) {
                // Somebody deleted it: what is written to the old file nobody sees.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    *self = RotatingFile::bounded(&self.path.clone(), self.largest)?;
                }
                copied => {
                    copied?;
                    self.file.set_len(0)?;
                    self.length = 0;
                }
            }
        }
        self.file.write_all(data)?;
        self.length += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_kept_once_and_no_line_is_lost_or_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.log");
        let mut log = RotatingFile::bounded(&path, 64).unwrap();
        for number in 0..10 {
            writeln!(log, "line number {number:>7}").unwrap();
        }
        let old = fs::read_to_string(before(&path)).unwrap();
        let new = fs::read_to_string(&path).unwrap();
        assert!(new.len() <= 64 && old.len() <= 64, "{old}{new}");
        let both = format!("{old}{new}");
        assert!(both.lines().all(|line| line.len() == 19), "{both}");
        assert!(both.ends_with("line number       9\n"), "{both}");
    }

    #[test]
    fn a_log_that_was_deleted_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.log");
        let mut log = RotatingFile::bounded(&path, 64).unwrap();
        fs::remove_file(&path).unwrap();
        for number in 0..10 {
            writeln!(log, "line number {number:>7}").unwrap();
        }
        let new = fs::read_to_string(&path).unwrap();
        assert!(new.ends_with("line number       9\n"), "{new}");
    }

    #[test]
    fn a_log_goes_on_where_the_last_process_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.log");
        fs::write(&path, "old\n").unwrap();
        RotatingFile::open(&path)
            .unwrap()
            .write_all(b"new\n")
            .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\nnew\n");
    }
}
