//! What every command shares: paths, streams and how they look.

use crate::apply::ledger::Ledger;
use crate::apply::lock::Lock;
use crate::apply::record::{Record, names};
use crate::cli::{Global, Output, Progress};
use crate::cluster::access::{Access, Theirs};
use crate::error::Result;
use crate::event::Sink;
use crate::host::paths::{EnvironmentPaths, Paths};
use crate::profile::TargetKind;
use crate::report::progress;
use crate::report::style::{Look, Surroundings};
use crate::supply::Supply;
use crate::target::Target;
use crate::target::context::Existing;
use crate::target::embedded::Embedded;
use crate::target::inside::Inside;
use crate::target::kind::Kind;
use crate::target::orbstack::OrbStack;
use crate::text;
use crate::verify::check::{Finding, Verdict};
use crate::yaml;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub struct Session {
    pub global: Global,
    pub paths: Paths,
    pub supply: Supply,
    /// Whether GitHub's runner reads what we write.
    pub on_github: bool,
    pub sink: Sink,
    pub out: Look,
    pub err: Look,
    /// What was typed and belongs to a suggested `gw up`.
    flags: Vec<(&'static str, String)>,
    proved: Mutex<Proved>,
}

/// What the proofs of one wish have come to so far.
#[derive(Default)]
struct Proved {
    /// US dollars that they have cost at most.
    spent: f64,
    /// What has failed last.
    failed: Vec<Finding>,
}

impl Session {
    pub fn new(global: Global, flags: Vec<(&'static str, String)>, offline: bool) -> Self {
        let out = Surroundings::of(std::io::stdout().is_terminal()).look();
        let err = Surroundings::of(std::io::stderr().is_terminal()).look();
        let sink = match global.progress {
            _ if global.quiet => Sink::none(),
            Progress::None => Sink::none(),
            Progress::Json => progress::json_lines(),
            Progress::Auto if err.terminal => progress::spinners(err),
            Progress::Auto | Progress::Plain => progress::lines(err),
        };
        let paths = Paths::from_env();
        Session {
            supply: Supply::new(&paths, offline),
            on_github: std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true"),
            paths,
            sink,
            out,
            err,
            global,
            flags,
            proved: Mutex::default(),
        }
    }

    /// What the proofs of this command have cost so far, in US dollars: all of them share one cap.
    pub fn spent(&self) -> f64 {
        self.proved().spent
    }

    /// One more proof. What has failed and can't be paid for again stays failed.
    pub fn has_proved(&self, cost: f64, findings: &mut [Finding]) {
        let mut proved = self.proved();
        proved.spent += cost;
        for finding in findings.iter_mut().filter(|f| f.verdict == Verdict::Skip) {
            if let Some(before) = proved.failed.iter().find(|f| f.id == finding.id) {
                *finding = before.clone();
            }
        }
        let failed = findings.iter().filter(|f| f.verdict == Verdict::Fail);
        proved.failed = failed.cloned().collect();
    }

    /// What comes now is another wish than what came before: it has a cap of its own.
    pub fn begin_anew(&self) {
        *self.proved() = Proved::default();
    }

    fn proved(&self) -> MutexGuard<'_, Proved> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without a word of progress: what is drawn on a whole screen is not written over.
    pub fn hushed(&self) -> Session {
        let global = Global {
            quiet: true,
            ..self.global.clone()
        };
        Session::new(global, self.flags.clone(), false)
    }

    /// A suggested `gw` command with the environment and the flags that were typed: as it stands, it
    /// can be typed.
    pub fn complete(&self, next: &str) -> String {
        completed(next, &self.flags, &self.global.env)
    }

    /// A note of a plan, with the command in it completed.
    pub fn told(&self, note: &str) -> String {
        const BEFORE: &str = "; take it in: ";
        match note.split_once(BEFORE) {
            Some((why, next)) => format!("{why}{BEFORE}{}", self.complete(next)),
            None => note.to_string(),
        }
    }

    /// Another environment of this machine that is in the cluster of one.
    pub fn neighbour(&self, of: &Record) -> Option<String> {
        let cluster = of.cluster_context()?;
        let others = names(&self.paths)
            .into_iter()
            .filter(|name| *name != self.global.env);
        let is_in = |name: &String| {
            let paths = self.paths.environment(name);
            let record = Record::load(&paths).ok().flatten();
            let there = !Ledger::peek(&paths.ledger()).is_empty();
            there
                && record.is_some_and(|record| record.cluster_context().as_ref() == Some(&cluster))
        };
        others.into_iter().find(is_in)
    }

    pub fn is_json(&self) -> bool {
        matches!(self.global.output, Output::Json | Output::Yaml)
    }

    pub fn is_wide(&self) -> bool {
        self.global.output == Output::Wide
    }

    /// How a file is written: without marks and colours.
    pub fn plain(&self) -> Look {
        Look {
            terminal: false,
            colour: false,
        }
    }

    pub fn environment(&self) -> EnvironmentPaths {
        self.paths.environment(&self.global.env)
    }

    pub fn record(&self) -> Result<Record> {
        Record::require(&self.paths, &self.global.env)
    }

    /// The environment's lock, that of its cluster, and the record as it is once they are held: whoever
    /// held them before may have changed it. Nobody waits for an environment that there is not.
    pub async fn locked(&self, command: &str) -> Result<((Lock, Option<Lock>), Record)> {
        self.record()?;
        let environment = self.lock(command).await?;
        let context = self.record()?.cluster_context();
        let cluster = self.cluster_lock(context.as_deref(), command).await?;
        Ok(((environment, cluster), self.record()?))
    }

    /// The environment's lock.
    pub async fn lock(&self, command: &str) -> Result<Lock> {
        let file = self.environment().lock();
        Lock::take(&file, command, |text| self.sink.note(text)).await
    }

    /// The lock of a cluster that other environments may be in too; taken after the environment's own.
    pub async fn cluster_lock(&self, context: Option<&str>, command: &str) -> Result<Option<Lock>> {
        let Some(context) = context else {
            return Ok(None);
        };
        let file = self.paths.cluster_lock(context);
        let lock = Lock::take(&file, command, |text| self.sink.note(text)).await;
        lock.map(Some)
    }

    /// The answer, on stdout. A reader that has gone away is no fault.
    pub fn write(&self, text: &str) {
        let yaml = match self.global.output {
            Output::Yaml => serde_json::from_str(text)
                .ok()
                .map(|value| yaml::write(&value)),
            Output::Text | Output::Wide | Output::Json | Output::Junit | Output::Markdown => None,
        };
        let text = yaml.as_deref().unwrap_or(text);
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// The talk, on stderr.
    pub fn talk(&self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Asks a question whose answer is yes or no; without a terminal nobody can be asked.
    pub async fn ask(&self, question: &str) -> Option<bool> {
        if !std::io::stdin().is_terminal() || !self.err.terminal {
            return None;
        }
        self.talk(&format!("{question} [y/N] "));
        // Aside, so that Ctrl-C works while nobody answers.
        let reading = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer).map(|_| answer)
        });
        let answer = reading.await.ok().and_then(std::result::Result::ok);
        let answer = answer.unwrap_or_default();
        Some(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
    }

    /// The target on which an environment is.
    pub fn target(&self, record: &Record) -> Box<dyn Target> {
        let inside = || {
            let access = self.access(record);
            let inside = Inside::new(
                &self.paths,
                access,
                &record.environment,
                &record.gateway,
                &self.supply,
            );
            inside.at(&record.namespace, record.system())
        };
        let existing = |theirs: &Theirs| Existing {
            inside: inside(),
            theirs: theirs.clone(),
            local: record.local,
        };
        match (record.target(), &record.access) {
            (Some(TargetKind::Kind), _) => Box::new(Kind::new(&record.cluster, inside())),
            (Some(TargetKind::Context), Some(theirs)) => Box::new(existing(theirs)),
            (Some(TargetKind::OrbStack), Some(theirs)) => Box::new(OrbStack {
                cluster: existing(theirs),
                port: record.port,
            }),
            // A record of a cluster without the way to it is none of ours.
            (Some(_) | None, _) => {
                Box::new(Embedded::new(&self.paths, &record.environment, record.port))
            }
        }
    }

    /// The way to an environment's cluster.
    pub fn access(&self, record: &Record) -> Access {
        record.way(&self.paths.environment(&record.environment))
    }
}

fn completed(next: &str, flags: &[(&'static str, String)], env: &str) -> String {
    // What comes before, such as setting a variable, takes none of our flags.
    let command = next.rsplit("&& ").next().unwrap_or(next);
    let mut words = vec![next.to_string()];
    let mut add = |flag: &str, value: &str| {
        if !command.contains(flag) {
            words.push(format!("{flag} {}", text::shell(value)));
        }
    };
    if command == "gw up" || command.starts_with("gw up ") {
        for (flag, value) in flags {
            add(flag, value);
        }
    }
    if command.starts_with("gw ") && !command.starts_with("gw profile") && env != "default" {
        add("--env", env);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use crate::verify::check::Claim;
    use clap::Parser;
    use std::time::Duration;

    #[test]
    fn what_has_failed_and_can_not_be_paid_for_again_stays_failed() {
        let cli = Cli::try_parse_from(["gw", "status"]).unwrap();
        let session = Session::new(cli.global, Vec::new(), true);
        let claim = Claim {
            id: "route.a".to_string(),
            title: "/a answers a POST".to_string(),
            needs: Vec::new(),
            deadline: Duration::from_secs(1),
            lane: String::new(),
        };
        session.has_proved(0.01, &mut [Finding::fail(&claim, "503", "gw up")]);
        let skip = || Finding::new(&claim, Verdict::Skip);
        let mut second = [skip()];
        session.has_proved(0.0, &mut second);
        assert_eq!(second[0].verdict, Verdict::Fail);
        session.begin_anew();
        let mut other = [skip()];
        session.has_proved(0.0, &mut other);
        assert_eq!((other[0].verdict, session.spent()), (Verdict::Skip, 0.0));
    }

    #[test]
    fn a_suggested_up_builds_what_was_asked_for() {
        let flags = [
            ("--profile", "my file".to_string()),
            ("--port", "18084".to_string()),
        ];
        let given = |next| completed(next, &flags, "demo");
        assert_eq!(
            given("read -rs KEY && export KEY && gw up"),
            "read -rs KEY && export KEY && gw up --profile 'my file' --port 18084 --env demo"
        );
        let own = "gw up --port 9 --profile 'my file' --env demo";
        assert_eq!(given("gw up --port 9"), own);
        assert_eq!(given("gw logs"), "gw logs --env demo");
        assert_eq!(given("ls -l x"), "ls -l x");
    }
}
