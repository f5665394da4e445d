//! Our own background processes: started from this binary, known by pid and start time, ended by us.

use super::paths::EnvironmentPaths;
use crate::error::{Error, Result};
use crate::exec::without_keys;
use crate::secret::Secret;
use crate::text;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

const START_DEADLINE: Duration = Duration::from_secs(10);
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// A background process of one environment.
#[derive(Debug, Clone)]
pub struct Background {
    role: String,
    identity: PathBuf,
    log: PathBuf,
    /// Variables with keys that it needs itself.
    kept: &'static [&'static str],
}

/// Who a process is. A pid alone may have been given to somebody else by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: u32,
    /// When it started, in the kernel's own terms; empty where the system does not tell.
    pub started: String,
    /// What it said when it was ready, such as the address it listens on.
    pub ready: String,
    /// What it was started with.
    #[serde(default)]
    pub args: Vec<String>,
}

/// Every background process that an environment has started: its role, and who it is if alive.
pub fn all(paths: &EnvironmentPaths) -> Vec<(String, Option<Identity>)> {
    let files = fs::read_dir(paths.folder()).into_iter().flatten().flatten();
    let role = |file: fs::DirEntry| {
        let name = file.file_name().to_string_lossy().into_owned();
        name.strip_suffix(".process.json").map(str::to_string)
    };
    let mut roles: Vec<String> = files.filter_map(role).collect();
    roles.sort();
    let alive = |role: String| {
        let identity = Background::new(paths, &role).alive();
        (role, identity)
    };
    roles.into_iter().map(alive).collect()
}

impl Background {
    /// `role` names files and is shown to people: `gateway`, `relay-ollama`, `mock`.
    pub fn new(paths: &EnvironmentPaths, role: &str) -> Self {
        Background {
            role: role.to_string(),
            identity: paths.process(role),
            log: paths.log(role),
            kept: &[],
        }
    }

