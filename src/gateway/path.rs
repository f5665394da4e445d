//! Request paths: matching by segment and rewriting, between the choice of a rule and the upstream call.

use super::config::{PathChange, PathMatch};

impl PathMatch {
    /// Prefixes match by whole segments; a regex must match the whole path (facts 9.1).
    pub fn matches(&self, path: &str) -> bool {
        match self {
            PathMatch::Exact(wanted) => path == wanted,
            PathMatch::Prefix(prefix) => rest_after(prefix, path).is_some(),
            PathMatch::Regex(regex) => regex.is_match(path),
        }
    }

    /// Exact before prefix before regex, then the longer one (Gateway API's precedence).
    pub fn rank(&self) -> (u8, usize) {
        match self {
            PathMatch::Exact(path) => (2, path.len()),
            PathMatch::Prefix(prefix) => (1, prefix.len()),
            PathMatch::Regex(regex) => (0, regex.as_str().len()),
        }
    }
}

fn rest_after<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

impl PathChange {
    /// The new path, or nothing when a prefix is to be replaced but none was matched (facts 9.1).
    pub fn apply(&self, matched: &PathMatch, path: &str) -> Option<String> {
        match (self, matched) {
            (PathChange::Full(new), _) => Some(rooted(new.clone())),
            (PathChange::Prefix(new), PathMatch::Prefix(prefix)) => {
                let rest = rest_after(prefix, path)?;
                Some(rooted(format!("{}{rest}", new.trim_end_matches('/'))))
            }
            (PathChange::Prefix(_), PathMatch::Exact(_) | PathMatch::Regex(_)) => None,
        }
    }
}

fn rooted(path: String) -> String {
    match path.starts_with('/') {
        true => path,
        false => format!("/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use regex::Regex;

    fn prefix(text: &str) -> PathMatch {
        PathMatch::Prefix(text.to_string())
    }

    #[test]
    fn prefixes_match_by_segment() {
        let table = [
            ("/ollama", "/ollama", true),
            ("/ollama", "/ollama/", true),
            ("/ollama", "/ollama/v1", true),
            ("/ollama", "/ollamax", false),
            ("/ollama", "/Ollama", false),
            ("/ollama", "/", false),
            ("", "/", true),
            ("", "/any", true),
        ];
        for (wanted, path, expected) in table {
            assert_eq!(prefix(wanted).matches(path), expected, "{wanted} {path}");
        }
    }

    #[test]
    fn a_prefix_is_replaced_as_the_proxy_does() {
        let table = [
            ("/ollama", "/", "/ollama/v1/chat", "/v1/chat"),
            ("/ollama", "/", "/ollama", "/"),
            ("/ollama", "/", "/ollama/", "/"),
            ("/a", "/b/", "/a/c", "/b/c"),
            ("/a", "/b", "/a", "/b"),
            ("", "/b", "/c", "/b/c"),
            ("/a", "", "/a/x", "/x"),
        ];
        for (wanted, new, path, expected) in table {
            let change = PathChange::Prefix(new.to_string());
            let changed = change.apply(&prefix(wanted), path);
            assert_eq!(changed.as_deref(), Some(expected), "{wanted} {new} {path}");
        }
    }

    #[test]
    fn a_prefix_can_only_replace_a_matched_prefix() {
        let change = PathChange::Prefix("/".to_string());
        assert_eq!(change.apply(&PathMatch::Exact("/a".into()), "/a"), None);
        let full = PathChange::Full("/x".to_string());
        assert_eq!(
            full.apply(&PathMatch::Exact("/a".into()), "/a").as_deref(),
            Some("/x")
        );
    }

    proptest! {
        #[test]
        fn nothing_panics_and_a_new_path_has_a_root(wanted in any::<String>(), new in any::<String>(), path in any::<String>()) {
            let regex = Regex::new("^(?:/a.*)$").unwrap();
            for matcher in [PathMatch::Exact(wanted.clone()), prefix(&wanted), PathMatch::Regex(regex)] {
                matcher.matches(&path);
                for change in [PathChange::Full(new.clone()), PathChange::Prefix(new.clone())] {
                    if let Some(changed) = change.apply(&matcher, &path) {
                        assert!(changed.starts_with('/'));
                    }
                }
            }
        }

        #[test]
        fn a_replaced_prefix_keeps_the_rest(rest in "(/[a-z]{1,5}){1,4}") {
            let changed = PathChange::Prefix("/".into()).apply(&prefix("/p"), &format!("/p{rest}"));
            assert_eq!(changed, Some(rest));
        }
    }
}
