//! How the usual SDKs are pointed at a gateway: the variables that they really read.

/// SDKs that speak one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// openai for Python, Node and Go, and most that is built on them.
    OpenAi,
    /// anthropic for Python and Node, and Claude Code.
    Anthropic,
}

/// Stands where an SDK insists on a key and the gateway asks for none: it puts the provider's own in
/// its place (facts 5). It begins as the keys that we make for callers do.
pub const PLACEHOLDER: &str = "gw-no-key-needed";

/// The beginning of every key that is for the gateway and no provider's.
pub const OURS: &str = "gw-";

impl Client {
    pub const ALL: [Client; 2] = [Client::OpenAi, Client::Anthropic];

    pub fn title(self) -> &'static str {
        match self {
            Client::OpenAi => "OpenAI's SDKs",
            Client::Anthropic => "Anthropic's SDKs",
        }
    }

    /// As `-o json` names it.
    pub fn name(self) -> &'static str {
        match self {
            Client::OpenAi => "openai",
            Client::Anthropic => "anthropic",
        }
    }

    pub fn base_variable(self) -> &'static str {
        match self {
            Client::OpenAi => "OPENAI_BASE_URL",
            Client::Anthropic => "ANTHROPIC_BASE_URL",
        }
    }

    /// The base URL for a route's own: OpenAI's SDKs want the version in it, Anthropic's add it.
    pub fn base(self, route: &str) -> String {
        match self {
            Client::OpenAi => format!("{route}/v1"),
            Client::Anthropic => route.to_string(),
        }
    }

    /// The variable of the key: where the gateway looks at it, it has to come as `Authorization:
    /// Bearer`, the only header that is read (facts 9.7).
    pub fn key_variable(self, bearer: bool) -> &'static str {
        match (self, bearer) {
            (Client::OpenAi, _) => "OPENAI_API_KEY",
            (Client::Anthropic, false) => "ANTHROPIC_API_KEY",
            (Client::Anthropic, true) => "ANTHROPIC_AUTH_TOKEN",
        }
    }

    /// A variable that would be taken instead of the key's.
    pub fn rival(self, bearer: bool) -> Option<&'static str> {
        match (self, bearer) {
            (Client::OpenAi, _) | (Client::Anthropic, false) => None,
            (Client::Anthropic, true) => Some("ANTHROPIC_API_KEY"),
        }
    }
}
