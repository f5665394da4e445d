//! Variables of our own environment that hold keys: no program that we start gets them, but for the
//! commands that a person named as the source of a key.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

static NAMES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// From now on no child gets these variables.
pub fn hide<'a>(names: impl IntoIterator<Item = &'a str>) {
    let mut hidden = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    hidden.extend(names.into_iter().map(str::to_string));
}

/// What a child must not get.
pub fn names() -> Vec<String> {
    let hidden = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    hidden.iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Run;

    #[tokio::test]
    async fn a_child_does_not_get_a_hidden_variable() {
        hide(["CARGO_MANIFEST_DIR"]);
        let run = Run::new(
            "/bin/sh",
            &["-c", "echo \"${CARGO_MANIFEST_DIR-hidden} ${PATH:+path}\""],
        );
        assert_eq!(run.output().await.unwrap().stdout, "hidden path\n");
        let whole = run.with_keys().output().await.unwrap();
        assert!(whole.stdout.starts_with('/'), "{}", whole.stdout);
    }
}
