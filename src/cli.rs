//! The command line as types. Nothing here does anything.

mod addition;
mod day;
mod env;
mod guide;
mod mock;
mod process;
mod serve;
mod ship;
mod test;
mod wish;

pub use addition::{Backend, Route};
pub use env::{Env, ShellName};
pub use mock::Mock;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use day::{Debug, Down, Explain, Lock, Logs, Status, Undo, Upgrade};
pub use guide::Guide;
pub use process::Forward;
pub use serve::Serve;
pub use ship::{Bundle, BundleCreate, BundleVerb, Completions, From, Man};
use std::net::SocketAddrV4;
use std::path::PathBuf;
pub use test::{Reach, Test};
pub use wish::Wish;

const EXAMPLES: &str = "\
Examples:
  gw                     looks, proposes, asks one question, goes
  gw up                  a gateway on this machine, proved with a real request
  gw up --target kind    the same on a kind cluster, with agentgateway
  gw test                prove every route again
  gw status              what is there, and whether it answers now
  gw down                take back everything that gw made

Exit codes:
  0 done, 1 failed, 2 usage or profile, 3 no usable target,
  4 applied but not proved, 128+n ended by signal n;
  serve and mock, which run until they are told to end, then exit with 0";

/// The local AI gateway: one command sets it up, real requests prove it.
#[derive(Debug, Parser)]
#[command(name = "gw", version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// Without one, the guide
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub global: Global,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Environment to work on; several can live side by side
    #[arg(long, global = true, default_value = "default", env = "GW_ENV", value_parser = environment, value_name = "NAME")]
    pub env: String,
    /// Form of the answer on stdout
    #[arg(
        short,
        long,
        global = true,
        default_value = "text",
        value_name = "FORM"
    )]
    pub output: Output,
    /// Form of the progress on stderr: auto draws on a terminal and writes lines elsewhere
    #[arg(
        long,
        global = true,
        default_value = "auto",
        env = "GW_PROGRESS",
        value_name = "FORM"
    )]
    pub progress: Progress,
    /// No progress at all
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[value(alias = "table")]
    Text,
    /// As text, with what does not fit into 80 columns
    Wide,
    Json,
    /// What json says, as YAML
    Yaml,
    /// JUnit's XML, for viewers of CI; of `test` alone
    Junit,
    /// Markdown, for a pull request or a step's summary; of `test` alone
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    Auto,
    Plain,
    Json,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetName {
    /// OrbStack's own Kubernetes
    Orbstack,
    /// A kind cluster on this machine's Docker
    Kind,
    /// A cluster that is there already, by a context of the kubeconfig
    Context,
    /// No cluster: a gateway in this program
    Embedded,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look, propose, ask one question and go: what `gw` alone does
    #[command(
        after_help = "Examples:\n  gw\n  gw guide --yes                          go with the proposal, for scripts\n  gw guide --yes --target kind --backends ollama,openai\n  gw guide --save gateway.yaml            keep the choices as a profile"
    )]
    Guide(Guide),
    /// Make a profile true and prove every route with a real request
    #[command(
        after_help = "Examples:\n  gw up\n  gw up --profile ollama --port 8081\n  gw up --target kind --node-image kindest/node:v1.34.0\n  gw up --context k3d-dev            on a cluster that is there already\n  gw up --profile my.yaml --env demo"
    )]
    Up(Up),
    /// Take back what `up` made; what is not ours stays
    #[command(
        after_help = "Examples:\n  gw down\n  gw down --yes            without asking before a cluster is deleted\n  gw down --keep-cluster   leave the kind cluster, take back what is in it"
    )]
    Down(Down),
    /// Show what this machine has, and where a gateway could run; touches nothing
    #[command(after_help = "Examples:\n  gw detect\n  gw detect -o json")]
    Detect(Detect),
    /// Show what is there, and whether it answers now
    #[command(
        after_help = "Examples:\n  gw status\n  gw status -o wide     with every condition\n  gw status --watch     live, until q: routes, latency, tokens, errors; ? shows the keys\n  gw status -o json"
    )]
    Status(Status),
    /// Prove every route, every policy and every limit with real requests
    #[command(after_help = test::EXAMPLES)]
    Test(Test),
    /// Follow a request hop by hop, and name the first hop that fails
    #[command(
        after_help = "Examples:\n  gw reach             every route\n  gw reach /ollama     one, by its path or name\n  gw reach -o json"
    )]
    Reach(Reach),
    /// Show the end of a log
    #[command(
        after_help = "Examples:\n  gw logs                    the last 50 lines of all, in time order\n  gw logs 200 --errors\n  gw logs controller 20      on a cluster\n  gw logs /ollama --follow   requests of one route\n  gw logs --since 10m"
    )]
    Logs(Logs),
    /// Say what is wrong, why, and what repairs it
    #[command(
        after_help = "Examples:\n  gw debug\n  gw debug --fix            repair what can be repaired, each change shown first\n  gw debug --fix GW021      this one alone\n  gw debug --bundle report.tar.gz    for a colleague, without keys\n  gw debug -o json"
    )]
    Debug(Debug),
    /// Take back what the last `debug --fix` changed
    #[command(after_help = "Examples:\n  gw undo\n  gw undo --yes")]
    Undo(Undo),
    /// Show what runs, what is supported, and what is newer in the registry
    #[command(after_help = "Examples:\n  gw versions\n  gw versions -o json")]
    Versions,
    /// Install another version of 2.2: checked first, backed up, proved, taken back when the proof fails
    #[command(
        after_help = "Examples:\n  gw upgrade               to the newest\n  gw upgrade v2.2.1 --yes"
    )]
    Upgrade(Upgrade),
    /// Pin charts and images by digest in gw.lock
    #[command(after_help = "Examples:\n  gw lock\n  gw up --locked    refuses what is not in it")]
    Lock(Lock),
    /// Tell the story of a rule of `debug`; without a code, list them
    #[command(after_help = "Examples:\n  gw explain\n  gw explain GW021")]
    Explain(Explain),
    /// Show what `up` would do, without touching anything
    #[command(
        after_help = "Examples:\n  gw plan\n  gw plan --profile ollama --target kind\n  gw plan --yaml | kubectl diff -f -"
    )]
    Plan(Plan),
    /// Serve objects from files, as a cluster would, in the foreground
    #[command(
        after_help = "Examples:\n  gw serve -f gateway.yaml\n  gw serve -f manifests/ -f secrets.yaml --port 8080\n  kubectl get gateways,httproutes,agentgatewaybackends -A -o yaml | gw serve -f -\n  gw serve -f gateway.yaml --dry-run --strict    for CI: check and end\n  gw serve -f gateway.yaml -o json               status of every object on stdout"
    )]
    Serve(Serve),
    /// Run the mock provider: OpenAI, Anthropic, Gemini, Azure, Vertex, Bedrock and MCP, offline
    #[command(after_help = mock::EXAMPLES)]
    Mock(Mock),
    /// Print the variables by which the usual SDKs use the gateway
    #[command(after_help = env::EXAMPLES)]
    Env(Env),
    /// Print the YAML of a backend for the environment at hand, or make it true and prove it
    #[command(after_help = addition::BACKEND)]
    Backend(Box<Backend>),
    /// Print the YAML of a route to a backend of the environment, or make it true and prove it
    #[command(after_help = addition::ROUTE)]
    Route(Route),
    /// List, show and validate profiles
    Profile(Profile),
    /// Everything for a machine without a network, in one file: make it, show it, check it
    Bundle(Bundle),
    /// Write completions of this command line for a shell
    Completions(Completions),
    /// Write the manual's pages into a folder
    #[command(hide = true)]
    Man(Man),
    /// The embedded gateway's process
    #[command(hide = true)]
    Gateway {
        #[arg(long)]
        socket: PathBuf,
        /// Where log lines go; without it, to stderr
        #[arg(long)]
        log: Option<PathBuf>,
        #[command(flatten)]
        doors: Doors,
    },
    /// The relay's process
    #[command(hide = true)]
    Relay {
        #[arg(long)]
        listen: SocketAddrV4,
        #[arg(long)]
        to: SocketAddrV4,
        #[arg(long)]
        allow: String,
        #[arg(long)]
        whole: bool,
        #[arg(long)]
        raw: bool,
        /// Where log lines go; without it, to stderr
        #[arg(long)]
        log: Option<PathBuf>,
    },
    /// The port-forward's process
    #[command(hide = true)]
    Forward(Forward),
    /// The process that runs MCP servers which are programs
    #[command(hide = true)]
    Bridge {
        #[arg(long)]
        listen: SocketAddrV4,
        /// Where log lines go; without it, to stderr
        #[arg(long)]
        log: Option<PathBuf>,
    },
    /// A processor for demonstrations of extProc
    #[command(hide = true)]
    Processor {
        #[arg(long)]
        listen: SocketAddrV4,
        /// Where log lines go; without it, to stderr
        #[arg(long)]
        log: Option<PathBuf>,
    },
}

