//! What the README shows is true.

use clap::CommandFactory;
use gatewright::cli::Cli;
use gatewright::profile::rule::RULES;
use gatewright::profile::shipped::shipped;
use gatewright::profile::wire;
use gatewright::provider::Provider;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The indented block that begins with a line.
fn block(first: &str) -> String {
    let text = readme();
    let lines = text.lines().skip_while(|line| line.trim() != first);
    let block = lines.take_while(|line| line.starts_with("    "));
    block.map(|line| format!("{}\n", &line[4..])).collect()
}

#[test]
fn the_profile_of_the_readme_is_a_profile() {
    let text = block("apiVersion: gatewright.dev/v1alpha1");
    let profile = wire::read(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(profile.routes.len(), 2);
}

#[test]
fn every_profile_of_the_readme_is_a_profile() {
    let text = readme();
    let starts = text.match_indices("    apiVersion: gatewright.dev/v1alpha1\n");
    let mut count = 0;
    for (at, _) in starts {
        let lines = text[at..]
            .lines()
            .take_while(|line| line.starts_with("    "));
        let block: String = lines.map(|line| format!("{}\n", &line[4..])).collect();
        wire::read(&block).unwrap_or_else(|problems| panic!("{problems:?}"));
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn the_readme_names_every_shipped_profile_every_provider_and_every_rule() {
    let text = readme();
    let profiles = shipped().iter().map(|shipped| shipped.name);
    let providers = Provider::ALL.map(|provider| provider.ways().name);
    for name in profiles.chain(providers).chain(RULES) {
        assert!(
            text.contains(&format!("`{name}`")),
            "README says nothing of {name}"
        );
    }
}

#[test]
fn every_command_of_the_readme_is_one_and_none_is_left_out() {
    let text = readme();
    let named: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `gw "))
        .filter_map(|line| line.split([' ', '`']).next())
        .collect();
    let command = Cli::command();
    let visible: Vec<&str> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(clap::Command::get_name)
        .collect();
    for name in &visible {
        assert!(named.contains(name), "README says nothing of `gw {name}`");
    }
    for name in &named {
        assert!(visible.contains(name), "there is no `gw {name}`");
    }
}
