//! Where a key comes from.

use super::redact::HIDDEN;
use super::{Secret, aws, dotenv, keychain, prompt, shape};
use crate::error::{Error, Exit, Result};
use crate::exec::{Run, find};
use crate::text;
use std::path::PathBuf;
use std::time::Duration;

/// A person may have to touch a sensor or type a password first.
const PATIENCE: Duration = Duration::from_secs(120);
/// No key is longer; a larger file is another file by mistake.
const LARGEST: u64 = 64 * 1024;

/// Never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The first of these variables that is set: in the environment, else in the `.env` of the folder
    /// in which the command runs.
    Env(Vec<String>),
    /// A file, all of it; `~/` is the home folder.
    File(String),
    /// What a program writes to its stdout, run without a shell.
    Command(Vec<String>),
    /// An entry of the system's keychain.
    Keychain(String),
    /// What a person types on a terminal, unseen; this is what is asked for.
    Prompt(String),
    /// A part of the key of AWS's profile, from AWS's own files; no profile of ours says so.
    Aws(String),
}

impl Source {
    pub fn env(name: &str) -> Source {
        Source::Env(vec![name.to_string()])
    }

    /// As a person reads it: `OPENAI_API_KEY`, `file ~/.key`, `command op`.
    pub fn title(&self) -> String {
        match self {
            Source::Env(names) => names.join(" or "),
            Source::File(path) => format!("file {path}"),
            Source::Command(words) => {
                format!("command {}", words.first().map_or("", String::as_str))
            }
            Source::Keychain(name) => format!("keychain entry {name}"),
            Source::Prompt(_) => "the terminal".to_string(),
            Source::Aws(_) => format!("AWS profile {}", aws::profile()),
        }
    }

    /// Where the key was really found, as it is told.
    pub fn origin(&self) -> String {
        let place = self.place();
        match self.is_in_file() {
            true => format!("{place} of {}", dotenv::FILE),
            false => place,
        }
    }

    /// Whether one of its variables is set, or stands in the `.env` file.
    pub fn is_here(&self) -> bool {
        matches!(self, Source::Env(names) if from_env(names).is_ok())
    }

    /// Whether it is a variable that the `.env` file alone has: no shell knows it.
    pub fn is_in_file(&self) -> bool {
        let Source::Env(names) = self else {
            return false;
        };
        !names.iter().any(|name| set(name)) && names.iter().any(|name| dotenv::get(name).is_some())
    }

    /// The command that writes the key, for a person's shell; nothing where there is none to copy.
    pub fn printed(&self) -> Option<String> {
        let line = |words: &[String]| {
            let words: Vec<String> = words.iter().map(|word| text::shell(word)).collect();
            words.join(" ")
        };
        match self {
            Source::Env(_) if self.is_in_file() => None,
            Source::Env(names) => {
                let place = self.place();
                let name = if names.contains(&place) {
                    Some(&place)
                } else {
                    names.first()
                };
                name.map(|name| format!("printenv {name}"))
            }
            Source::File(path) => Some(format!(
                "cat {}",
                text::shell(&at_home(path).to_string_lossy())
            )),
            Source::Command(words) => Some(line(words)),
            Source::Keychain(name) => Some(line(&keychain::words(name))),
            Source::Prompt(_) | Source::Aws(_) => None,
        }
    }

    /// Where the key really is: of several variables the one that is set.
    pub fn place(&self) -> String {
        match self {
            Source::Env(names) => {
                let is_set = |name: &&String| from_env(std::slice::from_ref(name)).is_ok();
                let found = names.iter().find(is_set);
                found.cloned().unwrap_or_else(|| self.title())
            }
            _ => self.title(),
        }
    }

    /// Whether a person has to type it.
    pub fn is_typed(&self) -> bool {
        matches!(self, Source::Prompt(_))
    }

    /// Whether it is read at once, and by no program that may ask a person.
    pub fn is_plain(&self) -> bool {
        matches!(self, Source::Env(_) | Source::File(_))
    }

    /// The variables of our environment that may hold the key.
    pub fn variables(&self) -> &[String] {
        match self {
            Source::Env(names) => names,
            _ => &[],
        }
    }

    /// What tries a source anew without showing the key; nothing for a variable.
    pub fn trial(&self) -> Option<String> {
        match self {
            Source::Env(_) | Source::Prompt(_) => None,
            Source::Aws(_) => Some("aws sts get-caller-identity".to_string()),
            Source::Keychain(name) => {
                let words = keychain::words(name);
                let words: Vec<String> = words.iter().map(|word| text::shell(word)).collect();
                Some(format!("{} | wc -c", words.join(" ")))
            }
            Source::File(path) => Some(format!("ls -l {}", text::shell(path))),
            Source::Command(words) => {
                let words: Vec<String> = words.iter().map(|word| text::shell(word)).collect();
                Some(format!("{} | wc -c", words.join(" ")))
            }
        }
    }

    /// Reads the key; an error says what is missing and the one command that gives it, and never
    /// what was read.
    pub async fn read(&self) -> Result<Secret> {
        match self {
            Source::Env(names) => from_env(names),
            Source::File(path) => from_file(path),
            Source::Keychain(name) => keychain::read(name).await,
            Source::Prompt(title) => prompt::read(title).await,
            Source::Aws(entry) => aws::read(entry).await,
            Source::Command(words) => from_command(words).await.map_err(|error| Error {
                next: match error.next.starts_with("type ") {
                    true => error.next,
                    false => self.trial().unwrap_or(error.next),
                },
                exit: Exit::Usage,
                ..error
            }),
        }
    }
}