/// Ports for tools of operation, on loopback; a taken one is no failure, another is taken.
#[derive(Debug, Clone, Args)]
pub struct Doors {
    /// Port that tells whether the gateway is ready (/healthz/ready)
    #[arg(
        long,
        env = "GW_READY_PORT",
        default_value_t = 15021,
        value_name = "PORT"
    )]
    pub ready_port: u16,
    /// Port of the counts for Prometheus (/metrics)
    #[arg(
        long,
        env = "GW_METRICS_PORT",
        default_value_t = 15020,
        value_name = "PORT"
    )]
    pub metrics_port: u16,
    /// Port of the configuration without its keys (/config_dump)
    #[arg(
        long,
        env = "GW_CONFIG_PORT",
        default_value_t = 15000,
        value_name = "PORT"
    )]
    pub config_port: u16,
}

#[derive(Debug, Clone, Args)]
pub struct Up {
    #[command(flatten)]
    pub wish: Wish,
    /// How long any one wait may take, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// Take back fields of our own objects that somebody else has changed
    #[arg(long)]
    pub force: bool,
    /// Refuse charts and images that are not those of gw.lock
    #[arg(long)]
    pub locked: bool,
    #[command(flatten)]
    pub from: From,
    /// Use what others have installed already as it is: charts, the Gateway API
    #[arg(long)]
    pub adopt: bool,
    /// Answer yes where a cluster is meant that is not proved to be on this machine
    #[arg(short, long)]
    pub yes: bool,
    /// Prove everything and write a report to this file: .json, .xml (JUnit), .md or .txt; can be repeated
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct Detect {
    /// The port that a gateway would take
    #[arg(long, env = "GW_PORT", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
}

#[derive(Debug, Clone, Args)]
pub struct Plan {
    #[command(flatten)]
    pub wish: Wish,
    /// Only the objects, as YAML
    #[arg(long)]
    pub yaml: bool,
    /// What is not as it was applied: field by field, with who and when
    #[arg(long, conflicts_with = "yaml")]
    pub diff: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gw profile list\n  gw profile show default > my.yaml\n  gw profile show > my.yaml           what this environment was made from\n  gw profile validate my.yaml\n  gw profile schema > profile.schema.json"
)]
pub struct Profile {
    #[command(subcommand)]
    pub verb: ProfileVerb,
}

#[derive(Debug, Subcommand)]
pub enum ProfileVerb {
    /// The shipped profiles, each with for whom it is
    List,
    /// A profile's text; without a name, that of this environment
    Show { profile: Option<String> },
    /// Every problem of a profile, each with its place
    Validate { profile: String },
    /// The JSON Schema of profiles, for editors
    Schema,
}

/// Names of environments and clusters become file, label and container names.
fn environment(name: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edges = name.starts_with('-') || name.ends_with('-');
    match name.is_empty() || name.len() > 40 || edges || !name.chars().all(good) {
        true => Err(
            "a name has 1 to 40 lower-case letters, digits and dashes, and no dash at its ends"
                .to_string(),
        ),
        false => Ok(name.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_environment_is_no_path() {
        assert!(environment("demo-1").is_ok());
        for name in ["", "../x", "a/b", "-a", "A", &"x".repeat(41)] {
            assert!(environment(name).is_err(), "{name}");
        }
    }
}
