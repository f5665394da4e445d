//! Machines as they show themselves (facts/local-clusters), each with the picture that a person gets.
//!
//! `UPDATE_GOLDEN=1 cargo test --test detect` writes the pictures anew.

use gatewright::host::facts::Facts;
use gatewright::report::machine::machine;
use gatewright::report::style::Look;
use gatewright::target::choose::{Asked, choose};
use gatewright::target::detect::{is_tied, proposal};
use gatewright::target::place::{Candidate, DEFAULT_CLUSTER, Locality, Place};
use std::fs;
use std::path::PathBuf;

const PLAIN: Look = Look {
    terminal: false,
    colour: false,
};

fn read(machine: &str) -> Facts {
    let path = format!("tests/machines/{machine}.json");
    serde_json::from_str(&fs::read_to_string(&path).expect(&path)).expect(&path)
}

fn candidates(facts: &Facts) -> Vec<Candidate> {
    gatewright::target::detect::candidates(facts, DEFAULT_CLUSTER)
}

fn machines() -> Vec<PathBuf> {
    let folder = fs::read_dir("tests/machines").expect("machines");
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.expect("entry").path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

#[test]
fn every_machine_is_pictured_as_recorded_and_fits_a_terminal() {
    for path in machines() {
        let text = fs::read_to_string(&path).expect("facts");
        let facts: Facts = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let picture = machine(&facts, &candidates(&facts), None, PLAIN);
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
            fs::write(&golden, &picture).expect("golden written");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(picture, expected, "{path:?}");
        let long: Vec<&str> = picture.lines().filter(|l| l.chars().count() > 80).collect();
        assert!(long.is_empty(), "{path:?}: {long:?}");
    }
}

#[test]
fn what_is_proposed_is_what_the_architecture_says() {
    // Architecture, decision 12: OrbStack with Kubernetes, our own kind cluster, else embedded.
    let table = [
        ("orbstack-kubernetes", "orbstack"),
        ("orbstack-without-kubernetes", "embedded"),
        ("kind-on-linux", "kind/gatewright"),
        ("kind-inside-orbstack", "embedded"),
        ("docker-desktop-kubernetes", "embedded"),
        ("docker-desktop-without-kubernetes", "embedded"),
        ("k3d", "embedded"),
        ("minikube", "embedded"),
        ("remote-eks", "embedded"),
        ("tunnel-to-production", "embedded"),
        ("nothing", "embedded"),
        ("two-that-tie", "embedded"),
        ("stopped-own-cluster", "kind/gatewright"),
        ("windows-wsl", "embedded"),
    ];
    assert_eq!(table.len(), machines().len());
    for (machine, expected) in table {
        let found = candidates(&read(machine));
        let proposed = proposal(&found).map(|candidate| candidate.place.name());
        assert_eq!(proposed.as_deref(), Some(expected), "{machine}");
        // `up` decides as `detect` proposes.
        let asked = Asked {
            own: DEFAULT_CLUSTER.to_string(),
            ..Asked::default()
        };
        let chosen = choose(&asked, &read(machine));
        assert_eq!(chosen.unwrap().place.name(), expected, "{machine}");
    }
}

#[test]
fn a_cluster_is_local_only_by_proof() {
    let table = [
        ("orbstack-kubernetes", "orbstack", true),
        ("orbstack-without-kubernetes", "orbstack", false),
        ("kind-on-linux", "kind/gatewright", true),
        ("kind-inside-orbstack", "context/kind-dev", true),
        ("docker-desktop-kubernetes", "context/docker-desktop", true),
        ("k3d", "context/k3d-dev", true),
        ("minikube", "context/minikube", true),
        (
            "remote-eks",
            "context/arn:aws:eks:eu-west-1:123456789012:cluster/prod",
            false,
        ),
        ("tunnel-to-production", "context/prod", false),
        ("two-that-tie", "context/kind-blue", true),
    ];
    for (machine, place, expected) in table {
        let found = candidates(&read(machine));
        let candidate = found.iter().find(|c| c.place.name() == place);
        let candidate = candidate.unwrap_or_else(|| panic!("{machine}: no {place} in {found:#?}"));
        let is_local = matches!(candidate.locality, Locality::Local(_));
        assert_eq!(is_local, expected, "{machine}: {:?}", candidate.locality);
    }
}

#[test]
fn a_version_that_kgateway_does_not_support_is_an_obstacle() {
    let found = candidates(&read("minikube"));
    let minikube = found.iter().find(|c| c.place.name() == "context/minikube");
    let obstacle = minikube
        .and_then(|c| c.obstacle.clone())
        .expect("an obstacle");
    assert!(
        obstacle.contains("v1.30.0") && obstacle.contains("1.31-1.35"),
        "{obstacle}"
    );
}

#[test]
fn a_tie_is_seen_only_among_those_that_would_be_proposed() {
    // Two kind clusters of others tie with each other, but neither comes before the embedded gateway.
    let found = candidates(&read("two-that-tie"));
    assert!(!is_tied(&found));
    let clusters: Vec<_> = found
        .into_iter()
        .filter(|c| matches!(c.place, Place::Context { .. }))
        .collect();
    assert!(is_tied(&clusters));
    assert!(!is_tied(&candidates(&read("orbstack-kubernetes"))));
}

#[test]
fn facts_survive_being_written_down() {
    for path in machines() {
        let facts: Facts = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let again: Facts = serde_json::from_value(facts.to_value()).unwrap();
        assert_eq!(again, facts, "{path:?}");
    }
}