fn set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.trim().is_empty())
}

fn from_env(names: &[String]) -> Result<Secret> {
    let value = |name: &String| Secret::new(&std::env::var(name).ok()?);
    let found = names.iter().find_map(value);
    let found = found.or_else(|| names.iter().find_map(|name| dotenv::get(name)));
    found.ok_or_else(|| {
        let first = names.first().map_or("", String::as_str);
        let which = match names {
            [_] | [] => format!("{first} is not set"),
            _ => format!("none of {} is set", names.join(", ")),
        };
        // Typed so, the key is neither on the screen nor in the shell's history.
        Error::usage(which, format!("read -rs {first} && export {first}"))
    })
}

/// A path as a file is opened with: quoted, or behind a `=`, no shell knows what `~/` is.
pub fn at_home(path: &str) -> PathBuf {
    match path.strip_prefix("~/") {
        Some(rest) => std::env::home_dir().unwrap_or_default().join(rest),
        None => PathBuf::from(path),
    }
}

fn from_file(path: &str) -> Result<Secret> {
    let full = at_home(path);
    let next = format!("ls -l {}", text::shell(&full.to_string_lossy()));
    let fault = |e: &std::io::Error| {
        Error::usage(format!("the key's file {path} can't be read"), next.clone()).because(e)
    };
    let size = std::fs::metadata(&full).map_err(|e| fault(&e))?.len();
    if size > LARGEST {
        let what = format!("the key's file {path} is larger than a key can be");
        return Err(Error::usage(what, next));
    }
    let text = std::fs::read_to_string(&full).map_err(|e| fault(&e))?;
    Secret::new(&text)
        .ok_or_else(|| Error::usage(format!("the key's file {path} is empty"), next.clone()))
}

async fn from_command(words: &[String]) -> Result<Secret> {
    let (program, args) = words
        .split_first()
        .ok_or_else(|| Error::usage("a key's command is empty", "gw profile show default"))?;
    let install = format!("type {}", text::shell(program));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let run = Run::new(find(program, &install)?, &args)
        .deadline(PATIENCE)
        .with_keys();
    // What it wrote may be half a key: only its stderr may be told.
    let output = run.output_unquoted().await.map_err(|error| Error {
        facts: error
            .facts
            .iter()
            .map(|fact| shape::hide(fact, HIDDEN))
            .collect(),
        ..error
    })?;
    Secret::new(&output.stdout)
        .ok_or_else(|| Error::usage(format!("`{}` wrote no key", run.line()), run.line()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(source: Source) -> Error {
        source.read().await.err().expect("refused")
    }

    fn command(words: &[&str]) -> Source {
        Source::Command(words.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn a_missing_variable_is_asked_for_without_showing_it() {
        let source = Source::Env(vec!["GW_TEST_NO_A".into(), "GW_TEST_NO_B".into()]);
        let error = refused(source).await;
        assert_eq!(error.what, "none of GW_TEST_NO_A, GW_TEST_NO_B is set");
        assert_eq!(error.next, "read -rs GW_TEST_NO_A && export GW_TEST_NO_A");
    }

    #[tokio::test]
    async fn a_file_is_read_whole_and_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "k-1\n").unwrap();
        let file = Source::File(path.to_string_lossy().into_owned());
        assert_eq!(file.read().await.ok().unwrap().expose(), "k-1");
        std::fs::write(&path, "\n").unwrap();
        assert!(refused(file).await.what.ends_with("is empty"));
        let error = refused(Source::File("/no/such".into())).await;
        assert_eq!(error.next, "ls -l /no/such");
    }

    #[tokio::test]
    async fn a_command_is_run_without_a_shell() {
        let key = command(&["printf", "%s\n", "$HOME; k"]).read().await;
        assert_eq!(key.ok().unwrap().expose(), "$HOME; k");
    }

    #[tokio::test]
    async fn the_next_command_of_a_source_does_not_show_the_key() {
        let error = refused(command(&["sh", "-c", "echo k; exit 1", "op://a/b?c"])).await;
        assert_eq!(error.next, "sh -c 'echo k; exit 1' 'op://a/b?c' | wc -c");
        let error = refused(command(&["printf", ""])).await;
        assert_eq!(
            (error.next.as_str(), error.exit),
            ("printf '' | wc -c", Exit::Usage)
        );
        let error = refused(command(&["gw-test-no-program"])).await;
        assert_eq!(
            (error.next.as_str(), error.exit),
            ("type gw-test-no-program", Exit::Usage)
        );
    }

    #[tokio::test]
    async fn what_a_failed_command_wrote_to_stdout_is_not_told() {
        let error = refused(command(&["sh", "-c", "echo half-a-key; exit 3"])).await;
        assert!(!error.facts.join(" ").contains("half-a-key\n"), "{error}");
        assert!(error.facts.is_empty(), "{error}");
        let error = refused(command(&["sh", "-c", "echo not signed in >&2; exit 1"])).await;
        assert_eq!(error.facts, ["not signed in"]);
    }
}
