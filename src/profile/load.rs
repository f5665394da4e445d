//! From what a person calls a profile to the profile: a shipped name, a file, or standard input.

use super::extend::{Text, assemble};
use super::problem::{self, CORRECT, quote};
use super::shipped::{self, named, shipped};
use super::suggest::nearest;
use super::{Profile, wire};
use crate::error::{Error, Result};
use crate::text;
use crate::yaml::{self, Node};
use serde_json::Value;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A profile is a page of text; more is another file by mistake.
const LARGEST: u64 = 1024 * 1024;

/// The text of a profile and what a person calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A shipped name, a path, or `standard input`.
    pub origin: String,
    pub text: String,
    /// The command that tells whether the text is right now.
    next: String,
    /// From where it names other files.
    folder: Option<PathBuf>,
}

/// Loads a profile: a shipped name, a path, or `-` for standard input.
pub fn load(source: &str, stdin: impl Read) -> Result<Profile> {
    find(source, stdin)?.profile()
}

/// The text that a source means, without reading it as a profile.
pub fn find(source: &str, stdin: impl Read) -> Result<Source> {
    if source == "-" {
        return text_of(stdin, "standard input", CORRECT.to_string(), None);
    }
    if let Some(shipped) = named(source) {
        return Ok(Source {
            origin: source.to_string(),
            text: shipped.text.to_string(),
            next: CORRECT.to_string(),
            folder: None,
        });
    }
    if !is_path(source) {
        return Err(unknown(source));
    }
    let file = File::open(source).map_err(|error| unreadable(source, &error))?;
    if file.metadata().is_ok_and(|data| data.is_dir()) {
        let what = format!("{} is a folder, not a profile", quote(source));
        return Err(Error::usage(what, format!("ls {}", shell(source))));
    }
    let whole = std::path::absolute(source).ok();
    let folder = whole.and_then(|path| path.parent().map(Path::to_path_buf));
    let next = format!("gw profile validate {}", shell(source));
    text_of(file, source, next, folder)
}

impl Source {
    /// A text that stands in no file.
    pub fn written(origin: &str, text: &str) -> Source {
        Source {
            origin: origin.to_string(),
            text: text.to_string(),
            next: CORRECT.to_string(),
            folder: None,
        }
    }

    /// The profile with all that it extends, or everything that is wrong with it as one failure.
    pub fn profile(&self) -> Result<Profile> {
        Ok(self.read()?.1)
    }

    /// What is written in it and in all that it extends, put together.
    pub fn whole(&self) -> Result<Value> {
        Ok(yaml::to_json(&self.read()?.0))
    }

    fn read(&self) -> Result<(Node, Profile)> {
        let mut texts = vec![Text {
            origin: self.origin.clone(),
            text: self.text.clone(),
            folder: self.folder.clone(),
        }];
        let read = assemble(&mut texts, &base)
            .and_then(|document| wire::of(&document).map(|profile| (document, profile)));
        read.map_err(|problems| match wire::first_object(&self.text) {
            None => problem::error(&problems, &texts, self.next.clone()),
            Some(kind) => {
                let what = format!(
                    "{} holds objects of a cluster, no profile",
                    quote(&self.origin)
                );
                let file = match is_path(&self.origin) {
                    true => shell(&self.origin),
                    false => "-".to_string(),
                };
                Error::usage(what, format!("gw serve -f {file}"))
                    .fact(format!("it begins with an object of kind {}", quote(&kind)))
            }
        })
    }
}

/// A base: a shipped name, or a file as seen from the one that names it.
fn base(name: &str, by: &Text) -> std::result::Result<Text, String> {
    let looks_like_path = name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml");
    if !looks_like_path {
        return shipped::base(name, by);
    }
    let path = match (&by.folder, Path::new(name).is_absolute()) {
        (_, true) => PathBuf::from(name),
        (Some(folder), false) => folder.join(name),
        (None, false) => {
            return Err(format!(
                "{} is a path from nowhere: this text lies in no folder",
                quote(name)
            ));
        }
    };
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    let source = find(&path.to_string_lossy(), std::io::empty()).map_err(|error| {
        std::iter::once(error.what)
            .chain(error.facts)
            .collect::<Vec<_>>()
            .join(": ")
    })?;
    Ok(Text {
        origin: source.origin,
        text: source.text,
        folder: source.folder,
    })
}

fn is_path(source: &str) -> bool {
    let ends = source.ends_with(".yaml") || source.ends_with(".yml");
    source.contains('/') || ends || Path::new(source).exists()
}

