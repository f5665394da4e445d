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

    /// When each owner's keys end, by the earliest of them.
    pub fn expiries(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (name, secret) in &self.0 {
            let owner = name
                .rsplit_once('.')
                .map_or(name.as_str(), |(owner, _)| owner);
            if let Some(at) = secret.expires() {
                let earliest = all.entry(owner.to_string()).or_insert(at);
                *earliest = at.min(*earliest);
            }
        }
        all
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
