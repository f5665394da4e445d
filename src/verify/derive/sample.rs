//! A text that a regular expression takes: what a guard or a match is tried with.

use regex_syntax::hir::{Class, Hir, HirKind};

/// The shortest text that comes easily; `None` where none does.
pub fn of(pattern: &str) -> Option<String> {
    let hir = regex_syntax::Parser::new().parse(pattern).ok()?;
    let text = write(&hir)?;
    let text = match text.is_empty() {
        true => return None,
        false => text,
    };
    let regex = regex::Regex::new(pattern).ok()?;
    regex.is_match(&text).then_some(text)
}

fn write(hir: &Hir) -> Option<String> {
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => String::new(),
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok()?,
        HirKind::Class(class) => one_of(class)?.to_string(),
        HirKind::Capture(capture) => write(&capture.sub)?,
        HirKind::Concat(parts) => parts.iter().map(write).collect::<Option<String>>()?,
        HirKind::Alternation(parts) => parts.iter().find_map(write)?,
        HirKind::Repetition(repetition) => {
            let times = repetition.min.max(u32::from(repetition.max != Some(0)));
            // Nobody's guard needs more, and a billion would fit nowhere.
            let times = usize::try_from(times).ok().filter(|times| *times <= 256)?;
            write(&repetition.sub)?.repeat(times)
        }
    })
}

/// A letter or a digit where the class has one.
fn one_of(class: &Class) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|r| (r.start(), r.end())).collect(),
        Class::Bytes(class) => class
            .iter()
            .map(|r| (char::from(r.start()), char::from(r.end())))
            .collect(),
    };
    let inside = |c: &char| ranges.iter().any(|(from, to)| from <= c && c <= to);
    let usual = ('a'..='z').chain('0'..='9').chain('A'..='Z');
    let usual = usual.chain("-_./ :@".chars());
    usual
        .into_iter()
        .find(inside)
        .or(ranges.first().map(|(from, _)| *from))
}

/// What the builtin patterns take (facts 7.2).
pub fn builtin(name: &str) -> Option<&'static str> {
    match name {
        "Ssn" => Some("078-05-1120"),
        "CreditCard" => Some("4111 1111 1111 1111"),
        "PhoneNumber" => Some("+1 212-555-0123"),
        "Email" => Some("somebody@example.com"),
        "CaSin" => Some("046 454 286"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sample_is_taken_by_its_pattern() {
        for pattern in [
            "hunter2",
            "sk-[A-Za-z0-9]{8,}",
            "(foo|bar)+x?",
            r"\d{3}-\d{2}",
            r"(?i)secret\s+plan",
            "/v[12]/.*",
        ] {
            let text = of(pattern).unwrap_or_else(|| panic!("{pattern}"));
            assert!(
                regex::Regex::new(pattern).unwrap().is_match(&text),
                "{pattern}: {text}"
            );
        }
        assert_eq!(of("("), None);
        assert_eq!(of("x{100000}"), None);
    }

    /// A part of a pattern, with what it takes as a plain function: how many bytes of a text's
    /// beginning, if any.
    #[derive(Debug, Clone)]
    enum Part {
        Word(String),
        Digits(usize),
        Either(String, String),
        Letters,
    }

    impl Part {
        fn pattern(&self) -> String {
            match self {
                Part::Word(word) => word.clone(),
                Part::Digits(count) => format!(r"\d{{{count}}}"),
                Part::Either(one, other) => format!("(?:{one}|{other})"),
                Part::Letters => "[m-p]+-".to_string(),
            }
        }

        fn takes(&self, text: &str) -> Option<usize> {
            let starts = |word: &String| text.starts_with(word.as_str()).then_some(word.len());
            let run = |is: fn(char) -> bool| text.chars().take_while(|c| is(*c)).count();
            match self {
                Part::Word(word) => starts(word),
                Part::Digits(count) => (run(|c| c.is_ascii_digit()) >= *count).then_some(*count),
                Part::Either(one, other) => starts(one).or_else(|| starts(other)),
                Part::Letters => {
                    let letters = run(|c| ('m'..='p').contains(&c));
                    (letters > 0 && text[letters..].starts_with('-')).then_some(letters + 1)
                }
            }
        }
    }

    fn part() -> impl Strategy<Value = Part> {
        prop_oneof![
            "[a-f]{1,4}".prop_map(Part::Word),
            (1..5usize).prop_map(Part::Digits),
            ("g[a-f]{0,3}", "h[a-f]{0,3}").prop_map(|(one, other)| Part::Either(one, other)),
            Just(Part::Letters),
        ]
    }

    proptest! {
        #[test]
        fn a_pattern_of_usual_parts_has_a_sample_that_each_part_takes(
            parts in prop::collection::vec(part(), 1..6),
        ) {
            let pattern: String = parts.iter().map(Part::pattern).collect();
            let text = of(&pattern);
            let mut rest = text.as_deref().unwrap_or("none");
            for part in &parts {
                let taken = part.takes(rest);
                prop_assert!(taken.is_some(), "{pattern}: {text:?}, at {rest:?}");
                rest = &rest[taken.unwrap_or(0)..];
            }
            prop_assert_eq!(rest, "");
        }

        #[test]
        fn no_pattern_makes_it_panic(pattern in "[a-z()\\[\\]|*+?.{}0-9^$\\\\-]{0,24}") {
            let _ = of(&pattern);
        }
    }
}
