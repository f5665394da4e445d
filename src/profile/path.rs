//! Paths: the prefix of a route, and what a test asks for under one.

use super::field::Field;
use super::problem::quote;

/// Gateway API's own limit.
const LONGEST: usize = 1024;

/// A route's prefix, in the form that Gateway API takes and without a trailing slash.
pub fn prefix(field: &Field) -> Option<String> {
    let text = field.text()?;
    if let Some((why, hint)) = fault(text).or_else(|| prefix_fault(text)) {
        field.wrong(format!("{} {why}", quote(text)), hint);
    }
    Some(text.to_string())
}

/// The path of a request under a route; a query may follow it.
pub fn request(field: &Field) -> Option<String> {
    let text = field.text()?;
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    if let Some((why, hint)) = fault(path) {
        field.wrong(format!("{} {why}", quote(text)), hint);
    } else if !query.chars().all(|c| is_path(c) || matches!(c, '?' | '%')) {
        let what = format!("{} has characters that a query can't have", quote(text));
        field.wrong(what, "write them in the form `%20`");
    }
    Some(text.to_string())
}

fn prefix_fault(text: &str) -> Option<(&'static str, &'static str)> {
    let lower = text.to_ascii_lowercase();
    match () {
        () if text == "/" => Some((
            "would take every request of the gateway",
            "a route has a path of its own, such as `/ollama`",
        )),
        () if text.ends_with('/') => Some(("ends with `/`", "leave the last `/` away")),
        () if lower.contains("%2f") => Some(("has an encoded `/`", "Gateway API refuses it")),
        () => None,
    }
}

fn fault(text: &str) -> Option<(&'static str, &'static str)> {
    let dots = |segment: &str| matches!(segment, "." | "..");
    match () {
        () if !text.starts_with('/') => Some(("does not begin with `/`", "for example `/ollama`")),
        () if text.len() > LONGEST => Some(("is too long", "at most 1024 characters")),
        () if text.contains("//") => Some(("contains `//`", "one `/` between two segments")),
        () if text.contains(['?', '#']) => Some((
            "has a query or a fragment",
            "a route is chosen by its path alone",
        )),
        () if text.split('/').any(dots) => {
            Some(("has a segment `.` or `..`", "write the path it leads to"))
        }
        () if !is_encoded(text) => Some((
            "has characters that a path can't have",
            "write them in the form `%20`",
        )),
        () => None,
    }
}

fn is_encoded(text: &str) -> bool {
    let mut parts = text.split('%');
    let plain = parts.next().is_some_and(|part| part.chars().all(is_path));
    plain
        && parts.all(|part| {
            let hex = part.len() >= 2 && part.bytes().take(2).all(|b| b.is_ascii_hexdigit());
            hex && part.chars().skip(2).all(is_path)
        })
}

fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-/._~!$&'()*+,;=:@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_path_without_a_trailing_slash() {
        let good = |text: &str| fault(text).or_else(|| prefix_fault(text)).is_none();
        for text in ["/ollama", "/a/b.c", "/%20x", "/~me@x:1"] {
            assert!(good(text), "{text}");
        }
        for text in [
            "", "/", "a", "/a/", "//a", "/a//b", "/a?b", "/a#b", "/a/../b", "/.", "/a b", "/%2",
            "/%zz", "/ä", "/a%2Fb",
        ] {
            assert!(!good(text), "{text}");
        }
    }
}
