//! Where a key comes from, as a profile says it: `{env: NAME}`, `{file: PATH}`, `{command: [...]}`, `{keychain: NAME}`,
//! `{prompt: WHAT}`.

use super::field::{Field, Fields};
use super::problem::quote;
use super::value::filled;
use crate::secret::source::Source;
use serde_json::{Value, json};

pub const FIELDS: [&str; 5] = ["env", "file", "command", "keychain", "prompt"];
const FORMS: &str = "one of `{env: NAME}`, `{file: PATH}`, `{command: [op, read, ...]}`, `{keychain: NAME}`, `{prompt: WHAT}`";

/// A source of its own field. A key itself is refused, and not shown.
pub fn source(field: &Field) -> Option<Source> {
    if let crate::yaml::Data::Scalar(Value::String(_)) = &field.node.data {
        field.wrong_unseen("says a key where it is to say where the key is", FORMS);
        return None;
    }
    of(&field.fields(&FIELDS)?)
}

/// The source among other fields.
pub fn of(fields: &Fields) -> Option<Source> {
    let found: Vec<Field> = FIELDS.iter().filter_map(|name| fields.get(name)).collect();
    match found.as_slice() {
        [only] if only.path.ends_with("env") => variable(only).map(|name| Source::env(&name)),
        [only] if only.path.ends_with("file") => Some(Source::File(filled(only)?.to_string())),
        [only] if only.path.ends_with("keychain") => {
            Some(Source::Keychain(filled(only)?.to_string()))
        }
        [only] if only.path.ends_with("prompt") => Some(Source::Prompt(filled(only)?.to_string())),
        [only] => command(only).map(Source::Command),
        [] => {
            if !fields.strange {
                fields.wrong("says no source", FORMS);
            }
            None
        }
        [_, second, ..] => {
            second.wrong("is a second source", "one is enough");
            None
        }
    }
}

fn variable(field: &Field) -> Option<String> {
    let text = field.text_like("the name of a variable, such as `OPENAI_API_KEY`")?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let digit = text.starts_with(|c: char| c.is_ascii_digit());
    if text.is_empty() || digit || !text.chars().all(good) {
        // It may be a key that somebody put here: what is written is not repeated.
        field.wrong_unseen(
            "is not the name of a variable",
            "letters, digits and `_`, such as `OPENAI_API_KEY`",
        );
        return None;
    }
    Some(text.to_string())
}

fn command(field: &Field) -> Option<Vec<String>> {
    let items = field.items();
    if items.is_empty() {
        if matches!(field.node.data, crate::yaml::Data::List(_)) {
            field.wrong("is empty", "the program and its arguments, one word each");
        }
        return None;
    }
    let words: Vec<String> = items
        .iter()
        .filter_map(|item| item.text().map(str::to_string))
        .collect();
    if words
        .first()
        .is_some_and(|program| program.contains(char::is_whitespace))
    {
        let program = words.first().map_or("", String::as_str);
        field.wrong(
            format!("{} is not a program", quote(program)),
            "no shell runs it: each word is an item of its own",
        );
        return None;
    }
    (words.len() == items.len()).then_some(words)
}

/// The written form.
pub fn to_wire(source: &Source) -> Value {
    match source {
        Source::Env(names) => json!({"env": names.first()}),
        Source::File(path) => json!({"file": path}),
        Source::Command(words) => json!({"command": words}),
        Source::Keychain(name) => json!({"keychain": name}),
        Source::Prompt(title) => json!({"prompt": title}),
        // It is found where nothing is named, and so never written.
        Source::Aws(_) => Value::Null,
    }
}
