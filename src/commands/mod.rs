//! One file a verb: load, call, report.

mod addition;
mod ask;
mod asked;
mod backend;
mod bundle;
mod callers;
mod causes;
mod completions;
mod copies;
mod credentials;
mod debug;
mod detect;
mod down;
mod env;
mod explain;
mod gather;
mod guide;
mod keys;
mod lock;
mod logs;
mod look;
mod made;
mod mock;
mod own;
mod plan;
mod profile;
mod prove;
mod proved;
mod reach;
mod repair;
mod reports;
mod route;
mod serve;
mod service;
mod session;
mod status;
mod test;
mod undo;
mod up;
mod upgrade;
mod versions;
mod watch;
mod wish;

use crate::cli::{Cli, Command, Guide, Output, Up};
use crate::error::{Error, Exit, Result};
use crate::gateway::ends::ending;
use crate::provider::key_variables;
use crate::report::document::Document;
use crate::report::{github, human};
use crate::secret::{hidden, prompt};
use crate::text;
use session::Session;
use tokio::runtime::Builder;

/// How a command ended when nothing failed on the way.
pub type Outcome = Result<Option<Exit>>;

/// Runs one command to its exit code. The runtime is not the caller's: an async function's code is made
/// by the crate that runs it, and this one's is made in parts at once.
pub fn run(cli: Cli) -> u8 {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else {
        return Exit::Failed.code();
    };
    let code = runtime.block_on(perform(cli));
    // A read of standard input that nobody waits for any more must not hold the process up.
    runtime.shutdown_background();
    code
}

async fn perform(cli: Cli) -> u8 {
    let Cli { command, global } = cli;
    let Some(command) = command else {
        return Exit::Usage.code();
    };
    hidden::hide(key_variables());
    let session = Session::new(global, command.flags(), command.is_offline());
    let name = command.name();
    let work = async {
        session.has_form(name)?;
        match command {
            Command::Guide(options) => guide::run(&session, &options).await,
            Command::Up(options) => up::run(&session, &options).await,
            Command::Down(options) => down::run(&session, &options).await,
            Command::Detect(options) => detect::run(&session, &options).await,
            Command::Status(options) => status::run(&session, &options).await,
            Command::Test(options) => test::run(&session, &options).await,
            Command::Reach(options) => reach::run(&session, &options).await,
            Command::Logs(options) => logs::run(&session, &options).await,
            Command::Debug(options) => debug::run(&session, &options).await,
            Command::Undo(options) => undo::run(&session, &options).await,
            Command::Versions => versions::run(&session).await,
            Command::Upgrade(options) => upgrade::run(&session, &options).await,
            Command::Lock(options) => lock::run(&session, &options).await,
            Command::Explain(options) => explain::run(&session, &options),
            Command::Plan(options) => plan::run(&session, &options).await,
            Command::Serve(options) => serve::run(&session, &options).await,
            Command::Env(options) => env::run(&session, &options),
            Command::Backend(options) => backend::run(&session, &options).await,
            Command::Route(options) => route::run(&session, &options).await,
            Command::Profile(options) => profile::run(&session, &options),
            Command::Bundle(options) => gather::run(&session, &options).await,
            Command::Completions(options) => completions::completions(&session, &options),
            Command::Man(options) => completions::man(&session, &options),
            Command::Gateway { socket, log, doors } => service::gateway(socket, log, &doors).await,
            Command::Relay {
                listen,
                to,
                allow,
                whole,
                raw,
                log,
            } => service::relay(listen, to, &allow, (whole, raw), log).await,
            Command::Forward(options) => service::forward(options).await,
            Command::Mock(options) => mock::run(&options).await,
            Command::Bridge { listen, log } => service::bridge(listen, log).await,
            Command::Processor { listen, log } => service::processor(listen, log).await,
        }
    };
    let result = tokio::select! {
        result = work => result,
        error = interrupted(name, typed()) => {
            copies::sweep(&session).await;
            Err(error)
        }
    };
    prompt::restore();
    match result {
        Ok(exit) => exit.map_or(0, Exit::code),
        Err(error) => {
            let error = repeated(name, error);
            session.fail(name, &error);
            error.exit.code()
        }
    }
}

