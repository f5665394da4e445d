//! One thing that is wrong with a profile, and how it looks beside the text that has it.

use super::extend::Text;
use crate::error::Error;
use crate::text;
use crate::yaml::{self, Span};

/// The next command where there is no file to correct: it shows how a profile looks.
pub const CORRECT: &str = "gw profile show default";

const WIDTH: usize = 80;
/// As wide as a line's number, `   7 | `.
const GUTTER: &str = "     | ";

/// What is wrong at one place, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Of which text, where a profile extends others; 0 is its own.
    pub file: usize,
    /// Counted from 1.
    pub line: usize,
    /// Characters, counted from 1.
    pub column: usize,
    pub length: usize,
    /// The field, such as `backends[1].provider`; empty where it is the text as a whole.
    pub path: String,
    /// One lower-case sentence.
    pub what: String,
    /// What to write instead; may be empty.
    pub hint: String,
    /// Whether the line may hold a key, and is not to be shown.
    pub secret: bool,
}

impl Problem {
    pub fn new(
        at: Span,
        path: impl Into<String>,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Problem {
            file: at.file,
            line: at.line,
            column: at.start,
            length: at.end.saturating_sub(at.start).max(1),
            path: path.into(),
            what: what.into(),
            hint: hint.into(),
            secret: false,
        }
    }
}

/// What a person wrote, quoted: cut to a readable length, without anything a terminal would obey.
pub fn quote(written: &str) -> String {
    format!("`{}`", shown(&text::excerpt(written, 40)))
}

/// All problems in the order of the text, each with the line it is in; `origin` is what a person
/// calls the text, such as its file name.
pub fn render(problems: &[Problem], origin: &str, source: &str) -> Vec<String> {
    let mut lines = yaml::lines(source);
    let secret: Vec<usize> = problems
        .iter()
        .filter(|p| p.secret)
        .map(|p| p.line)
        .collect();
    for (number, line) in (1..).zip(&mut lines) {
        if secret.contains(&number) || holds_key(line) {
            line.clear();
        }
    }
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| (problem.line, problem.column));
    sorted
        .into_iter()
        .flat_map(|problem| view(problem, origin, &lines))
        .collect()
}

/// All problems as one failure with exit code 2; the first text is the profile's own.
pub fn error(problems: &[Problem], texts: &[Text], next: impl Into<String>) -> Error {
    let what = format!(
        "profile `{}` has {}",
        shown(texts.first().map_or("", |text| &text.origin)),
        text::count(problems.len(), "problem")
    );
    let of_text = |(index, text): (usize, &Text)| {
        let own = problems.iter().filter(|p| p.file == index).cloned();
        render(&own.collect::<Vec<_>>(), &text.origin, &text.text)
    };
    let lines = texts.iter().enumerate().flat_map(of_text);
    lines.fold(Error::usage(what, next), Error::fact)
}

fn view(problem: &Problem, origin: &str, lines: &[String]) -> Vec<String> {
    let place = format!("{}:{}:{}", shown(origin), problem.line, problem.column);
    let sentence = match problem.path.is_empty() {
        true => problem.what.clone(),
        false => format!("{}: {}", problem.path, problem.what),
    };
    let mut out = wrapped(&format!("{place}  {sentence}"), "", "    ");
    let line = lines.get(problem.line.saturating_sub(1));
    match line.filter(|line| !line.trim().is_empty()) {
        Some(line) => out.extend(excerpt(problem, line)),
        None if problem.hint.is_empty() => {}
        None => out.extend(wrapped(&problem.hint, GUTTER, GUTTER)),
    }
    out
}

/// Whether a key may be written out in a line, under whatever name and in whatever syntax: something
/// called like a key has a value that does not only say where the key is.
fn holds_key(line: &str) -> bool {
    line.match_indices([':', '=']).any(|(at, _)| {
        let (before, after) = line.split_at(at);
        let before = before.trim_end_matches([' ', '"', '\'']);
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let start = before.trim_end_matches(is_name).len();
        names_key(&before[start..]) && !says_where(after[1..].trim_start())
    })
}

fn names_key(name: &str) -> bool {
    let name = name.to_lowercase();
    let parts = ["key", "secret", "password", "authorization"];
    parts.iter().any(|part| name.contains(part))
        || name.ends_with("token")
        || name.ends_with("auth")
}

/// A value that names a source, as profiles and objects write it, is no key; neither is a masked one.
fn says_where(value: &str) -> bool {
    let sources = [
        "env", "file", "command", "keychain", "prompt", "generate", "name", "key", "}",
    ];
    match value.strip_prefix('{') {
        Some(inner) => {
            let inner = inner.trim_start();
            sources.iter().any(|source| inner.starts_with(source))
        }
        None => value.is_empty() || value.starts_with(['*', '[', '#']),
    }
}

/// The line, and under it the caret with the hint; the hint goes below where it doesn't fit beside.
fn excerpt(problem: &Problem, line: &str) -> Vec<String> {
    let number = format!("{:>4} | ", problem.line);
    let (line, before) = window(line, problem.column.saturating_sub(1), WIDTH - number.len());
    let offset: String = line.chars().take(before).collect();
    let marked: String = line.chars().skip(before).take(problem.length).collect();
    let blanks = " ".repeat(width(&offset));
    let carets = "^".repeat(width(&marked).max(1));
    let caret = format!("{GUTTER}{blanks}{carets}");
    let beside = format!("{caret} {}", problem.hint);
    let mut out = vec![format!("{number}{line}").trim_end().to_string()];
    if width(&beside) <= WIDTH {
        out.push(beside.trim_end().to_string());
    } else {
        out.push(caret);
        out.extend(wrapped(&problem.hint, GUTTER, GUTTER));
    }
    out
}

