//! Looks at this machine: every probe at once, each with a deadline, so that the whole takes no
//! longer than one.

use super::facts::{Docker, Facts, OrbStack, Port, Program};
use super::{at_hand, context, engine, model_server, port};
use crate::exec::Run;
use futures::future::join_all;
use std::path::Path;
use std::time::Duration;

/// How long one probe may take. What does not answer by then is told as not answering.
pub const DEADLINE: Duration = Duration::from_millis(150);
/// Programs start slower than sockets answer; their versions are shown, not needed.
const PROGRAM_DEADLINE: Duration = Duration::from_millis(190);

/// Everything that is to be seen, with `port` as the one that a gateway would take. Nothing but what
/// hangs is waited for to the end of `patience`.
pub async fn look(port: u16, patience: Duration) -> Facts {
    let (docker, contexts, programs, services, keys, port, orbstack) = tokio::join!(
        docker(patience),
        context::all(patience),
        programs(),
        model_server::all(patience),
        aside(at_hand::all),
        aside(move || port_facts(port)),
        orbstack(),
    );
    Facts {
        system: std::env::consts::OS.to_string(),
        processor: std::env::consts::ARCH.to_string(),
        wsl: is_wsl(),
        orbstack,
        docker,
        contexts,
        programs,
        services,
        keys: keys.unwrap_or_default(),
        port: port.unwrap_or_default(),
    }
}

/// What matters for where a gateway could run, and no more. Here a slow answer is waited for: a
/// cluster that is overlooked would have a gateway set up elsewhere.
pub async fn places() -> Facts {
    const PATIENCE: Duration = Duration::from_secs(3);
    let (docker, contexts, orbstack) =
        tokio::join!(engine::look(), context::all(PATIENCE), orbstack());
    Facts {
        system: std::env::consts::OS.to_string(),
        processor: std::env::consts::ARCH.to_string(),
        orbstack,
        docker,
        contexts,
        ..Facts::default()
    }
}

/// One context that a person has named: it is asked whatever it leads to, with its own way to log in.
pub async fn context(name: &str) -> Facts {
    const PATIENCE: Duration = Duration::from_secs(15);
    let (docker, context) = tokio::join!(engine::look(), context::named(name, PATIENCE));
    Facts {
        docker,
        contexts: context.into_iter().collect(),
        ..Facts::default()
    }
}

/// Work on files goes aside, so that a slow disk holds no other probe up.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

async fn docker(patience: Duration) -> Docker {
    match tokio::time::timeout(patience, engine::look()).await {
        Ok(facts) => facts,
        Err(_) => Docker {
            reason: Some(format!(
                "Docker gave no answer in {} s",
                patience.as_secs_f64()
            )),
            ..Docker::default()
        },
    }
}

fn port_facts(number: u16) -> Port {
    match port::is_free(number) {
        true => Port {
            number,
            ..Port::default()
        },
        false => Port {
            number,
            owner: Some(
                port::owner(number).unwrap_or_else(|| "another user's process".to_string()),
            ),
            ours: false,
            next: port::next_free(number),
        },
    }
}

async fn programs() -> Vec<Program> {
    let wanted: [(&str, &[&str]); 3] = [
        ("helm", &["version", "--template", "{{.Version}}"]),
        ("kind", &["version", "-q"]),
        ("kubectl", &["version", "--client"]),
    ];
    let asked = wanted.map(|(name, arguments)| program(name, arguments));
    join_all(asked).await.into_iter().flatten().collect()
}

async fn program(name: &str, arguments: &[&str]) -> Option<Program> {
    let path = which::which(name).ok()?;
    let text = output(&path, arguments).await;
    Some(Program {
        name: name.to_string(),
        version: text.and_then(|text| version(&text)),
    })
}

async fn output(program: &Path, arguments: &[&str]) -> Option<String> {
    let run = Run::new(program, arguments).deadline(PROGRAM_DEADLINE);
    run.output().await.ok().map(|output| output.stdout)
}

/// The first word that looks like a version, with a leading `v`.
fn version(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        let digits = word.trim_start_matches('v');
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.')
    };
    let word = text.split_whitespace().find(is_version)?;
    Some(format!("v{}", word.trim_start_matches('v')))
}

/// Installed where its folder is; running where `orb status` says so (facts/local-clusters).
async fn orbstack() -> Option<OrbStack> {
    let home = std::env::home_dir()?;
    if !home.join(".orbstack").is_dir() {
        return None;
    }
    let orb = which::which("orb").or_else(|_| which::which("orbctl"));
    let Ok(orb) = orb else {
        return Some(OrbStack::default());
    };
    let (status, told) = tokio::join!(output(&orb, &["status"]), output(&orb, &["version"]),);
    Some(OrbStack {
        running: status.is_some_and(|text| text.contains("Running")),
        version: told.and_then(|text| version(&text)),
    })
}

/// Linux inside Windows names Microsoft in its kernel's version.
fn is_wsl() -> bool {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.to_ascii_lowercase().contains("microsoft")
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let table = [
            ("v3.19.2", Some("v3.19.2")),
            ("0.31.0\n", Some("v0.31.0")),
            (
                "Client Version: v1.34.4\nKustomize Version: v5.7.1\n",
                Some("v1.34.4"),
            ),
            ("no such flag", None),
        ];
        for (text, expected) in table {
            assert_eq!(version(text).as_deref(), expected, "{text}");
        }
    }
}
