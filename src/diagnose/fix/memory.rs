//! What fixes changed and what was there before: written before each change, read by `undo`.

use crate::apply::record::write;
use crate::error::{Error, Result};
use crate::host::paths::EnvironmentPaths;
use crate::plan::outcome::Wire;
use crate::plan::thing::Thing;
use crate::secret::blank::take_out;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// All runs of `debug --fix` that were not undone, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Seconds since 1970.
    pub at: u64,
    pub codes: Vec<String>,
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "sort", rename_all = "camelCase")]
pub enum Entry {
    /// An object, whole but for its status and its keys; nothing where there was none. Of a Secret no
    /// value is kept, only which entries it had.
    Object { thing: Thing, before: Option<Value> },
    #[serde(rename_all = "camelCase")]
    Scale {
        namespace: String,
        deployment: String,
        from: i64,
        to: i64,
    },
    /// A process that was not there before.
    Process { role: String },
    /// The ways to services of this machine as they were.
    Wires { before: BTreeMap<String, Wire> },
}

impl Memory {
    pub fn load(paths: &EnvironmentPaths) -> Result<Memory> {
        let file = paths.undo();
        match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| {
                let next = format!("cat {}", file.display());
                Error::new(format!("{} can't be read", file.display()), next).because(&e)
            }),
            Err(_) => Ok(Memory::default()),
        }
    }

    pub fn save(&self, paths: &EnvironmentPaths) -> Result<()> {
        if self.runs.is_empty() {
            let _ = fs::remove_file(paths.undo());
            return Ok(());
        }
        write(&paths.undo(), self)
    }

    /// Adds to the run that is under way, which is the last one.
    pub fn note(&mut self, entry: Entry, paths: &EnvironmentPaths) -> Result<()> {
        if let Some(run) = self.runs.last_mut() {
            run.entries.push(entry);
        }
        self.save(paths)
    }
}

/// An object as it is kept: without status, a Secret without its values, any other with marks in the
/// place of keys.
pub fn kept(object: &Value) -> Value {
    let mut kept = match object["kind"] == "Secret" {
        true => object.clone(),
        false => take_out(object),
    };
    if let Some(fields) = kept.as_object_mut() {
        fields.shift_remove("status");
    }
    if kept["kind"] == "Secret" {
        if let Some(data) = kept["data"].as_object_mut() {
            data.values_mut().for_each(|value| *value = Value::Null);
        }
        if let Some(annotations) = kept.pointer_mut("/metadata/annotations") {
            *annotations = Value::Null;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_value_of_a_secret_and_no_key_is_kept() {
        let secret = json!({"kind": "Secret", "metadata": {"name": "k", "annotations": {"a": "PLANTED"}}, "data": {"Authorization": "PLANTED"}, "status": {}});
        let kept = kept(&secret);
        assert!(!kept.to_string().contains("PLANTED"));
        assert_eq!(kept["data"], json!({"Authorization": null}));
        assert!(kept.get("status").is_none());
        let backend = json!({"kind": "AgentgatewayBackend", "spec": {"policies": {"auth": {"key": "PLANTED"}}}});
        assert!(!super::kept(&backend).to_string().contains("PLANTED"));
    }
}
