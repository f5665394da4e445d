//! What `gw test` and `gw reach` take.

use clap::Args;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  gw test
  gw test --route /ollama --only stream
  gw test --skip limit --max-cost 0
  gw test -o junit > proof.xml
  gw test --report proof.md        the form by the ending: json, xml, md or txt

Sorts of cases, for --only and --skip: answer, stream, refusal, policy, limit,
object, own; any other word is a part of a case's id.";

#[derive(Debug, Clone, Args)]
pub struct Test {
    /// Only cases of this sort, or with this in their id; can be repeated
    #[arg(long, value_name = "SORT|ID")]
    pub only: Vec<String>,
    /// No case of this sort, or with this in its id; can be repeated
    #[arg(long, value_name = "SORT|ID")]
    pub skip: Vec<String>,
    /// Only this route, by its name or path; can be repeated
    #[arg(long, value_name = "ROUTE")]
    pub route: Vec<String>,
    /// Routes of others too; what that costs is theirs to pay
    #[arg(long)]
    pub all: bool,
    /// US dollars that the command's proofs may cost at most, by list prices and with own tests;
    /// what would cost more is skipped
    #[arg(long, default_value_t = 0.01, value_name = "DOLLARS", value_parser = dollars)]
    pub max_cost: f64,
    /// How often a failure of who is behind a route is asked again
    #[arg(long, default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=5))]
    pub retries: u32,
    /// Prove again and again until interrupted, with so many seconds between
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30", value_parser = clap::value_parser!(u64).range(5..))]
    pub watch: Option<u64>,
    /// Write a report to this file too; can be repeated
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
}

fn dollars(text: &str) -> Result<f64, String> {
    let amount: f64 = text
        .trim_start_matches('$')
        .parse()
        .map_err(|_| "an amount such as 0.01".to_string())?;
    match (0.0..=100.0).contains(&amount) {
        true => Ok(amount),
        false => Err("an amount from 0 to 100".to_string()),
    }
}

#[derive(Debug, Clone, Args)]
pub struct Reach {
    /// Route, by its path or name; without it every route
    #[arg(value_name = "ROUTE")]
    pub route: Option<String>,
}
