//! What is particular to each provider: form of its backend, key, defaults, paths, probe, check.
//! Nothing else in the program knows a provider's ways.

pub mod anthropic;
pub mod azureopenai;
pub mod bedrock;
pub mod check;
pub mod client;
pub mod compatible;
pub mod gemini;
pub mod mock;
pub mod ollama;
pub mod openai;
pub mod price;
pub mod vertexai;

use std::collections::BTreeMap;
use std::time::Duration;

/// The providers a profile can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    Ollama,
    OpenAi,
    Anthropic,
    Gemini,
    AzureOpenAi,
    VertexAi,
    Bedrock,
    OpenAiCompatible,
    LmStudio,
    Vllm,
    LlamaCpp,
    Mock,
}

/// The forms that v2.2 knows of a provider (facts 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    OpenAi,
    Anthropic,
    Gemini,
    AzureOpenAi,
    VertexAi,
    Bedrock,
}

/// Where a provider is at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// A service of this machine, at a port that is usual for it.
    Machine,
    /// Its own hosts, which the proxy knows (facts 9.3).
    Cloud,
    /// Wherever the profile says.
    Address,
}

/// Which key a provider wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    None,
    /// One, where its server was started with one.
    Optional,
    Needed,
    /// An access key of AWS in two or three parts, or an API key of Bedrock.
    Aws,
}

/// Something that is no secret and that a provider can't be without, such as a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// As written in a profile.
    pub field: &'static str,
    /// Variables in which the provider's own tools look for it.
    pub variables: &'static [&'static str],
    /// What is taken where nothing says otherwise.
    pub default: Option<&'static str>,
    pub needed: bool,
    pub example: &'static str,
    /// Longest value that the CRD takes (facts 6).
    pub longest: usize,
}

/// What the rest of the program needs to know of a provider.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// As written in a profile.
    pub name: &'static str,
    /// As people call it.
    pub title: &'static str,
    pub form: Form,
    pub home: Home,
    pub key: Key,
    /// Variables in which its own SDKs look for the key, the usual one first.
    pub variables: &'static [&'static str],
    pub settings: &'static [Setting],
    /// The model that is asked for when a profile names none; empty where it has none.
    pub default_model: &'static str,
    /// Where its service listens on this machine; 0 where it is no service of this machine.
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

/// The path at which clients of the OpenAI form ask, at every provider: the proxy makes the
/// provider's own from it (facts 9.3).
pub const CHAT_PATH: &str = "/v1/chat/completions";

/// What is the same at every provider in the cloud.
const CLOUD: Ways = Ways {
    name: "",
    title: "",
    form: Form::OpenAi,
    home: Home::Cloud,
    key: Key::Needed,
    variables: &[],
    settings: &[],
    default_model: "",
    default_port: 0,
    health_path: "",
    chat_path: CHAT_PATH,
    patience: Duration::from_secs(60),
    start: "gw up",
};

impl Provider {
    pub const ALL: [Provider; 12] = [
        Provider::Ollama,
        Provider::OpenAi,
        Provider::Anthropic,
        Provider::Gemini,
        Provider::AzureOpenAi,
        Provider::VertexAi,
        Provider::Bedrock,
        Provider::OpenAiCompatible,
        Provider::LmStudio,
        Provider::Vllm,
        Provider::LlamaCpp,
        Provider::Mock,
    ];

    pub fn ways(self) -> &'static Ways {
        match self {
            Provider::Ollama => &ollama::WAYS,
            Provider::OpenAi => &openai::WAYS,
            Provider::Anthropic => &anthropic::WAYS,
            Provider::Gemini => &gemini::WAYS,
            Provider::AzureOpenAi => &azureopenai::WAYS,
            Provider::VertexAi => &vertexai::WAYS,
            Provider::Bedrock => &bedrock::WAYS,
            Provider::OpenAiCompatible => &compatible::WAYS,
            Provider::LmStudio => &compatible::LM_STUDIO,
            Provider::Vllm => &compatible::VLLM,
            Provider::LlamaCpp => &compatible::LLAMA_CPP,
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
            Provider::LmStudio => format!("lms get {model}"),
            Provider::Vllm => format!("vllm serve {model}"),
            Provider::LlamaCpp => format!("llama-server -hf {model}"),
            Provider::OpenAi
            | Provider::Anthropic
            | Provider::Gemini
            | Provider::AzureOpenAi
            | Provider::VertexAi
            | Provider::Bedrock
            | Provider::OpenAiCompatible
            | Provider::Mock => "gw up".to_string(),
        }
    }

    /// The smallest request that proves a chat route: one word, few tokens.
    pub fn probe(self) -> serde_json::Value {
        serde_json::json!({
            "messages": [{"role": "user", "content": "ping"}],
            "max_tokens": 16,
        })
    }

    /// Whether a model of this name, as it stands in an answer, is the one that was asked for:
    /// providers answer with the dated name of what was asked for by a shorter one.
    pub fn same_model(self, asked: &str, answered: &str) -> bool {
        let stem = asked.strip_suffix("-latest").unwrap_or(asked);
        ollama::same_model(asked, answered)
            || answered.starts_with(&format!("{stem}-"))
            || (self == Provider::VertexAi && asked.ends_with(&format!("/{answered}")))
    }
}