/// These make something of their own: what goes on with it is the same command, and no plain `gw up`.
fn repeated(name: &str, error: Error) -> Error {
    let next = match (name, error.next.strip_suffix("&& gw up")) {
        ("guide" | "backend" | "route", Some(before)) => format!("{before}&& {}", typed()),
        ("guide", None) if error.next == "gw" => typed(),
        _ => return error,
    };
    Error { next, ..error }
}

/// This very command again.
fn typed() -> String {
    let words = std::env::args_os().skip(1);
    let words = words.map(|word| text::shell(&word.to_string_lossy()));
    let words: Vec<String> = std::iter::once("gw".to_string()).chain(words).collect();
    words.join(" ")
}

impl Command {
    fn flags(&self) -> Vec<(&'static str, String)> {
        match self {
            Command::Up(Up { wish, .. }) | Command::Guide(Guide { wish, .. }) => wish.flags(),
            Command::Plan(plan) => plan.wish.flags(),
            _ => Vec::new(),
        }
    }

    fn is_offline(&self) -> bool {
        match self {
            Command::Up(Up { from, .. }) | Command::Guide(Guide { from, .. }) => from.offline,
            Command::Down(down) => down.offline,
            _ => false,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Command::Guide(_) => "guide",
            Command::Up(_) => "up",
            Command::Down(_) => "down",
            Command::Detect(_) => "detect",
            Command::Status(_) => "status",
            Command::Test(_) => "test",
            Command::Reach(_) => "reach",
            Command::Logs(_) => "logs",
            Command::Debug(_) => "debug",
            Command::Undo(_) => "undo",
            Command::Versions => "versions",
            Command::Upgrade(_) => "upgrade",
            Command::Lock(_) => "lock",
            Command::Explain(_) => "explain",
            Command::Plan(_) => "plan",
            Command::Serve(_) => "serve",
            Command::Env(_) => "env",
            Command::Backend(_) => "backend",
            Command::Route(_) => "route",
            Command::Profile(_) => "profile",
            Command::Bundle(_) => "bundle",
            Command::Completions(_) => "completions",
            Command::Man(_) => "man",
            Command::Gateway { .. } => "gateway",
            Command::Relay { .. } => "relay",
            Command::Forward(_) => "forward",
            Command::Mock(_) => "mock",
            Command::Bridge { .. } => "bridge",
            Command::Processor { .. } => "processor",
        }
    }
}

/// These only look: there is nothing to go on with.
const LOOKING: [&str; 9] = [
    "debug", "detect", "env", "lock", "plan", "reach", "status", "test", "versions",
];

/// Ends when a signal asks for the end. The state on disk is good at any moment.
async fn interrupted(command: &str, next: String) -> Error {
    // These end their own way: they let running answers come to their end, or have made nothing yet.
    if ["gateway", "serve", "mock", "bridge", "guide", "logs"].contains(&command) {
        return std::future::pending().await;
    }
    let number = ending().await;
    let exit = Exit::Signal(u8::try_from(number).unwrap_or(0));
    if LOOKING.contains(&command) {
        return Error::new("interrupted", next).exit(exit);
    }
    let fact = match command {
        "upgrade" => "what was there is backed up: the same command goes on from there",
        "bundle" => "what was gathered is kept: the same command goes on from there",
        _ => "nothing is lost: `gw up` goes on where it ended, `gw down` takes back what was made",
    };
    let error = Error::new("interrupted", next).fact(fact);
    error.exit(exit)
}

impl Session {
    /// Reports are of proofs: no other command has anything to write in their forms.
    fn has_form(&self, command: &str) -> Result<()> {
        let form = match self.global.output {
            Output::Text | Output::Wide | Output::Json | Output::Yaml => return Ok(()),
            Output::Junit => "junit",
            Output::Markdown => "markdown",
        };
        match command {
            "test" => Ok(()),
            _ => Err(Error::usage(
                format!("`gw {command}` does not answer as {form}"),
                format!("gw test -o {form}"),
            )),
        }
    }

    fn fail(&self, command: &str, error: &Error) {
        let error = &Error {
            next: self.complete(&error.next),
            ..error.clone()
        };
        if self.is_json() {
            self.write(&Document::new(command, &self.global.env).error(error).text());
        }
        self.talk(&human::error(error, self.err));
        if self.on_github {
            self.talk(&github::error(command, error));
        }
    }
}
