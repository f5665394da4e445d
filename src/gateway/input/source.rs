//! Files, folders and standard input.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::profile::problem::quote;

/// A file of objects is seldom longer than this, and never by much.
const LARGEST: u64 = 16 << 20;

/// A text, and what a person calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub origin: String,
    pub text: String,
}

/// Reads what was named: files, folders (their `*.yaml`, `*.yml` and `*.json`, by name), `-` for standard input.
pub fn load(names: &[String], mut stdin: impl Read) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for name in names {
        if name == "-" {
            sources.push(text("standard input", &mut stdin)?);
            continue;
        }
        let path = Path::new(name);
        let files = match path.is_dir() {
            true => inside(path)?,
            false => vec![path.to_path_buf()],
        };
        for file in files {
            let origin = file.to_string_lossy().into_owned();
            let opened = File::open(&file).map_err(|error| unreadable(&origin, &error))?;
            sources.push(text(&origin, opened)?);
        }
    }
    Ok(sources)
}

/// The files of a folder that `kubectl apply -f` would take.
fn inside(folder: &Path) -> Result<Vec<PathBuf>> {
    let origin = folder.to_string_lossy();
    let entries = fs::read_dir(folder).map_err(|error| unreadable(&origin, &error))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let is_ours = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("yaml" | "yml" | "json")) && path.is_file()
    };
    files.retain(is_ours);
    files.sort();
    match files.is_empty() {
        false => Ok(files),
        true => Err(Error::usage(
            format!("the folder {} has no YAML in it", quote(&origin)),
            format!("ls {origin}"),
        )),
    }
}

fn text(origin: &str, input: impl Read) -> Result<Source> {
    let mut bytes = Vec::new();
    let read = input.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(origin, &error))?;
    let next = format!("ls -l {origin}");
    if bytes.len() as u64 > LARGEST {
        let error = Error::usage(format!("{} is larger than 16 MiB", quote(origin)), next);
        return Err(error);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::usage(format!("{} is not a text", quote(origin)), next.clone())
            .fact(format!("byte {at} is not UTF-8"))
    })?;
    Ok(Source {
        origin: origin.to_string(),
        text,
    })
}

fn unreadable(origin: &str, error: &std::io::Error) -> Error {
    let parent = Path::new(origin).parent().and_then(Path::to_str);
    let parent = parent.filter(|parent| !parent.is_empty()).unwrap_or(".");
    let (what, next) = match error.kind() {
        ErrorKind::NotFound => ("is not there", format!("ls {parent}")),
        _ => ("can't be read", format!("ls -l {origin}")),
    };
    Error::usage(format!("{} {what}", quote(origin)), next).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_yaml_in_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("b.yaml", "b: 1"), ("a.yml", "a: 1"), ("c.txt", "c: 1")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let name = folder.path().to_string_lossy().into_owned();
        let sources = load(&[name.clone(), "-".to_string()], &b"d: 1"[..]).unwrap();
        let texts: Vec<&str> = sources.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(texts, ["a: 1", "b: 1", "d: 1"]);
        assert_eq!(sources[2].origin, "standard input");
    }

    #[test]
    fn what_is_not_there_is_said_with_a_command() {
        let error = load(&["no/such.yaml".to_string()], &b""[..]).unwrap_err();
        assert_eq!(
            (error.what.as_str(), error.next.as_str()),
            ("`no/such.yaml` is not there", "ls no")
        );
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_string_lossy().into_owned();
        assert!(
            load(&[name], &b""[..])
                .unwrap_err()
                .what
                .contains("has no YAML in it")
        );
    }
}
