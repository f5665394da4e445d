//! `modelAliases`: other names for models, exact ones first, then patterns with `*`, the longest
//! first (facts 9.5).

use std::cmp::Reverse;
use std::collections::HashMap;

use serde_json::Value;

/// The aliases of one backend.
#[derive(Debug, Default)]
pub struct Aliases {
    exact: HashMap<String, String>,
    patterns: Vec<(String, String)>,
}

impl Aliases {
    pub(in crate::gateway) fn read(spec: &Value) -> Aliases {
        let mut aliases = Aliases::default();
        for (name, model) in spec.as_object().into_iter().flatten() {
            let pair = (name.clone(), model.as_str().unwrap_or("").to_string());
            match name.contains('*') {
                true => aliases.patterns.push(pair),
                false => aliases.exact.extend([pair]),
            }
        }
        let patterns = &mut aliases.patterns;
        patterns.sort_by_key(|(pattern, _)| Reverse(pattern.len()));
        aliases
    }

    /// The model that a name stands for.
    pub fn model(&self, name: &str) -> Option<&str> {
        if let Some(model) = self.exact.get(name) {
            return Some(model);
        }
        let mut patterns = self.patterns.iter();
        let found = patterns.find(|(pattern, _)| fits(pattern, name));
        found.map(|(_, model)| model.as_str())
    }
}

/// Whether a name has the parts of a pattern in order, the first at its start, the last at its end.
fn fits(pattern: &str, name: &str) -> bool {
    let (first, rest) = pattern.split_once('*').unwrap_or((pattern, ""));
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    #[test]
    fn exact_names_come_first_then_the_longest_pattern() {
        let aliases = Aliases::read(&json!({"fast": "gpt-4o-mini", "claude-haiku-*": "haiku",
            "claude-haiku-3.5-*": "haiku-3.5", "*-sonnet-*": "sonnet", "test.*": "dot",
            "claude-haiku-special": "special", "a*b*c": "abc"}));
        let table = [
            ("fast", Some("gpt-4o-mini")),
            ("faster", None),
            ("claude-haiku-3.5-v1", Some("haiku-3.5")),
            ("claude-haiku-v1", Some("haiku")),
            ("claude-haiku-", Some("haiku")),
            ("claude-haiku-special", Some("special")),
            ("other-sonnet-model", Some("sonnet")),
            ("sonnet-model", None),
            ("test.v1", Some("dot")),
            ("testXv1", None),
            ("abc", Some("abc")),
            ("a1b2bc", Some("abc")),
            ("acb", None),
            ("gpt-4", None),
        ];
        for (name, expected) in table {
            assert_eq!(aliases.model(name), expected, "{name}");
        }
        let all = Aliases::read(&json!({"*": "m"}));
        assert_eq!(all.model(""), Some("m"));
        assert_eq!(all.model("x"), Some("m"));
    }

    proptest! {
        #[test]
        fn a_star_takes_anything(a in "[a-z*é]{0,6}", b in any::<String>(), c in "[a-z]{0,6}") {
            fits(&a, &b);
            let pattern = format!("{c}*{c}");
            let name = format!("{c}{b}{c}");
            assert!(fits(&pattern, &name), "{pattern} {name}");
        }
    }
}
