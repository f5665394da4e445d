//! What the bridge runs: told on its standard input, because keys may be in it.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Map, Value, json};

use crate::plan::Bridged;
use crate::secret::Secret;
use crate::secret::vault::Vault;

/// The programs that the bridge runs, by the last part of their path.
pub struct Settings {
    pub servers: BTreeMap<String, Server>,
    /// The command that shows what the bridge and its programs wrote.
    pub logs: String,
}

/// One program.
pub struct Server {
    pub name: String,
    pub command: Vec<String>,
    pub env: Vec<(String, String)>,
    pub keys: Vec<(String, Secret)>,
}

impl Server {
    /// A line of the program without the keys that it was given: a key of several lines is written line
    /// by line.
    pub fn blot(&self, text: &str) -> String {
        /// Shorter, it may be a word.
        const LEAST: usize = 8;
        let whole = self.keys.iter();
        let text = whole.fold(text.to_string(), |text, (_, key)| key.blot(&text));
        let lines = self.keys.iter().flat_map(|(_, key)| key.expose().lines());
        let lines = lines.map(str::trim).filter(|line| line.len() >= LEAST);
        lines.fold(text, |text, line| text.replace(line, "…"))
    }
}

/// What `read` reads. `None` where a key that is needed is not at hand.
pub fn write(bridged: &[Bridged], vault: &Vault, logs: &str) -> Option<Secret> {
    let mut servers = Vec::new();
    for server in bridged {
        let mut keys = Map::new();
        for name in &server.keys {
            let key = vault.get(&server.name, name)?;
            keys.insert(name.clone(), Value::from(key.expose()));
        }
        servers.push(json!({
            "name": server.name,
            "command": server.command,
            "env": server.env,
            "keys": keys,
        }));
    }
    Secret::new(&json!({"servers": servers, "logs": logs}).to_string())
}

/// Reads to the end; the error says nothing of what was read.
pub fn read(mut from: impl Read) -> Result<Settings, String> {
    let mut text = String::new();
    from.read_to_string(&mut text).map_err(|e| e.to_string())?;
    of(&text).ok_or_else(|| "the settings on standard input can't be read".to_string())
}

fn of(text: &str) -> Option<Settings> {
    let value: Value = serde_json::from_str(text).ok()?;
    let mut servers = BTreeMap::new();
    for server in value["servers"].as_array()? {
        let texts = |field: &str| {
            let pairs = server[field].as_object().into_iter().flatten();
            pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_string())))
        };
        let words = server["command"].as_array()?.iter();
        let name = server["name"].as_str()?.to_string();
        let server = Server {
            name: name.clone(),
            command: words
                .filter_map(|word| word.as_str().map(str::to_string))
                .collect(),
            env: texts("env").collect(),
            keys: texts("keys")
                .filter_map(|(name, text)| Some((name, Secret::new(&text)?)))
                .collect(),
        };
        servers.insert(name, server);
    }
    let logs = value["logs"].as_str()?.to_string();
    Some(Settings { servers, logs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bridged() -> Bridged {
        Bridged {
            name: "tools-files".to_string(),
            command: vec!["npx".to_string(), "-y".to_string(), "x".to_string()],
            env: [("HOME_OF".to_string(), "/x".to_string())].into(),
            keys: vec!["TOKEN".to_string()],
        }
    }

    #[test]
    fn what_was_written_is_read_and_a_missing_key_is_noticed() {
        let mut vault = Vault::default();
        assert!(write(&[bridged()], &vault, "gw logs").is_none());
        vault.put("tools-files", "TOKEN", Secret::new("t-0 \"1\"").unwrap());
        let written = write(&[bridged()], &vault, "gw logs").unwrap();
        let settings = read(written.expose().as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        let server = &settings.servers["tools-files"];
        assert_eq!(server.command, bridged().command);
        assert_eq!(server.env, [("HOME_OF".to_string(), "/x".to_string())]);
        assert_eq!(server.keys[0].1.expose(), "t-0 \"1\"");
        assert_eq!(server.blot("my t-0 \"1\""), "my …");
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_text(text in ".{0,80}") {
            let _ = read(text.as_bytes());
        }
    }
}
