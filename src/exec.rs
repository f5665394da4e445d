//! Other people's programs: run with a deadline, ended when we end, and quoted when they fail.

use crate::error::{Error, Result};
use crate::secret::hidden;
use crate::text;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// One run of a program. No secret may stand in `args`.
#[derive(Debug, Clone)]
pub struct Run {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub stdin: Option<String>,
    /// Variables set beside those that we have ourselves.
    pub env: Vec<(String, String)>,
    pub deadline: Duration,
    /// Which of the variables that hold keys it gets all the same (`secret::hidden`).
    keys: Handed,
    /// Whether what it wrote to stdout may be told when it fails.
    quotable: bool,
}

#[derive(Debug, Clone, Copy)]
enum Handed {
    All,
    Only(&'static [&'static str]),
}

/// Takes the variables that hold keys from a child, but for those that it is to keep.
pub fn without_keys(command: &mut Command, kept: &[&str]) {
    for name in hidden::names()
        .iter()
        .filter(|name| !kept.contains(&name.as_str()))
    {
        command.env_remove(name);
    }
}

/// What a program wrote when it ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
}

/// Finds a program on PATH; `install` is the command that would put it there.
pub fn find(program: &str, install: &str) -> Result<PathBuf> {
    which::which(program).map_err(|_| Error::new(format!("`{program}` is not on PATH"), install))
}

impl Run {
    pub fn new(program: impl Into<PathBuf>, args: &[&str]) -> Self {
        Run {
            program: program.into(),
            args: args.iter().map(ToString::to_string).collect(),
            stdin: None,
            env: Vec::new(),
            deadline: Duration::from_secs(30),
            keys: Handed::Only(&[]),
            quotable: true,
        }
    }

    /// It is a person's own source of a key and gets the whole environment.
    pub fn with_keys(mut self) -> Self {
        self.keys = Handed::All;
        self
    }

    /// It logs in by these variables and gets them.
    pub fn with_variables(mut self, names: &'static [&'static str]) -> Self {
        self.keys = Handed::Only(names);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_string(), value.to_string()));
        self
    }

    pub fn stdin(mut self, text: String) -> Self {
        self.stdin = Some(text);
        self
    }

    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The command as a person would type it: a program that is on no PATH, with all of its path.
    pub fn line(&self) -> String {
        let name = self.program.file_name().unwrap_or_default();
        let program = match which::which(name) {
            Ok(found) if found == self.program => name.to_string_lossy(),
            _ => self.program.to_string_lossy(),
        };
        let quoted = self.args.iter().map(|arg| text::shell(arg));
        std::iter::once(text::shell(&program))
            .chain(quoted)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs to the end.
    pub async fn output(&self) -> Result<Output> {
        self.watched(|_| {}).await
    }

    /// Runs to the end; what it wrote to stdout is a secret and stands in no error.
    pub async fn output_unquoted(&self) -> Result<Output> {
        let run = Run {
            quotable: false,
            ..self.clone()
        };
        run.output().await
    }

    /// Runs to the end and hands over each line of stderr as it comes.
    pub async fn watched(&self, mut line: impl FnMut(&str)) -> Result<Output> {
        let mut child = self.spawn()?;
        let mut said = String::new();
        let work = async {
            let mut stdin = child.stdin.take();
            let mut stdout = child.stdout.take();
            let stderr = child.stderr.take();
            let feed = async {
                if let (Some(pipe), Some(text)) = (&mut stdin, &self.stdin) {
                    // A program that ends without reading is judged by its exit code.
                    let _ = pipe.write_all(text.as_bytes()).await;
                }
                drop(stdin);
            };
            let out = async {
                let mut bytes = Vec::new();
                if let Some(pipe) = &mut stdout {
                    let _ = pipe.read_to_end(&mut bytes).await;
                }
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let err = async {
                let Some(pipe) = stderr else { return };
                let mut lines = BufReader::new(pipe).lines();
                while let Ok(Some(text)) = lines.next_line().await {
                    line(&text);
                    said.push_str(&text);
                    said.push('\n');
                }
            };
            let ((), stdout, ()) = tokio::join!(feed, out, err);
            (child.wait().await, stdout)
        };
        let ended = tokio::time::timeout(self.deadline, work).await;
        let Ok((status, stdout)) = ended else {
            return Err(self.late(&said));
        };
        let output = Output {
            stdout,
            stderr: said,
        };
        match status {
            Ok(status) if status.success() => Ok(output),
            status => Err(self.failed(status.ok(), &output)),
        }
    }

    fn spawn(&self) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().cloned())
            .stdin(if self.stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Handed::Only(kept) = self.keys {
            without_keys(&mut command, kept);
        }
        end_with_parent(&mut command);
        let fault = |e: std::io::Error| {
            Error::new(format!("`{}` can't be started", self.line()), self.line()).because(&e)
        };
        command.spawn().map_err(fault)
    }

    fn late(&self, said: &str) -> Error {
        let time = text::duration(self.deadline);
        let what = format!("`{}` did not end in {time}", self.line());
        let error = Error::new(what, self.line());
        match last(said).as_slice() {
            [] => error.fact("it said nothing"),
            lines => lines.iter().fold(error, |error, line| error.fact(*line)),
        }
    }

    /// The last lines a program wrote are nearly always its reason.
    fn failed(&self, status: Option<std::process::ExitStatus>, output: &Output) -> Error {
        let said = if output.stderr.trim().is_empty() && self.quotable {
            &output.stdout
        } else {
            &output.stderr
        };
        let end = match status {
            Some(status) => status.to_string(),
            None => "no exit status".to_string(),
        };
        let error = Error::new(format!("`{}` failed ({end})", self.line()), self.line());
        last(said)
            .iter()
            .fold(error, |error, line| error.fact(*line))
    }
}

fn last(said: &str) -> Vec<&str> {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines: Vec<&str> = lines.collect();
    lines.split_off(lines.len().saturating_sub(5))
}

/// A killed `gw` must not leave a `kind` or `helm` behind that goes on changing things.
#[cfg(target_os = "linux")]
fn end_with_parent(command: &mut Command) {
    // SAFETY: prctl with PR_SET_PDEATHSIG is async-signal-safe and touches only the child.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_command: &mut Command) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Run {
        Run::new("/bin/sh", &["-c", script])
    }

    #[tokio::test]
    async fn input_reaches_the_program_and_its_output_comes_back() {
        let output = sh("cat; echo note >&2")
            .stdin("hello".into())
            .output()
            .await
            .unwrap();
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("hello", "note\n")
        );
    }

    #[tokio::test]
    async fn a_failure_quotes_the_command_and_its_last_words() {
        let error = sh("echo bad >&2; exit 3").output().await.unwrap_err();
        assert!(
            error.what.contains("sh -c 'echo bad >&2; exit 3'"),
            "{error}"
        );
        assert!(error.what.contains("exit status: 3"), "{error}");
        assert_eq!(error.facts, ["bad"]);
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended_at_its_deadline() {
        let run = sh("exec sleep 600").deadline(Duration::from_millis(50));
        assert!(
            run.output()
                .await
                .unwrap_err()
                .what
                .contains("did not end in 0.05 s")
        );
    }
}
