//! Keys that we make for callers ourselves: once, in files that nobody else can read (architecture,
//! decision 7).

use super::paths::EnvironmentPaths;
use super::private;
use crate::error::{Error, Result};
use crate::secret::Secret;
use rand::RngExt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;

/// The key of this name, if it has been made.
pub fn read(paths: &EnvironmentPaths, policy: &str, name: &str) -> Option<Secret> {
    Secret::new(&fs::read_to_string(paths.made_key(policy, name)).ok()?)
}

/// Makes a key of 192 random bits and keeps it.
pub fn make(paths: &EnvironmentPaths, policy: &str, name: &str) -> Result<Secret> {
    let file = paths.made_key(policy, name);
    let fault = |e: &std::io::Error| {
        Error::new(format!("{} can't be written", file.display()), "df -h").because(e)
    };
    if let Some(folder) = file.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|e| fault(&e))?;
    }
    let mut random = rand::rng();
    let words: Vec<String> = (0..3)
        .map(|_| format!("{:016x}", random.random::<u64>()))
        .collect();
    let text = format!("gw-{}", words.concat());
    // An empty file that a killed run left is no key.
    private::write(&file, &text).map_err(|e| fault(&e))?;
    Secret::new(&text).ok_or_else(|| Error::new("a key without characters was made", "gw up"))
}
