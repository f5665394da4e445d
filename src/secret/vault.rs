//! The keys of one run, by the names under which a plan refers to them.

use super::Secret;
use std::collections::BTreeMap;

/// Names such as `openai.Authorization`: an object's own name, and the entry of its Secret.
#[derive(Clone, Default)]
pub struct Vault(BTreeMap<String, Secret>);

impl Vault {
    pub fn put(&mut self, owner: &str, entry: &str, secret: Secret) {
        self.0.insert(format!("{owner}.{entry}"), secret);
    }

    pub fn get(&self, owner: &str, entry: &str) -> Option<&Secret> {
        self.find(&format!("{owner}.{entry}"))
    }

    /// By its whole name.
    pub fn find(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// Everything of another vault too.
    pub fn extend(&mut self, other: Vault) {
        self.0.extend(other.0);
    }

    /// A text of somebody else's without any of the keys.
    pub fn blot(&self, text: &str) -> String {
        let secrets = self.0.values();
        secrets.fold(text.to_string(), |text, secret| secret.blot(&text))
    }
}
