//! Guards by pattern: the person's own regular expressions and the built-in kinds of private data
//! (facts 7.2; recording policies/guard).

use std::ops::Range;

use regex::Regex;
use serde_json::Value;

use super::private::Private;
use crate::gateway::object::{text, texts};

/// What own patterns are masked with.
const MASKED: &str = "<masked>";

/// What a text came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    Masked(String),
    Rejected,
}

/// `regex` of a guard.
#[derive(Debug)]
pub struct Rules {
    rejects: bool,
    rules: Vec<Rule>,
}

#[derive(Debug)]
enum Rule {
    Own(Regex),
    BuiltIn(Private),
}

impl Rules {
    /// Own patterns come before the built-in ones. The error names the pattern that can't be used.
    pub(in crate::gateway) fn read(spec: &Value) -> Result<Rules, String> {
        let own = texts(spec, &["matches"]).into_iter().map(|pattern| {
            let regex = Regex::new(&pattern);
            regex
                .map(Rule::Own)
                .map_err(|_| format!("invalid regular expression {pattern:?}"))
        });
        let built_in = texts(spec, &["builtins"])
            .into_iter()
            .map(|name| Private::named(&name).map(Rule::BuiltIn));
        Ok(Rules {
            rejects: text(spec, &["action"]) == "Reject",
            rules: own.chain(built_in).collect::<Result<_, _>>()?,
        })
    }

    /// Each rule sees what the rules before it have left.
    pub fn judge(&self, text: &str) -> Verdict {
        let mut changed: Option<String> = None;
        for rule in &self.rules {
            let current = changed.as_deref().unwrap_or(text);
            let (found, mask): (Vec<_>, _) = match rule {
                Rule::Own(regex) => (
                    regex
                        .find_iter(current)
                        .map(|found| found.range())
                        .collect(),
                    MASKED,
                ),
                Rule::BuiltIn(private) => (private.find(current), private.mask()),
            };
            if found.is_empty() {
                continue;
            }
            if self.rejects {
                return Verdict::Rejected;
            }
            changed = Some(replaced(current, &found, mask));
        }
        changed.map_or(Verdict::Clean, Verdict::Masked)
    }
}

fn replaced(text: &str, ranges: &[Range<usize>], mask: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        out.push_str(&text[from..range.start]);
        out.push_str(mask);
        from = range.end;
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    fn judged(spec: Value, text: &str) -> Verdict {
        Rules::read(&spec).unwrap().judge(text)
    }

    #[test]
    fn private_data_is_masked_by_its_kind() {
        let table = [
            (
                "Email",
                "write to ann@example.com",
                "write to <EMAIL_ADDRESS>",
            ),
            (
                "Email",
                "a@b.co and c@d.org!",
                "<EMAIL_ADDRESS> and <EMAIL_ADDRESS>!",
            ),
            ("Ssn", "my ssn is 123-45-6789, ok", "my ssn is <SSN>, ok"),
            ("Ssn", "123.45.6789 or 123456789", "<SSN> or <SSN>"),
            (
                "CreditCard",
                "card 4111-1111-1111-1111.",
                "card <CREDIT_CARD>.",
            ),
            ("CreditCard", "5555 5555 5555 4444", "<CREDIT_CARD>"),
            (
                "CaSin",
                "SIN: 123-456-789 or 456789012",
                "SIN: <CA_SIN> or <CA_SIN>",
            ),
            (
                "PhoneNumber",
                "call +1 650-253-0000, please",
                "call <PHONE_NUMBER>, please",
            ),
            ("PhoneNumber", "(650) 253-0000", "<PHONE_NUMBER>"),
        ];
        for (kind, text, expected) in table {
            let verdict = judged(json!({"builtins": [kind]}), text);
            assert_eq!(
                verdict,
                Verdict::Masked(expected.to_string()),
                "{kind} {text}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_private_data_stays() {
        let table = [
            ("Email", "ann at example.com"),
            ("Ssn", "1234-56-789"),
            ("CreditCard", "order 1234"),
            ("CaSin", "12-345-678"),
            ("PhoneNumber", "in 1999 and 2000"),
            ("PhoneNumber", "000-000-0000"),
        ];
        for (kind, text) in table {
            let verdict = judged(json!({"builtins": [kind]}), text);
            assert_eq!(verdict, Verdict::Clean, "{kind} {text}");
        }
    }

    #[test]
    fn own_patterns_mask_or_reject() {
        let mask = json!({"matches": ["hunter\\d", "se+cret"], "builtins": ["Email"]});
        let verdict = judged(mask, "hunter2 seecret a@b.co hunter3");
        let expected = "<masked> <masked> <EMAIL_ADDRESS> <masked>";
        assert_eq!(verdict, Verdict::Masked(expected.to_string()));
        let reject = json!({"action": "Reject", "matches": ["hunter2"]});
        assert_eq!(judged(reject.clone(), "my hunter2"), Verdict::Rejected);
        assert_eq!(judged(reject, "my hunter3"), Verdict::Clean);
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let error = Rules::read(&json!({"matches": ["(open"]})).unwrap_err();
        assert!(error.contains("(open"), "{error}");
        assert!(Rules::read(&json!({"builtins": ["Iban"]})).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_text(text in any::<String>(), digits in "[0-9 ()+.-]{0,40}é?") {
            let all = ["Ssn", "CreditCard", "PhoneNumber", "Email", "CaSin"];
            let rules = Rules::read(&json!({"builtins": all, "matches": [".?"]})).unwrap();
            rules.judge(&text);
            rules.judge(&digits);
        }
    }
}
