//! Profiles as people write them: the good ones load, the bad ones are answered with every problem.
//!
//! `UPDATE_GOLDEN=1 cargo test --test profiles` writes the answers anew.

use gatewright::profile::problem::render;
use gatewright::profile::{from_wire, load, to_wire, wire};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures(prefix: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir("tests/profiles").expect("fixtures");
    let paths = folder.map(|entry| entry.expect("entry").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| {
            let name = path.file_name().expect("name").to_string_lossy();
            name.starts_with(prefix) && name.ends_with(".yaml")
        })
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn origin(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

#[test]
fn every_valid_profile_loads_and_survives_being_recorded() {
    for path in fixtures("valid-") {
        let profile = load(&origin(&path), std::io::empty());
        let profile = profile.unwrap_or_else(|error| panic!("{path:?}: {error:#?}"));
        assert_eq!(from_wire(&to_wire(&profile), "ledger"), Ok(profile));
    }
}

#[test]
fn every_invalid_profile_is_answered_as_recorded() {
    for path in fixtures("invalid-") {
        let text = fs::read_to_string(&path).expect("text");
        let problems = wire::read(&text).expect_err(&origin(&path));
        assert!(problems.iter().all(|p| !p.what.is_empty()), "{path:?}");
        let seen = render(&problems, &origin(&path), &text).join("\n") + "\n";
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
            fs::write(&golden, &seen).expect("golden written");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(seen, expected, "{path:?}");
    }
}

#[test]
fn every_answer_fits_a_terminal_and_ends_in_a_command() {
    for path in fixtures("invalid-") {
        let error = load(&origin(&path), std::io::empty()).expect_err("refused");
        assert_eq!(error.exit.code(), 2);
        assert_eq!(error.next, format!("gw profile validate {}", origin(&path)));
        for line in &error.facts {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

/// Texts that are nearly profiles reach further into the reader than noise does.
fn near_profile() -> impl Strategy<Value = String> {
    let whole = include_str!("profiles/valid-everything.yaml");
    let noise = "[-:\\[\\]{}'\"&*!|>#% \n\ta-z0-9~.]{0,6}";
    (0..whole.len(), 0..20usize, noise).prop_map(move |(from, length, noise)| {
        let (start, rest) = whole.split_at(from);
        format!("{start}{noise}{}", &rest[length.min(rest.len())..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_loads_or_is_refused(text in prop_oneof![near_profile(), any::<String>(), ".{0,80}"]) {
        if let Err(error) = load("-", text.as_bytes()) {
            prop_assert!(!error.next.is_empty());
            prop_assert!(!error.facts.is_empty());
        }
    }
}
