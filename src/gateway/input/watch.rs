//! Whether files have changed since they were read.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is seen of files without reading them. Two that are equal mean that nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, Option<Mark>)>);

/// Inode, length, and time of the last change down to the nanosecond: an editor that replaces a file changes the first.
type Mark = (u64, u64, i64, i64);

impl Stamp {
    /// Of the same names that `load` takes.
    pub fn of(names: &[String]) -> Stamp {
        let mut marks = Vec::new();
        for path in names.iter().filter(|name| *name != "-").map(Path::new) {
            marks.push((path.to_path_buf(), mark(path)));
            let inside = fs::read_dir(path).into_iter().flatten().flatten();
            marks.extend(inside.map(|entry| (entry.path(), mark(&entry.path()))));
        }
        marks.sort();
        Stamp(marks)
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let seen = |data: Metadata| (data.ino(), data.len(), data.mtime(), data.mtime_nsec());
    fs::metadata(path).ok().map(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_what_is_in_a_file_and_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "a: 1").unwrap();
        let names = [
            folder.path().to_string_lossy().into_owned(),
            "-".to_string(),
        ];
        let before = Stamp::of(&names);
        assert_eq!(Stamp::of(&names), before);
        fs::write(&file, "a: 12").unwrap();
        let written = Stamp::of(&names);
        assert_ne!(written, before);
        fs::write(folder.path().join("b.yaml"), "").unwrap();
        assert_ne!(Stamp::of(&names), written);
    }
}
