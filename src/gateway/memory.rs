//! Which objects a gateway has served. One that was killed comes back empty and gets its objects one
//! by one: until the last of those it had is there again, it opens no port, so that nobody is told
//! that a route does not exist, or let in while the policy that keeps him out is on its way.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::object::{Id, World};

/// Names only: what is in the objects is never written down.
#[derive(Default)]
pub(super) struct Memory {
    path: Option<PathBuf>,
    /// What was served when it was last written.
    written: BTreeSet<String>,
    /// What is still to come back.
    awaited: BTreeSet<String>,
}

impl Memory {
    /// What the gateway before this one has served. Without a path, or without a word from it, nothing.
    pub fn of(path: Option<PathBuf>) -> Memory {
        let text = path
            .as_deref()
            .and_then(|path| fs::read_to_string(path).ok());
        let names = text.iter().flat_map(|text| text.lines());
        let awaited: BTreeSet<String> = names.map(str::to_string).collect();
        Memory {
            path,
            written: awaited.clone(),
            awaited,
        }
    }

    /// How many objects are still to come back.
    pub fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Whether something that is to come back is not in this world.
    pub fn lacks(&self, world: &World) -> bool {
        let there: BTreeSet<String> = names(world).collect();
        !self.awaited.is_subset(&there)
    }

    /// What is in this world has come back.
    pub fn meet(&mut self, world: &World) {
        for name in names(world) {
            self.awaited.remove(&name);
        }
    }

    /// An object that will not come back; whether it was awaited.
    pub fn forget(&mut self, id: &Id) -> bool {
        self.awaited.remove(&id.to_string())
    }

    /// An object that is to come back after all.
    pub fn expect(&mut self, id: &Id) {
        self.awaited.insert(id.to_string());
    }

    /// Writes down what is served now. Best effort: without it, the next one does not wait.
    pub fn keep(&mut self, world: &World) {
        let Some(path) = &self.path else {
            return;
        };
        let names: BTreeSet<String> = names(world).collect();
        if names != self.written && write(path, &names).is_ok() {
            self.written = names;
        }
    }
}

fn names(world: &World) -> impl Iterator<Item = String> {
    world.iter().map(|(id, _)| id.to_string())
}

fn write(path: &Path, names: &BTreeSet<String>) -> std::io::Result<()> {
    let text: String = names.iter().flat_map(|name| [name, "\n"]).collect();
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn secret(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "ns"}, "stringData": {"Authorization": "sk-secret"}})
    }

    #[test]
    fn what_was_served_is_awaited_until_it_is_back_or_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("objects");
        let both = World::of(vec![secret("a"), secret("b")]).unwrap();
        let mut first = Memory::of(Some(path.clone()));
        assert_eq!(first.awaited(), 0);
        first.keep(&both);
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("sk-secret") && text.lines().count() == 2,
            "{text}"
        );

        let mut second = Memory::of(Some(path.clone()));
        assert_eq!(second.awaited(), 2);
        assert!(second.lacks(&World::of(vec![secret("a")]).unwrap()) && !second.lacks(&both));
        second.meet(&World::of(vec![secret("a"), secret("c")]).unwrap());
        assert_eq!(second.awaited(), 1);
        assert!(second.forget(&Id::of(&secret("b")).unwrap()));
        assert!(!second.forget(&Id::of(&secret("c")).unwrap()));
        assert_eq!(second.awaited(), 0);
        assert_eq!(Memory::of(None).awaited(), 0);
    }
}
