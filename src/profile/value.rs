//! Forms of single values: names, ports, versions, places of charts.

use super::field::Field;
use super::problem::quote;
use super::suggest::among;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// Ports the proxy keeps for itself: it skips a listener there silently (facts 3).
const RESERVED: [u16; 3] = [15000, 15020, 15021];
/// Names of the controllers' deployments: a gateway's own would take them over (facts 3.1).
const CONTROLLERS: [&str; 2] = ["agentgateway", "kgateway"];
const LABEL: &str =
    "a name has small letters, digits and `-`, and begins and ends with one of the former";

/// A DNS label of at most `longest` characters, because Kubernetes objects are named by it.
pub fn name(field: &Field, longest: usize) -> String {
    let Some(text) = field.text() else {
        return String::new();
    };
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edges = !text.starts_with('-') && !text.ends_with('-');
    if text.is_empty() || !edges || !text.chars().all(inner) {
        field.wrong(format!("{} is not a name", quote(text)), proposed(text));
    } else if text.len() > longest {
        let what = format!("name has {} characters", text.len());
        field.wrong(what, format!("at most {longest} are allowed here"));
    }
    text.to_string()
}

fn proposed(text: &str) -> String {
    let simple: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    match simple.trim_matches('-') {
        "" => LABEL.to_string(),
        simple => format!("for example `{}`; {LABEL}", cut(simple, 30)),
    }
}

fn cut(text: &str, longest: usize) -> String {
    let cut: String = text.chars().take(longest).collect();
    cut.trim_end_matches('-').to_string()
}

/// A gateway's name: a name that no controller has.
pub fn gateway_name(field: &Field) -> String {
    let text = name(field, 63);
    if CONTROLLERS.contains(&text.as_str()) {
        let what = format!("`{text}` is the name of a controller's deployment");
        field.wrong(
            what,
            "the gateway's would take it over; for example `ai-gateway`",
        );
    }
    text
}

/// A port for the gateway to listen at.
pub fn gateway_port(field: &Field) -> Option<u16> {
    let port = field.number("a port", 1, u16::MAX)?;
    if port < 1024 {
        let what = format!("`{port}` needs the rights of an administrator");
        field.wrong(what, "take a port from 1024 on, such as `8080`");
        return None;
    }
    if RESERVED.contains(&port) {
        let what = format!("`{port}` is kept by the proxy for itself");
        field.wrong(
            what,
            "15000, 15020 and 15021 are; take another, such as `8080`",
        );
        return None;
    }
    Some(port)
}

/// A chart version: with the leading `v` that the charts carry (facts 1.1).
pub fn version(field: &Field) -> Option<String> {
    let text = field.text_like("for example `v2.2.0`")?;
    let plain = text.strip_prefix('v').unwrap_or(text);
    if !is_version(plain) {
        field.wrong(
            format!("{} is not a version", quote(text)),
            "for example `v2.2.0`",
        );
    } else if !text.starts_with('v') {
        let what = format!("{} lacks its leading `v`", quote(text));
        field.wrong(what, format!("the charts' versions have one: `v{text}`"));
    }
    Some(text.to_string())
}

fn is_version(text: &str) -> bool {
    let (core, label) = text.split_once('-').unwrap_or((text, "0"));
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    numbers.len() == 3
        && numbers.iter().all(number)
        && !label.is_empty()
        && label.chars().all(inner)
}

/// An address of charts: `oci://` or a folder.
pub fn charts(field: &Field) -> Option<String> {
    let text = filled(field)?;
    if text.contains("://") && !text.starts_with("oci://") {
        let what = format!("{} is not a place of charts", quote(text));
        field.wrong(what, "an `oci://` address or a folder");
    }
    Some(text.to_string())
}

/// A string with something in it, on one line.
pub fn filled<'a>(field: &Field<'a>) -> Option<&'a str> {
    let text = field.text()?;
    if text.trim().is_empty() {
        field.wrong(
            "is an empty string",
            "write a value, or leave the field out",
        );
    } else if text.trim() != text || text.contains(char::is_control) {
        field.wrong(
            format!(
                "{} begins or ends with a blank, or has a line end",
                quote(text)
            ),
            "one line without blanks around it",
        );
    }
    Some(text)
}

/// A name that must be one of those known elsewhere in the profile.
pub fn reference(field: &Field, noun: &str, known: &[&str]) -> String {
    let Some(text) = field.text() else {
        return String::new();
    };
    if !known.contains(&text) {
        let what = format!("there is no {noun} {}", quote(text));
        field.wrong(what, among(text, known));
    }
    text.to_string()
}

/// Notes every value that an earlier one has too, and answers with their places in the list.
pub fn refuse_twins(noun: &str, all: &[(Field, String)]) -> HashSet<usize> {
    let mut first: HashMap<&str, &Field> = HashMap::new();
    let mut twins = HashSet::new();
    for (index, (field, value)) in all.iter().enumerate() {
        if value.is_empty() {
            continue;
        }
        match first.entry(value) {
            Entry::Vacant(place) => {
                place.insert(field);
            }
            Entry::Occupied(place) => {
                twins.insert(index);
                let what = format!("{} is taken by `{}`", quote(value), place.get().path);
                field.wrong(what, format!("each needs a {noun} of its own"));
            }
        }
    }
    twins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_three_numbers_and_perhaps_a_label() {
        for text in ["2.2.0", "2.2.0-rc.1", "10.20.30-main"] {
            assert!(is_version(text), "{text}");
        }
        for text in [
            "",
            "2.2",
            "2.2.0.1",
            "2.2.x",
            "2..0",
            "2.2.0-",
            "latest",
            "2.2.0-a b",
        ] {
            assert!(!is_version(text), "{text}");
        }
    }

    #[test]
    fn a_bad_name_gets_a_good_one_proposed() {
        assert!(proposed("My Ollama!").starts_with("for example `my-ollama`;"));
        assert_eq!(proposed("日本"), LABEL);
    }
}
