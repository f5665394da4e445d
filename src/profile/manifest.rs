//! Objects of a person's own, in files that a profile names.

use super::Profile;
use super::problem::quote;
use crate::error::{Error, Result};
use crate::text;
use crate::yaml::{self, to_json};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// More in one file is another file by mistake.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Every object of a profile's files, in the order of the files and of each text.
pub fn objects(profile: &Profile) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for path in &profile.manifests {
        for file in files(Path::new(path))? {
            all.extend(of_file(&file)?);
        }
    }
    Ok(all)
}

/// A folder means every YAML in it, by name.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = fs::read_dir(path).map_err(|e| unreadable(path, &e))?;
    let is_yaml = |path: &PathBuf| {
        let extension = path.extension().and_then(|end| end.to_str());
        matches!(extension, Some("yaml" | "yml" | "json"))
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = paths.filter(is_yaml).collect();
    found.sort();
    Ok(found)
}

fn of_file(path: &Path) -> Result<Vec<Value>> {
    let size = fs::metadata(path).map_err(|e| unreadable(path, &e))?.len();
    if size > LARGEST {
        return Err(refused(path, 1, "the file is larger than 4 MiB"));
    }
    let text = fs::read_to_string(path).map_err(|e| unreadable(path, &e))?;
    let nodes = yaml::read(&text).map_err(|e| refused(path, e.at.line, &e.what))?;
    let mut objects = Vec::new();
    for node in &nodes {
        let value = to_json(node);
        if value.is_null() {
            continue;
        }
        match fault(&value) {
            Some(why) => return Err(refused(path, node.span.line, why)),
            None => objects.push(value),
        }
    }
    Ok(objects)
}

/// Why a document can't be applied as an object.
fn fault(value: &Value) -> Option<&'static str> {
    let word = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let filled = |pointer| word(pointer).is_some_and(|text| !text.is_empty());
    match () {
        () if !filled("/apiVersion") => Some("an object has an apiVersion"),
        () if !filled("/kind") => Some("an object has a kind"),
        () if word("/kind") == Some("List") => Some("a list is no object: separate them by `---`"),
        () if !filled("/metadata/name") => Some("an object has a metadata.name"),
        // Its values would stand in plans and in whatever shows one.
        () if word("/kind") == Some("Secret") => {
            Some("a Secret does not belong here: a backend's or a policy's `key` says where it is")
        }
        () if has_key(value) => {
            Some("a key does not belong here: an auth's `secretRef` says where it is")
        }
        () => None,
    }
}

/// Whether a key stands in an object itself, as `auth: {key: …}` of a backend lets it.
fn has_key(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            value.pointer("/auth/key").is_some_and(Value::is_string) || fields.values().any(has_key)
        }
        Value::Array(items) => items.iter().any(has_key),
        _ => false,
    }
}

fn refused(path: &Path, line: usize, why: &str) -> Error {
    let shown = path.display().to_string();
    let what = format!("manifest {} can't be applied", quote(&shown));
    let next = format!("sed -n {line}p {}", text::shell(&shown));
    Error::usage(what, next).fact(format!("line {line}: {why}"))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let shown = path.display().to_string();
    let next = format!("ls -l {}", text::shell(&shown));
    Error::usage(format!("manifest {} can't be read", quote(&shown)), next).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_without_its_name_a_list_and_a_key_are_refused_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let table = [
            ("kind: ConfigMap\n", 5, "an object has an apiVersion"),
            (
                "apiVersion: v1\nkind: ConfigMap\n",
                5,
                "an object has a metadata.name",
            ),
            (
                "apiVersion: v1\nkind: List\nitems: []\n",
                5,
                "a list is no object: separate them by `---`",
            ),
        ];
        for (text, line, why) in table {
            fs::write(&path, format!("{good}---\n{text}")).unwrap();
            let error = of_file(&path).unwrap_err();
            assert_eq!(error.facts, [format!("line {line}: {why}")]);
        }
        let keys = [
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: v-1}\n",
            "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayBackend\nmetadata: {name: a}\n\
                spec: {ai: {groups: [{providers: [{policies: {auth: {key: v-1}}}]}]}}\n",
        ];
        for text in keys {
            fs::write(&path, text).unwrap();
            let error = of_file(&path).unwrap_err();
            assert!(error.facts[0].contains("does not belong here"), "{error:?}");
            assert!(!format!("{error:?}").contains("v-1"));
        }
    }

    #[test]
    fn a_folder_is_read_by_the_names_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "c.txt"] {
            let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
            fs::write(folder.path().join(name), text).unwrap();
        }
        let found = files(folder.path()).unwrap();
        let names = found.iter().map(|path| path.file_name().unwrap().to_str());
        assert_eq!(names.flatten().collect::<Vec<_>>(), ["a.yml", "b.yaml"]);
    }
}
