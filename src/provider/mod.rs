//! What is particular to each provider: defaults, form of its backend, paths, probe. Nothing else
//! in the program knows a provider's ways.

pub mod mock;
pub mod ollama;

use std::time::Duration;

/// The providers a profile can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    Ollama,
    Mock,
}

/// What the rest of the program needs to know of a provider.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// As written in a profile.
    pub name: &'static str,
    /// As people call it.
    pub title: &'static str,
    /// The model that is asked for when a profile names none.
    pub default_model: &'static str,
    /// Where its service listens on this machine.
    pub default_port: u16,
    /// A path that its service answers with 200 to a GET, without a model at work.
    pub health_path: &'static str,
    /// The path under a route at which chat completions are served.
    pub chat_path: &'static str,
    /// How long a first answer may take: a model may have to be loaded first.
    pub patience: Duration,
    /// What starts the service when nothing answers.
    pub start: &'static str,
}

impl Provider {
    pub const ALL: [Provider; 2] = [Provider::Ollama, Provider::Mock];

    pub fn ways(self) -> &'static Ways {
        match self {
            Provider::Ollama => &ollama::WAYS,
            Provider::Mock => &mock::WAYS,
        }
    }

    pub fn named(name: &str) -> Option<Provider> {
        Provider::ALL.into_iter().find(|p| p.ways().name == name)
    }

    /// The command that makes `model` available.
    pub fn fetch_model(self, model: &str) -> String {
        match self {
            Provider::Ollama => format!("ollama pull {model}"),
            Provider::Mock => "gw up".to_string(),
        }
    }

    /// The smallest request that proves a chat route: one word, few tokens.
    pub fn probe(self) -> serde_json::Value {
        serde_json::json!({
            "messages": [{"role": "user", "content": "ping"}],
            "max_tokens": 16,
        })
    }
}
