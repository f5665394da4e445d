//! A text without its keys: lines of it are shown where something is wrong with them.

use crate::yaml::{self, Data, Node, Span};

/// The text with every value that may be a credential replaced by asterisks, line for line. A text that
/// can't be read has no line that may be shown.
pub(super) fn masked(text: &str) -> String {
    let Ok(documents) = yaml::read(text) else {
        return String::new();
    };
    let mut spans = Vec::new();
    for document in &documents {
        walk(document, false, &mut spans);
    }
    let mut lines: Vec<Vec<char>> = yaml::lines(text)
        .into_iter()
        .map(|line| line.chars().collect())
        .collect();
    for span in spans {
        if let Some(line) = lines.get_mut(span.line.saturating_sub(1)) {
            let end = span.end.saturating_sub(1).min(line.len());
            for character in line.iter_mut().take(end).skip(span.start.saturating_sub(1)) {
                *character = '*';
            }
        }
    }
    let lines: Vec<String> = lines
        .into_iter()
        .map(|line| line.into_iter().collect())
        .collect();
    lines.join("\n")
}

/// Fields below which every value may be a credential, whatever kind of object they stand in: the ends
/// of their names in lower case.
const SECRET: [&str; 4] = ["data", "stringdata", "users", "last-applied-configuration"];

fn walk(node: &Node, hidden: bool, spans: &mut Vec<Span>) {
    match &node.data {
        Data::Scalar(_) if hidden => spans.push(whole(node)),
        Data::Scalar(_) => {}
        Data::List(items) => items.iter().for_each(|item| walk(item, hidden, spans)),
        Data::Map(entries) => {
            for entry in entries {
                let name = entry.key.to_lowercase();
                // Whatever is called like a key may be one, misspelt or not.
                let secret = name.contains("key") || SECRET.iter().any(|end| name.ends_with(end));
                walk(&entry.value, hidden || secret, spans);
            }
        }
    }
}

/// A value of several lines is hidden to the end of its first one: the others are never shown.
fn whole(node: &Node) -> Span {
    let is_cut = node.span.end <= node.span.start + 1;
    Span {
        end: if is_cut { usize::MAX } else { node.span.end },
        ..node.span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_under_a_misspelt_name_is_masked() {
        for name in ["keyy", "Key", "apiKEY", "inlineKeys"] {
            let seen = masked(&format!("spec:\n  {name}: sk-INLINE\n  other: plain\n"));
            assert!(!seen.contains("INLINE") && seen.contains("plain"), "{seen}");
        }
    }
}
