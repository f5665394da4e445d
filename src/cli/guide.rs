//! The guide's flags, and that it is what `gw` alone means.

use super::{Cli, From, Up, Wish};
use clap::{Args, Parser};
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub struct Guide {
    #[command(flatten)]
    pub wish: Wish,
    /// Backends to take of those that are found; without it, all that can be used
    #[arg(short, long, value_name = "NAME,...", value_delimiter = ',')]
    pub backends: Vec<String>,
    /// Keep the choices as a profile in this file
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    #[command(flatten)]
    pub from: From,
    /// Ask nothing, go with what is proposed
    #[arg(short, long)]
    pub yes: bool,
}

impl Cli {
    /// What was typed; without a command, the guide with what the environment says.
    pub fn read() -> Cli {
        let cli = Cli::parse();
        let command = cli
            .command
            .or_else(|| Cli::parse_from(["gw", "guide"]).command);
        Cli { command, ..cli }
    }
}

impl Up {
    /// With nothing said but what is wished.
    pub fn of(wish: Wish, from: From) -> Up {
        Up {
            wish,
            timeout: 300,
            force: false,
            locked: false,
            adopt: false,
            yes: false,
            report: Vec::new(),
            from,
        }
    }
}