    /// It logs in by these variables and gets them.
    pub fn with_variables(mut self, names: &'static [&'static str]) -> Self {
        self.kept = names;
        self
    }

    /// The process if it is alive.
    pub fn alive(&self) -> Option<Identity> {
        let identity = self.last()?;
        (started(identity.pid)? == identity.started).then_some(identity)
    }

    /// The process that was started last, whether it is alive or not.
    pub fn last(&self) -> Option<Identity> {
        let text = fs::read_to_string(&self.identity).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Starts this binary with `args` and waits until it has said on one line of stdout that it is
    /// ready; what it says becomes part of its identity. Its stderr goes to the log.
    pub async fn start(&self, args: &[String]) -> Result<Identity> {
        self.start_told(args, None).await
    }

    /// The same; what it reads from its standard input stands nowhere else.
    pub async fn start_told(&self, args: &[String], told: Option<&Secret>) -> Result<Identity> {
        let again = || format!("gw logs {}", self.role);
        let fault = |what: String, e: std::io::Error| Error::new(what, again()).because(&e);
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.map_err(|e| fault(format!("{} can't be opened", self.log.display()), e))?;
        let program = std::env::current_exe()
            .map_err(|e| fault("this program can't find itself".into(), e))?;
        let mut command = Command::new(program);
        command
            .args(args)
            .arg("--log")
            .arg(&self.log)
            .stdin(match told {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(log);
        without_keys(&mut command, self.kept);
        detach(&mut command);
        let mut child = command
            .spawn()
            .map_err(|e| fault(format!("the {} can't be started", self.role), e))?;
        let pid = child.id().unwrap_or_default();
        // Written at once: a `gw` that is killed in the next moment must leave a process that `down` finds.
        let mut identity = Identity {
            pid,
            started: started(pid).unwrap_or_default(),
            ready: String::new(),
            args: args.to_vec(),
        };
        self.write(&identity)?;
        if let (Some(mut stdin), Some(told)) = (child.stdin.take(), told) {
            // One that has ended already is told of below.
            let _ = stdin.write_all(told.expose().as_bytes()).await;
        }
        let Some(stdout) = child.stdout.take() else {
            return Err(Error::new(
                format!("the {} has no output", self.role),
                again(),
            ));
        };
        let mut lines = BufReader::new(stdout).lines();
        match tokio::time::timeout(START_DEADLINE, lines.next_line()).await {
            Ok(Ok(Some(line))) => {
                identity.ready = line;
                self.write(&identity)?;
                Ok(identity)
            }
            Ok(_) => Err(self.died()),
            Err(_) => {
                let _ = child.start_kill();
                let time = text::duration(START_DEADLINE);
                Err(Error::new(
                    format!("the {} was not ready in {time}", self.role),
                    again(),
                ))
            }
        }
    }

    /// Asks it to end, waits, and forgets it. True if there was one.
    pub async fn stop(&self) -> Result<bool> {
        self.stop_within(STOP_DEADLINE).await
    }

    /// As `stop`, for one that may take its time: answers that run are let come to their end.
    pub async fn stop_within(&self, deadline: Duration) -> Result<bool> {
        let alive = self.alive();
        let text = fs::read_to_string(&self.identity).unwrap_or_default();
        if !text.is_empty() && serde_json::from_str::<Identity>(&text).is_err() {
            let what = format!(
                "{} is damaged, so the {} can't be found",
                self.identity.display(),
                self.role
            );
            return Err(Error::new(what, format!("pgrep -af 'gw {}'", self.role)));
        }
        if let Some(identity) = &alive {
            signal(identity.pid, libc::SIGTERM);
            if !ended(identity, deadline.max(STOP_DEADLINE)).await {
                signal(identity.pid, libc::SIGKILL);
                if !ended(identity, Duration::from_secs(2)).await {
                    let what = format!("the {} (pid {}) does not end", self.role, identity.pid);
                    return Err(Error::new(what, format!("kill -9 {}", identity.pid)));
                }
            }
        }
        let _ = fs::remove_file(&self.identity);
        Ok(alive.is_some())
    }

    fn died(&self) -> Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let error = Error::new(
            format!("the {} ended at its start", self.role),
            format!("gw logs {}", self.role),
        );
        let tail = lines.iter().skip(lines.len().saturating_sub(3));
        tail.fold(error, |error, line| error.fact(line.to_string()))
    }

    fn write(&self, identity: &Identity) -> Result<()> {
        let text = serde_json::to_string(identity).unwrap_or_default();
        // Renamed into place: a kill must not leave half an identity.
        let part = self.identity.with_extension("part");
        let written = fs::write(&part, text).and_then(|()| fs::rename(&part, &self.identity));
        written.map_err(|e| {
            let what = format!("{} can't be written", self.identity.display());
            Error::new(what, "df -h").because(&e)
        })
    }
}

async fn ended(identity: &Identity, deadline: Duration) -> bool {
    let gone = async {
        // The kernel tells only parents of an end, and we may not be the parent.
        while started(identity.pid).as_ref() == Some(&identity.started) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(deadline, gone).await.is_ok()
}

fn signal(pid: u32, signal: i32) {
    if let Ok(pid) = i32::try_from(pid) {
        // SAFETY: kill has no memory effects.
        unsafe { libc::kill(pid, signal) };
    }
}

/// Start time of a living process: field 22 of /proc/PID/stat, counted after the closing bracket of
/// the name. A zombie has ended.
#[cfg(target_os = "linux")]
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    (*fields.first()? != "Z").then(|| fields.get(19).map(ToString::to_string))?
}

/// As `ps` tells it, which says it in the caller's language and time zone unless it is told which.
#[cfg(not(target_os = "linux"))]
fn started(pid: u32) -> Option<String> {
    let pid = pid.to_string();
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=", "-o", "lstart=", "-p", &pid])
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    living(&String::from_utf8_lossy(&output.stdout))
}

/// The time of a line of state and time.
#[cfg(any(not(target_os = "linux"), test))]
fn living(line: &str) -> Option<String> {
    let (state, time) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| time.trim().to_string())
}

/// Its own session: a closed terminal or Ctrl-C in it does not end the gateway.
fn detach(command: &mut Command) {
    // SAFETY: setsid is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_has_ended_and_who_is_not_there_too() {
        let time = "Thu Nov 26 05:13:25 2026";
        assert_eq!(living(&format!("Ss   {time}\n")).as_deref(), Some(time));
        assert_eq!(living(&format!("Z+   {time}\n")), None);
        assert_eq!(living(""), None);
    }
}