fn text_of(
    input: impl Read,
    origin: &str,
    next: String,
    folder: Option<PathBuf>,
) -> Result<Source> {
    let mut bytes = Vec::new();
    let read = input.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(origin, &error))?;
    if bytes.len() as u64 > LARGEST {
        let what = format!("{} is larger than a profile can be", quote(origin));
        return Err(Error::usage(what, CORRECT).fact("the limit is 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::usage(format!("{} is not a text", quote(origin)), CORRECT)
            .fact(format!("byte {at} is not UTF-8"))
    })?;
    Ok(Source {
        origin: origin.to_string(),
        text,
        next,
        folder,
    })
}

fn unknown(source: &str) -> Error {
    let names: Vec<&str> = shipped().iter().map(|shipped| shipped.name).collect();
    let near = nearest(source, &names);
    let what = format!("there is no profile {}", quote(source));
    let next = format!("gw profile show {}", near.unwrap_or("default"));
    let error = Error::usage(what, next);
    let error = match near {
        Some(name) => error.fact(format!("did you mean `{name}`?")),
        None => error,
    };
    error
        .fact(format!("shipped: {}", names.join(", ")))
        .fact("a file is named by its path, such as `./mine.yaml`")
}

fn unreadable(source: &str, error: &std::io::Error) -> Error {
    let folder = Path::new(source).parent().and_then(Path::to_str);
    let folder = folder.filter(|folder| !folder.is_empty()).unwrap_or(".");
    let (what, next) = match error.kind() {
        ErrorKind::NotFound => ("is not there", format!("ls {}", shell(folder))),
        _ => ("can't be read", format!("ls -l {}", shell(source))),
    };
    Error::usage(format!("profile {} {what}", quote(source)), next).because(error)
}

/// A file's name as a shell takes it.
fn shell(name: &str) -> String {
    match name.starts_with('-') {
        true => text::shell(&format!("./{name}")),
        false => text::shell(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str, stdin: &[u8]) -> Error {
        load(source, stdin).expect_err("refused")
    }

    #[test]
    fn a_shipped_name_a_path_and_standard_input_give_the_same_profile() {
        let by_name = load("default", std::io::empty()).expect("by name");
        let by_path = load("profiles/default.yaml", std::io::empty()).expect("by path");
        let by_stdin = load("-", shipped()[0].text.as_bytes()).expect("by standard input");
        assert_eq!(by_name, by_path);
        assert_eq!(by_name, by_stdin);
    }

    #[test]
    fn objects_of_a_cluster_are_sent_to_the_command_that_serves_them() {
        let route =
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n";
        let gateway =
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n";
        for text in [route.to_string(), format!("{route}{gateway}")] {
            let error = refused("-", text.as_bytes());
            assert_eq!(
                error.what,
                "`standard input` holds objects of a cluster, no profile"
            );
            assert_eq!(error.next, "gw serve -f -");
            assert_eq!(
                error.facts,
                ["it begins with an object of kind `HTTPRoute`"]
            );
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("my gateway.yaml");
        std::fs::write(&file, route).expect("written");
        let file = file.to_string_lossy();
        let error = refused(&file, b"");
        assert_eq!(error.next, format!("gw serve -f '{file}'"));
    }

    #[test]
    fn an_unknown_name_lists_the_shipped_ones() {
        let error = refused("defualt", b"");
        assert_eq!(error.what, "there is no profile `defualt`");
        assert_eq!(
            error.facts[..2],
            [
                "did you mean `default`?",
                "shipped: default, ollama, cloud, all, mcp, limits, extproc, mock, ci"
            ]
        );
        assert_eq!(error.next, "gw profile show default");
        assert_eq!(refused("olama", b"").next, "gw profile show ollama");
    }

    #[test]
    fn what_is_no_text_of_a_profile_is_refused_kindly() {
        assert_eq!(refused("-", b"a: \xff").facts, ["byte 3 is not UTF-8"]);
        let large = vec![b' '; 1024 * 1024 + 1];
        assert_eq!(refused("-", &large).facts, ["the limit is 1 MiB"]);
        assert_eq!(
            refused("./src", b"").what,
            "`./src` is a folder, not a profile"
        );
        assert_eq!(refused("no/such.yaml", b"").next, "ls no");
        assert_eq!(refused("such.yaml", b"").next, "ls .");
    }

    #[test]
    fn a_wrong_file_is_to_be_validated_again() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("my own.yaml");
        std::fs::write(&path, "kind: Profile\n").expect("written");
        let path = path.to_str().expect("UTF-8");
        assert_eq!(
            refused(path, b"").next,
            format!("gw profile validate '{path}'")
        );
    }
}
