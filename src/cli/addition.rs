//! The flags of `gw backend` and `gw route`.

use clap::Args;

pub const BACKEND: &str = "\
Examples:
  gw backend openai | kubectl apply -f -
  gw backend ollama --model qwen3 --name qwen
  gw backend openai-compatible --address http://localhost:1234/v1 --name studio
  gw backend mcp --address http://localhost:3001/mcp --name tools
  gw backend mcp --command 'npx -y @modelcontextprotocol/server-everything' --apply
  gw backend mock --whole | gw serve -f -       with its Gateway and its route
  gw backend openai --key env:WORK_KEY --apply  made, and proved by a POST

What is printed holds no key: the one command that makes the Secret stands above
it, with the entry that the controller reads. What --apply makes is kept in a
profile of the environment's own that extends the one it followed: the next
`gw up` makes it again, `gw up --profile NAME` leaves it.";

pub const ROUTE: &str = "\
Examples:
  gw route ollama | kubectl apply -f -
  gw route chat --backend openai --path /v2/chat --timeout 30s
  gw route chat --backend openai --apply        made, and proved by a POST";

#[derive(Debug, Clone, Args)]
pub struct Backend {
    /// A provider's name, or mcp
    #[arg(value_name = "PROVIDER")]
    pub provider: String,
    /// Name of the backend and of its route [default: the provider's]
    #[arg(long)]
    pub name: Option<String>,
    /// Model that replaces what clients ask for [default: the provider's usual one]
    #[arg(long)]
    pub model: Option<String>,
    /// Server of its own, such as http://localhost:1234/v1
    #[arg(long, value_name = "URL")]
    pub address: Option<String>,
    /// Of an MCP server that is a program: the program and its arguments, split at spaces
    #[arg(long, value_name = "LINE", requires = "apply", conflicts_with_all = ["address", "key"])]
    pub command: Option<String>,
    /// Port of the service on this machine [default: its usual one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Where the key is: env:NAME, file:PATH, keychain:NAME, 'command:op read ...'
    #[arg(long, value_name = "SOURCE")]
    pub key: Option<String>,
    /// Path of its route [default: / and the name]
    #[arg(long)]
    pub path: Option<String>,
    /// Of Azure OpenAI: NAME.openai.azure.com
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Of Azure OpenAI
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,
    /// Of Azure OpenAI
    #[arg(long, value_name = "VERSION")]
    pub api_version: Option<String>,
    /// Of Vertex AI
    #[arg(long)]
    pub project: Option<String>,
    /// Of Vertex AI and Bedrock
    #[arg(long)]
    pub region: Option<String>,
    /// How the gateway reaches this machine, where nothing was proved yet
    #[arg(long, conflicts_with = "apply")]
    pub host: Option<String>,
    /// Namespace [default: the environment's]
    #[arg(long, conflicts_with = "apply")]
    pub namespace: Option<String>,
    /// Name of the Gateway [default: the environment's]
    #[arg(long, value_name = "NAME", conflicts_with = "apply")]
    pub gateway: Option<String>,
    /// With a Gateway and a route: all that `gw serve -f -` needs
    #[arg(long, conflicts_with = "apply")]
    pub whole: bool,
    /// Make the backend and its route, and prove every route with a real request
    #[arg(long)]
    pub apply: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Route {
    /// Name of the route
    pub name: String,
    /// Name of the backend [default: the route's]
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Path prefix [default: / and the name]
    #[arg(long)]
    pub path: Option<String>,
    /// How long a request may take, such as 30s
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Namespace [default: the environment's]
    #[arg(long, conflicts_with = "apply")]
    pub namespace: Option<String>,
    /// Name of the Gateway [default: the environment's]
    #[arg(long, value_name = "NAME", conflicts_with = "apply")]
    pub gateway: Option<String>,
    /// Make the route, and prove every route with a real request
    #[arg(long)]
    pub apply: bool,
}
