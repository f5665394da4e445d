//! What the pages of docs/ show is true: commands are commands, those marked to be run end well,
//! profiles are profiles, links lead somewhere, and generated pages are what they are generated from.
//!
//! GW_UPDATE=1 writes the generated pages anew.

#[path = "docs/generated.rs"]
mod generated;
#[path = "support/home.rs"]
mod home;

use clap::Parser;
use gatewright::cli::Cli;
use gatewright::profile::wire;
use gatewright::yaml::read_values;
use home::Home;
use std::fs;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = fs::read_dir(docs())
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "md"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    pages.sort();
    assert!(pages.len() > 5);
    pages
}

/// Blocks of a page: what stands after the fence, and the text.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.to_string(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// The commands of a block, each as words; a line that ends in a backslash goes on.
fn commands(block: &str) -> Vec<Vec<String>> {
    let joined = block.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| line.split_whitespace().map(str::to_string).collect())
        .collect()
}

/// A command of ours, without the variables that are set before it.
fn ours(words: &[String]) -> Option<&[String]> {
    let start = words.iter().position(|word| !word.contains('='))?;
    (words[start] == "gw").then(|| &words[start..])
}

#[test]
fn every_command_of_a_page_is_one() {
    let mut count = 0;
    for (page, text) in pages() {
        for (info, block) in blocks(&text) {
            if !info.starts_with("sh") {
                continue;
            }
            for words in commands(&block) {
                if let Some(command) = ours(&words) {
                    let parsed = Cli::try_parse_from(command);
                    parsed.unwrap_or_else(|e| panic!("{page}: {}: {e}", words.join(" ")));
                    count += 1;
                }
            }
        }
    }
    assert!(count > 25, "{count}");
}

#[test]
fn every_block_that_is_marked_ends_well_when_it_is_run_in_order() {
    let mut count = 0;
    for (page, text) in pages() {
        let home = Home::new();
        let marked = blocks(&text)
            .into_iter()
            .filter(|(info, _)| info == "sh run");
        for (_, block) in marked {
            for words in commands(&block) {
                let command = ours(&words).unwrap_or_else(|| panic!("{page}: {words:?}"));
                let args: Vec<&str> = command[1..].iter().map(String::as_str).collect();
                let said = home.gw(&args);
                assert_eq!(said.code, 0, "{page}: {}: {said:?}", words.join(" "));
                count += 1;
            }
        }
        assert_eq!(
            home.processes(),
            Vec::<String>::new(),
            "{page} leaves something"
        );
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn every_profile_of_a_page_is_a_profile() {
    let mut count = 0;
    for (page, text) in pages() {
        for (info, block) in blocks(&text) {
            if info == "yaml profile" {
                wire::read(&block).unwrap_or_else(|problems| panic!("{page}: {problems:?}"));
                count += 1;
            }
        }
    }
    assert!(count >= 1);
}

#[test]
fn every_yaml_of_a_page_is_yaml() {
    let mut count = 0;
    for (page, text) in pages() {
        for (info, block) in blocks(&text) {
            if info.starts_with("yaml") {
                read_values(&block).unwrap_or_else(|why| panic!("{page}: {why:?}"));
                count += 1;
            }
        }
    }
    assert!(count >= 2);
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let pages = pages();
    for (page, text) in &pages {
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            let file = target.split('#').next().unwrap();
            let outside = file.starts_with("https://");
            assert!(outside || docs().join(file).exists(), "{page}: {target}");
        }
    }
    let index = &pages
        .iter()
        .find(|(name, _)| name == "README.md")
        .unwrap()
        .1;
    for (page, _) in pages.iter().filter(|(name, _)| name != "README.md") {
        assert!(
            index.contains(&format!("]({page})")),
            "the index says nothing of {page}"
        );
    }
}
