//! Ollama on this machine: an OpenAI-compatible server without a key.

use super::{CHAT_PATH, Form, Home, Key, Ways};
use std::time::Duration;

/// Port and paths: facts 6 (`Ollama = openai + host + port`) and 9.4 (the client's path goes
/// upstream as it is). Loading a model of several gigabytes from a cold disk takes minutes.
pub const WAYS: Ways = Ways {
    name: "ollama",
    title: "Ollama",
    form: Form::OpenAi,
    home: Home::Machine,
    key: Key::None,
    variables: &[],
    settings: &[],
    default_model: "llama3.2",
    default_port: 11434,
    health_path: "/api/version",
    chat_path: CHAT_PATH,
    patience: Duration::from_secs(180),
    start: "ollama serve",
};

/// `llama3.2` and `llama3.2:latest` name the same model.
pub fn same_model(wanted: &str, pulled: &str) -> bool {
    let full = |name: &str| match name.contains(':') {
        true => name.to_string(),
        false => format!("{name}:latest"),
    };
    full(wanted) == full(pulled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_tag_means_latest() {
        assert!(same_model("llama3.2", "llama3.2:latest"));
        assert!(!same_model("llama3.2", "llama3.2:1b"));
    }
}