impl Ways {
    /// What the provider can't be without: a profile's own values, else the variables that say them,
    /// else the usual. An error is the first that is needed and nowhere.
    pub fn resolve(
        &self,
        own: &BTreeMap<String, String>,
        variables: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, &'static Setting> {
        let mut found = BTreeMap::new();
        for setting in self.settings {
            let variable = |name: &&str| variables.get(*name);
            let value = own.get(setting.field);
            let value = value.or_else(|| setting.variables.iter().find_map(variable));
            let value = value.map(String::as_str).or(setting.default);
            match value {
                Some(value) => found.insert(setting.field.to_string(), value.to_string()),
                None if setting.needed => return Err(setting),
                None => None,
            };
        }
        Ok(found)
    }
}

impl Form {
    pub const ALL: [Form; 6] = [
        Form::OpenAi,
        Form::Anthropic,
        Form::Gemini,
        Form::AzureOpenAi,
        Form::VertexAi,
        Form::Bedrock,
    ];

    /// As v2.2 writes it.
    pub fn name(self) -> &'static str {
        match self {
            Form::OpenAi => "openai",
            Form::Anthropic => "anthropic",
            Form::Gemini => "gemini",
            Form::AzureOpenAi => "azureopenai",
            Form::VertexAi => "vertexai",
            Form::Bedrock => "bedrock",
        }
    }

    /// The path of chat completions at an address of its own, which the proxy does not set there
    /// (facts 9.4); `None` where the client's own path is right.
    pub fn upstream_path(self) -> Option<&'static str> {
        match self {
            Form::Anthropic => Some("/v1/messages"),
            Form::Gemini => Some("/v1beta/openai/chat/completions"),
            Form::OpenAi | Form::AzureOpenAi | Form::VertexAi | Form::Bedrock => None,
        }
    }
}

/// Every variable in which a provider's key may stand.
pub fn key_variables() -> impl Iterator<Item = &'static str> {
    let variables = Provider::ALL
        .into_iter()
        .flat_map(|provider| provider.ways().variables);
    variables.copied().chain(bedrock::AWS_VARIABLES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_found_by_its_name_and_says_how_its_key_is_called() {
        for provider in Provider::ALL {
            let ways = provider.ways();
            assert_eq!(Provider::named(ways.name), Some(provider));
            assert_eq!(
                ways.key == Key::None,
                ways.variables.is_empty(),
                "{}",
                ways.name
            );
            assert_eq!(ways.home == Home::Machine, ways.default_port > 0);
        }
    }

    #[test]
    fn a_dated_model_is_the_one_that_was_asked_for() {
        let table = [
            (
                Provider::OpenAi,
                "gpt-4o-mini",
                "gpt-4o-mini-2024-07-18",
                true,
            ),
            (
                Provider::Anthropic,
                "claude-3-5-haiku-latest",
                "claude-3-5-haiku-20241022",
                true,
            ),
            (
                Provider::VertexAi,
                "google/gemini-2.5-flash",
                "gemini-2.5-flash",
                true,
            ),
            (Provider::OpenAi, "gpt-4o", "gpt-3.5-turbo", false),
            (Provider::Ollama, "llama3.2", "llama3.2:latest", true),
        ];
        for (provider, asked, answered, same) in table {
            assert_eq!(provider.same_model(asked, answered), same, "{answered}");
        }
    }
}
