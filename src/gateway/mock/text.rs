//! Words, and the texts that JSON holds.

use serde_json::Value;

/// Counts of a simple, honest kind: one token a word.
pub(super) fn tokens(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The words of a text, each with the space after it: all together are the text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// The text of a message's content: a string, or parts of which some have text.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| match part {
                Value::String(text) => Some(text.as_str()),
                part => part.get("text").and_then(Value::as_str),
            });
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// A field as text; empty where there is none.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

/// The items of a field that is a list.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> std::slice::Iter<'a, Value> {
    let list = value.get(name).and_then(Value::as_array);
    list.map_or(&[][..], Vec::as_slice).iter()
}

/// A field as a count.
pub(super) fn count(value: &Value, name: &str) -> Option<usize> {
    let number = value.get(name).and_then(Value::as_u64)?;
    usize::try_from(number).ok()
}
