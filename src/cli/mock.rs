//! The flags of `gw mock`.

use clap::Args;
use std::net::SocketAddrV4;
use std::path::PathBuf;

pub const EXAMPLES: &str = "\
Examples:
  gw mock                             no key is asked for
  gw mock --listen 127.0.0.1:0        a free port, said on stdout
  gw mock --keys keys.txt             these keys alone, one a line; * for any
  GW_MOCK_KEYS=key-1 gw mock          the same, from the environment
  curl http://127.0.0.1:18434/mock/requests    what it was sent, without keys

Base URLs of clients:
  OpenAI http://ADDR/v1, Anthropic http://ADDR, Gemini http://ADDR (/v1beta),
  Azure http://ADDR, Bedrock http://ADDR, MCP http://ADDR/mcp and http://ADDR/sse

Faults, by a word in what the user says last or by the header x-mock-fault:
  FAIL500, FAIL429, any FAIL4xx or FAIL5xx    status=500
  SLOW     10 s before the answer             delay=250ms
  DRIP     200 ms between a stream's pieces   drip=1s
  CUT      the answer breaks off half way     cut";

#[derive(Debug, Clone, Args)]
pub struct Mock {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:18434")]
    pub listen: SocketAddrV4,
    /// File of the keys to take, one a line; without it GW_MOCK_KEYS, else no key is asked for
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Ask for no key, whatever GW_MOCK_KEYS says
    #[arg(long, conflicts_with = "keys")]
    pub keyless: bool,
    /// Where log lines go; without it, to stderr
    #[arg(long, value_name = "FILE", hide = true)]
    pub log: Option<PathBuf>,
}
