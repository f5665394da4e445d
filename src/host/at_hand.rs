//! Which providers' keys are at hand: that they are there and where, never what they are.

use super::facts::Key;
use crate::provider::Provider;
use crate::provider::client::OURS;
use std::path::{Path, PathBuf};

/// Variables that are no key themselves and lead to one.
const WAYS_TO_KEYS: [(&str, &str); 3] = [
    ("vertexai", "GOOGLE_APPLICATION_CREDENTIALS"),
    ("bedrock", "AWS_ACCESS_KEY_ID"),
    ("bedrock", "AWS_PROFILE"),
];

/// Looks at the environment, at `.env` of this folder, and at the files of AWS's and Google's programs.
pub fn all() -> Vec<Key> {
    let home = std::env::home_dir().unwrap_or_default();
    let dotenv = std::fs::read_to_string(".env").unwrap_or_default();
    let mut found = Vec::new();
    let own = Provider::ALL.into_iter().map(Provider::ways);
    let own = own.flat_map(|ways| ways.variables.iter().map(|name| (ways.name, *name)));
    for (provider, name) in own.chain(WAYS_TO_KEYS) {
        let in_environment = std::env::var(name).is_ok_and(|value| is_key(&value));
        let source = match (in_environment, has(&dotenv, name)) {
            (true, _) => "environment",
            (false, true) => ".env",
            (false, false) => continue,
        };
        found.push(key(provider, name, source));
    }
    found.extend(files(&home));
    found
}

/// What `gw env` sets for SDKs is no provider's key.
fn is_key(value: &str) -> bool {
    !value.is_empty() && !value.starts_with(OURS)
}

fn files(home: &Path) -> Vec<Key> {
    let places: [(&str, PathBuf, &str); 2] = [
        (
            "bedrock",
            home.join(".aws/credentials"),
            "~/.aws/credentials",
        ),
        (
            "vertexai",
            home.join(".config/gcloud/application_default_credentials.json"),
            "~/.config/gcloud",
        ),
    ];
    let there = places.into_iter().filter(|(_, path, _)| path.is_file());
    there
        .map(|(provider, path, shown)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            key(provider, &name, shown)
        })
        .collect()
}

fn key(provider: &str, name: &str, source: &str) -> Key {
    Key {
        provider: provider.to_string(),
        name: name.to_string(),
        source: source.to_string(),
    }
}

/// Whether a `.env` text gives a variable a value.
fn has(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim().trim_start_matches("export ").trim_start();
        let value = line
            .strip_prefix(name)
            .and_then(|rest| rest.trim_start().strip_prefix('='));
        value.is_some_and(|value| !value.trim().trim_matches(['"', '\'']).is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn a_dotenv_line_counts_when_it_has_a_value() {
        let text = "# OPENAI_API_KEY=x\nexport OPENAI_API_KEY=\"sk\"\nGEMINI_API_KEY=\nANTHROPIC_API_KEY_OLD=x\n";
        let table = [
            ("OPENAI_API_KEY", true),
            ("GEMINI_API_KEY", false),
            ("ANTHROPIC_API_KEY", false),
        ];
        for (name, expected) in table {
            assert_eq!(has(text, name), expected, "{name}");
        }
    }
}
