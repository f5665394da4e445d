//! The system's keychain, by the program that the system has for it: `security` on macOS,
//! `secret-tool` of libsecret elsewhere. A key is an entry of service `gatewright`.

use super::Secret;
use crate::error::{Error, Exit, Result};
use crate::exec::{Run, find};
use crate::text;
use std::time::Duration;

/// A person may have to unlock it first.
const PATIENCE: Duration = Duration::from_secs(120);
const SERVICE: &str = "gatewright";

/// The command that prints an entry.
pub fn words(name: &str) -> Vec<String> {
    let words: &[&str] = match cfg!(target_os = "macos") {
        true => &[
            "security",
            "find-generic-password",
            "-s",
            SERVICE,
            "-w",
            "-a",
            name,
        ],
        false => &["secret-tool", "lookup", "service", SERVICE, "account", name],
    };
    words.iter().map(ToString::to_string).collect()
}

/// The command that keeps an entry: it asks for the key unseen, so that it is in nobody's arguments.
pub fn keeping(name: &str) -> String {
    let name = text::shell(name);
    match cfg!(target_os = "macos") {
        true => format!("security add-generic-password -U -s {SERVICE} -a {name} -w"),
        false => format!("secret-tool store --label {SERVICE} service {SERVICE} account {name}"),
    }
}

pub async fn read(name: &str) -> Result<Secret> {
    let words = words(name);
    let (program, args) = match words.split_first() {
        Some((program, args)) => (program.as_str(), args),
        None => ("", words.as_slice()),
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let program = find(program, "sudo apt-get install libsecret-tools");
    let program = program.map_err(|error| error.exit(Exit::Usage))?;
    // It finds the keychain by variables such as DBUS_SESSION_BUS_ADDRESS.
    let run = Run::new(program, &args).deadline(PATIENCE).with_keys();
    let absent = || {
        let what = format!("the keychain has no entry {name} of service {SERVICE}");
        Error::usage(what, keeping(name))
    };
    match run.output_unquoted().await {
        Ok(output) => Secret::new(&output.stdout).ok_or_else(absent),
        // secret-tool says nothing of an entry that is not there, nor of one whose keyring stays
        // locked; security says these.
        Err(error) if is_silent(&error) && is_locked(&run).await => Err(locked(name, run.line())),
        Err(error) if is_silent(&error) || says(&error, "could not be found") => Err(absent()),
        Err(error) if says(&error, "User interaction is not allowed") => {
            Err(locked(name, "security unlock-keychain".to_string()))
        }
        Err(error) => Err(Error {
            what: "the system's keychain does not answer".to_string(),
            next: format!("{} | wc -c", run.line()),
            exit: Exit::Usage,
            ..error
        }),
    }
}

fn is_silent(error: &Error) -> bool {
    error.facts.iter().all(|fact| fact.trim().is_empty())
}

fn says(error: &Error, words: &str) -> bool {
    error.facts.iter().any(|fact| fact.contains(words))
}

/// Whether an entry that can't be read is there all the same: a search finds locked ones too.
async fn is_locked(lookup: &Run) -> bool {
    let mut search = lookup.clone();
    match search.args.first_mut() {
        Some(verb) if verb == "lookup" => *verb = "search".to_string(),
        _ => return false,
    }
    let found = search.output_unquoted().await;
    found.is_ok_and(|output| output.stderr.contains("locked"))
}

fn locked(name: &str, next: String) -> Error {
    let what = format!("the keychain is locked, and its entry {name} with it");
    let next = match cfg!(target_os = "macos") {
        true => next,
        // On a desktop this asks for the password that unlocks it.
        false => format!("{next} | wc -c"),
    };
    Error::usage(what, next).fact("nobody could be asked for the password that unlocks it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_asks_for_the_key_itself() {
        assert_eq!(words("a b").last().map(String::as_str), Some("a b"));
        let end = match cfg!(target_os = "macos") {
            true => "add-generic-password -U -s gatewright -a 'a b' -w",
            false => "store --label gatewright service gatewright account 'a b'",
        };
        assert!(keeping("a b").ends_with(end));
    }
}
