//! The flags of `gw env`.

use clap::{Args, ValueEnum};

pub const EXAMPLES: &str = "\
Examples:
  eval \"$(gw env)\"                         in bash and zsh
  gw env | source                          in fish
  gw env --route claude                    of that route, not of the first
  gw env --unset                           what takes the variables back
  gw env --shell powershell | Out-String | Invoke-Expression

What it sets:
  OPENAI_BASE_URL, OPENAI_API_KEY          the first route that serves models
  ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY    the first that serves /v1/messages
  Where the gateway asks callers for a key, its value is where the key is, never
  the key; Anthropic's SDKs then send ANTHROPIC_AUTH_TOKEN, as a bearer.
  Elsewhere the key is a placeholder that gw itself never takes for a provider's.";

#[derive(Debug, Clone, Args)]
pub struct Env {
    /// Route of the profile; without it the first that serves each family of SDKs
    #[arg(short, long, value_name = "NAME")]
    pub route: Option<String>,
    /// Whose words to print [default: the shell that SHELL names]
    #[arg(long, value_name = "SHELL")]
    pub shell: Option<ShellName>,
    /// Print what takes the variables back
    #[arg(long)]
    pub unset: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShellName {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Nu,
}
