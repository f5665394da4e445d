//! What is asked for after `up`: status, logs, repairs, upgrades, the end.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub struct Status {
    /// Stay, and show it again whenever something changes: on a terminal routes with live latency, tokens and
    /// errors, and keys to test, read the log and walk the way; in a pipe the status as text
    #[arg(short, long)]
    pub watch: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Debug {
    /// Repair: every finding that has a fix, or the one of this code; each change is shown and asked for
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "")]
    pub fix: Option<String>,
    /// Repair without asking
    #[arg(short, long, requires = "fix")]
    pub yes: bool,
    /// Send no request through the routes: nothing is spent, and less is seen
    #[arg(long)]
    pub no_probe: bool,
    /// Write an archive for a colleague: objects, events, logs, findings; keys removed
    #[arg(long, value_name = "FILE", conflicts_with = "fix")]
    pub bundle: Option<PathBuf>,
    /// How long any one wait may take, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
}

#[derive(Debug, Clone, Args)]
pub struct Undo {
    /// Without asking
    #[arg(short, long)]
    pub yes: bool,
    /// How long any one wait may take, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
}

#[derive(Debug, Clone, Args)]
pub struct Upgrade {
    /// Such as v2.2.1; without it the newest of the line
    pub version: Option<String>,
    /// Without asking
    #[arg(short, long)]
    pub yes: bool,
    /// How long any one wait may take, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
}

#[derive(Debug, Clone, Args)]
pub struct Lock {
    /// File to write [default: gw.lock]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// A code such as GW021
    pub code: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// Number of lines; whose log (proxy, controller, forward, relay, mock); or a route. Without it all, merged
    #[arg(value_name = "COUNT|SOURCE|ROUTE", num_args = 0..=3)]
    pub what: Vec<String>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Only what was written in this last while, such as 10m
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub since: Option<std::time::Duration>,
    /// Only what went wrong
    #[arg(long)]
    pub errors: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Down {
    /// Delete a cluster that gw created without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Leave the kind cluster and take back what is in it
    #[arg(long)]
    pub keep_cluster: bool,
    /// Fetch nothing: what is missing is an error that says how to get it
    #[arg(long, env = "GW_OFFLINE")]
    pub offline: bool,
    /// End our processes and forget the rest: for a cluster that is gone
    #[arg(long, conflicts_with = "keep_cluster")]
    pub forget: bool,
    /// How long any one wait may take, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
}

/// `90s`, `10m`, `2h`, or seconds.
fn span(text: &str) -> Result<std::time::Duration, String> {
    let fault = || format!("`{text}` is no span such as 90s, 10m or 2h");
    let (number, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None => (text, "s"),
    };
    let number: u64 = number.parse().map_err(|_| fault())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(fault()),
    };
    let seconds = number
        .checked_mul(seconds)
        .filter(|seconds| *seconds < 10_000_000);
    seconds
        .map(std::time::Duration::from_secs)
        .ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_number_and_a_unit() {
        let seconds = |text| span(text).map(|span| span.as_secs());
        assert_eq!(
            [seconds("90"), seconds("10m"), seconds("2h")],
            [Ok(90), Ok(600), Ok(7200)]
        );
        for wrong in [
            "",
            "m",
            "-1s",
            "1.5h",
            "10 m",
            "99999999999999999999s",
            "99999d",
        ] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
