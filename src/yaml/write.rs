//! From values to text, as `kubectl get -o yaml` prints: block style, lists not indented, quotes
//! only where a reader needs them. The crate's own emitter quotes every address and image.

use saphyr::Scalar;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// One document, ended by a line feed.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(map, 0, &mut out),
        Value::Array(items) if !items.is_empty() => write_list(items, 0, &mut out),
        _ => {
            out.push_str(&inline(value, 2));
            out.push('\n');
        }
    }
    out
}

/// Several documents, separated by `---`.
pub fn write_all(values: &[Value]) -> String {
    let documents: Vec<String> = values.iter().map(write).collect();
    documents.join("---\n")
}

fn write_map(map: &Map<String, Value>, indent: usize, out: &mut String) {
    for (key, value) in map {
        pad(indent, out);
        // A key of more than 1024 characters is one only if it is said to be.
        if key.len() > 200 {
            out.push_str(&format!("? {}\n", quoted(key)));
            pad(indent, out);
        } else {
            out.push_str(&string(key));
        }
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                write_map(inner, indent + 2, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write_list(items, indent, out);
            }
            _ => {
                out.push(' ');
                out.push_str(&inline(value, indent + 2));
                out.push('\n');
            }
        }
    }
}

fn write_list(items: &[Value], indent: usize, out: &mut String) {
    for item in items {
        pad(indent, out);
        out.push_str("- ");
        let mut text = String::new();
        match item {
            Value::Object(map) if !map.is_empty() => write_map(map, indent + 2, &mut text),
            Value::Array(inner) if !inner.is_empty() => write_list(inner, indent + 2, &mut text),
            _ => {
                pad(indent + 2, &mut text);
                text.push_str(&inline(item, indent + 2));
                text.push('\n');
            }
        }
        // The dash and its blank take the place of the first line's indentation.
        out.push_str(&text[indent + 2..]);
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A value that begins on the line of its key; only a text of several lines goes beyond it.
fn inline(value: &Value, indent: usize) -> Cow<'_, str> {
    match value {
        Value::Null => "null".into(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Number(number) => number.to_string().into(),
        Value::String(text) if is_block(text) => block(text, indent).into(),
        Value::String(text) => string(text),
        Value::Array(_) => "[]".into(),
        Value::Object(_) => "{}".into(),
    }
}

/// Whether a text can be written line by line after a `|`.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let last = body.rsplit('\n').next().unwrap_or("");
    text.contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !last.trim().is_empty()
        && text
            .chars()
            .all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn block(text: &str, indent: usize) -> String {
    let (mut out, body) = match text.strip_suffix('\n') {
        Some(body) => ("|".to_string(), body),
        None => ("|-".to_string(), text),
    };
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(indent, &mut out);
            out.push_str(line);
        }
    }
    out
}

fn string(text: &str) -> Cow<'_, str> {
    match is_plain(text) {
        true => text.into(),
        false => quoted(text).into(),
    }
}