/// A text broken between words so that it fits, with what begins its first and its other lines.
fn wrapped(text: &str, first: &str, other: &str) -> Vec<String> {
    let mut lines = vec![first.to_string()];
    let mut empty = true;
    for word in text.split(' ') {
        let line = lines.last().map(String::as_str).unwrap_or("");
        if !empty && width(line) + 1 + width(word) > WIDTH {
            lines.push(other.to_string());
            empty = true;
        }
        if let Some(line) = lines.last_mut() {
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
        }
        empty = false;
    }
    lines
}

/// The part of a long line around a column, and the column's place in it.
fn window(line: &str, column: usize, room: usize) -> (String, usize) {
    let line: Vec<char> = shown(line).chars().collect();
    let column = column.min(line.len());
    if width(&line.iter().collect::<String>()) <= room {
        return (line.into_iter().collect(), column);
    }
    // Two columns are for the ellipses; a wide character takes two columns itself.
    let narrow = width(&line.iter().collect::<String>()) == line.len();
    let span = if narrow { room } else { room / 2 } - 2;
    let from = column.saturating_sub(span / 2);
    let to = (from + span).min(line.len());
    let start = if from > 0 { "…" } else { "" };
    let end = if to < line.len() { "…" } else { "" };
    let part: String = line[from..to].iter().collect();
    (
        format!("{start}{part}{end}"),
        column - from + start.chars().count(),
    )
}

/// Control characters as blanks: a profile may come from a stranger.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize, column: usize, length: usize, hint: &str) -> Problem {
        let at = Span {
            line,
            start: column,
            end: column + length,
            ..Span::default()
        };
        Problem::new(
            at,
            "backends[0].provider",
            "`olama` is not a provider",
            hint,
        )
    }

    #[test]
    fn the_caret_is_under_the_word_and_the_hint_beside_it() {
        let hint = "did you mean `ollama`? known: ollama, mock";
        let seen = render(
            &[problem(2, 13, 5, hint)],
            "mine.yaml",
            "backends:\n  provider: olama\n",
        );
        assert_eq!(
            seen,
            [
                "mine.yaml:2:13  backends[0].provider: `olama` is not a provider",
                "   2 |   provider: olama",
                "     |             ^^^^^ did you mean `ollama`? known: ollama, mock",
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let hint = "words ".repeat(40);
        let source = "x".repeat(300);
        for column in [1, 40, 150, 299, 301, 4000] {
            for line in render(
                &[problem(1, column, 200, hint.trim())],
                "mine.yaml",
                &source,
            ) {
                assert!(width(&line) <= WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn a_profile_cannot_send_escapes_to_the_terminal() {
        let seen = render(&[problem(1, 3, 2, "")], "a\u{1b}[2J", "a: \u{1b}[31mx");
        assert!(!seen.join("").contains('\u{1b}'));
        assert_eq!(quote("\u{1b}[2J"), "` [2J`");
    }

    #[test]
    fn a_line_that_may_hold_a_key_is_not_shown() {
        for line in [
            "- {name: openai, provider: openai, key: sk-LITERAL, modle: x}",
            "  apiKey: sk-LITERAL",
            "  token: sk-LITERAL",
            "  key: {value: sk-LITERAL}",
            "  key: sk-LITERAL: x",
            "  \"key\" : \"sk-LITERAL\"",
            "OPENAI_API_KEY=sk-LITERAL",
            "openai: {token: sk-LITERAL}",
            "Authorization: sk-LITERAL",
            "auth: sk-LITERAL",
            "keyy: sk-LITERAL",
        ] {
            let seen = render(&[problem(1, 1, 1, "hint")], "m", line);
            assert!(!seen.join("").contains("LITERAL"), "{seen:?}");
        }
        for line in ["key: {env: A_NAME}", "maxTokens: many", "key: ****"] {
            let seen = render(&[problem(1, 1, 1, "")], "m", line);
            assert!(seen[1].ends_with(line), "{seen:?}");
        }
    }

    #[test]
    fn a_second_problem_does_not_show_the_line_of_a_secret_one() {
        let secret = Problem {
            secret: true,
            ..problem(1, 4, 1, "")
        };
        let seen = render(&[secret, problem(1, 1, 1, "")], "m", "a: LITERAL");
        assert!(!seen.join("").contains("LITERAL"), "{seen:?}");
    }

    #[test]
    fn wide_characters_move_the_caret() {
        let seen = render(&[problem(1, 3, 1, "")], "m", "日本x");
        assert_eq!(seen[2], "     |     ^");
    }

    #[test]
    fn problems_come_in_the_order_of_the_text_as_a_usage_error() {
        let problems = [problem(2, 1, 1, ""), problem(1, 1, 1, "")];
        let text = Text {
            origin: "m".to_string(),
            text: "a\nb".to_string(),
            folder: None,
        };
        let error = error(&problems, &[text], "gw profile show default");
        assert_eq!(error.what, "profile `m` has 2 problems");
        assert_eq!(error.exit.code(), 2);
        assert!(error.facts[0].starts_with("m:1:1"), "{:?}", error.facts);
    }
}