fn quoted(text: &str) -> String {
    let escapes = text.contains(['"', '\\']);
    if escapes && text.chars().all(is_printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// What every reader shows as it is: without controls, line ends beyond ASCII's and byte order marks.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

fn is_plain(text: &str) -> bool {
    let hidden = text.is_empty() || text.trim() != text || !text.chars().all(is_printable);
    let begins =
        text.starts_with("---") || text.starts_with("...") || text == "-" || text.starts_with("- ");
    let indicator = text.starts_with([
        '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`',
    ]);
    let parts = text.contains(": ") || text.contains(" #") || text.ends_with(':');
    !(hidden || begins || indicator || parts || is_other_value(text))
}

/// Whether a reader of YAML 1.2, or of 1.1 as in kubectl, takes the bare word for something else.
fn is_other_value(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~",
    ];
    let lower = text.to_ascii_lowercase();
    let word = WORDS.contains(&lower.as_str()) || matches!(text, "=" | "<<");
    let core = !matches!(Scalar::parse_from_cow(text.into()), Scalar::String(_));
    word || core || is_number_of_1_1(text) || is_date(text)
}

/// `1_000`, `0b1`, `12:30:45`: numbers in YAML 1.1.
fn is_number_of_1_1(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']).replace('_', "");
    let sixty = digits.split(':').all(|part| part.parse::<f64>().is_ok());
    let binary = digits
        .strip_prefix("0b")
        .is_some_and(|d| d.bytes().all(|b| b == b'0' || b == b'1'));
    digits.contains(|c: char| c.is_ascii_digit()) && (sixty || binary || digits.starts_with("0x"))
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[5].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{read, to_json};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn it_reads_as_kubectl_prints() {
        let value = json!({
            "kind": "HTTPRoute",
            "labels": {},
            "image": "cr.agentgateway.dev/agentgateway:0.12.0",
            "url": "http://localhost:8080",
            "ip": "127.0.0.1",
            "args": ["--watch", "-f", "yes", "0x1f", "2026-01-30", "12:30", "1_000"],
            "rules": [{"matches": [{"path": {"value": "/ollama"}}], "backends": []}, [1, [2]]],
            "version": "v2.2.0",
            "text": "two\n\n  lines\n",
            "open": "no\nend",
            "json": "{\"a\": 1}",
            "bell": "\u{7}",
            "": null,
        });
        let expected = r#"kind: HTTPRoute
labels: {}
image: cr.agentgateway.dev/agentgateway:0.12.0
url: http://localhost:8080
ip: 127.0.0.1
args:
- --watch
- -f
- "yes"
- "0x1f"
- "2026-01-30"
- "12:30"
- "1_000"
rules:
- matches:
  - path:
      value: /ollama
  backends: []
- - 1
  - - 2
version: v2.2.0
text: |
  two

    lines
open: |-
  no
  end
json: '{"a": 1}'
bell: "\U00000007"
"": null
"#;
        assert_eq!(write(&value), expected);
    }

    #[test]
    fn documents_are_separated_by_three_dashes() {
        assert_eq!(
            write_all(&[json!({"a": 1}), json!([2])]),
            "a: 1\n---\n- 2\n"
        );
        assert_eq!(write_all(&[]), "");
    }

    #[test]
    fn what_looks_like_something_else_survives() {
        for text in [
            "---",
            "--- a",
            "...",
            "- a",
            "a: b",
            "a #b",
            "a:",
            "++5",
            "+-5",
            "\u{85}",
            "\u{2028}x",
            "a\rb",
            " a",
            "a\n",
            "\n",
            "a\n\n",
            "a\n ",
            " a\nb",
            "---\n---\n",
            "a\n\t\nb",
            "%a",
            "'",
            "\"",
            "null",
            "1e3",
            "\u{10ffff}",
            "\u{fffe}",
            "a\u{a0}",
            "\u{7f}",
            "\0",
        ] {
            for value in [
                json!(text),
                json!({text: text}),
                json!([text, {text: [text]}]),
            ] {
                round_trip(&value);
            }
        }
        round_trip(&json!({"k".repeat(3000): {"x": "v".repeat(3000)}}));
    }

    fn round_trip(value: &Value) {
        let text = write(value);
        let documents = read(&text).unwrap_or_else(|error| panic!("{error:?} in\n{text}"));
        let back: Vec<Value> = documents.iter().map(to_json).collect();
        assert_eq!(back, std::slice::from_ref(value), "in\n{text}");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            ".{0,12}",
            "[ -~\n\t]{0,20}",
            "[-+.:_0-9a-fxoe]{0,8}",
            "[-:?#&*!|>'\"%@`{}, \n\r\\[\\]]{0,6}",
            any::<String>(),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            let fields = prop::collection::vec((text.clone(), inner.clone()), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Value::from),
                fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 8, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back_the_same(value in any_value()) {
            round_trip(&value);
        }

        #[test]
        fn any_text_is_read_or_refused(text in prop_oneof![".{0,60}", "[-:?#&*!|>'\"%@`{}, \n\r\ta~\\[\\]]{0,40}"]) {
            let _ = read(&text);
        }
    }
}
