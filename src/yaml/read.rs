//! From text to nodes.

use super::{Data, Entry, Node, Span, SyntaxError, with_line_feeds};
use saphyr::{LoadableYamlNode, MarkedYaml, Marker, Scalar, ScanError, YamlData};
use serde_json::{Number, Value};
use std::collections::{BTreeSet, HashSet};

/// The parser recurses once a level, and a text of a megabyte can nest half a million of them.
const DEEPEST: usize = 100;

/// Every document of a text. An empty text has none.
pub fn read(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let text = with_line_feeds(text);
    let lines: Vec<&str> = text.split('\n').collect();
    refuse_depth(&lines)?;
    let documents = MarkedYaml::load_from_str(&text).map_err(|error| refusal(&error, &lines))?;
    documents
        .iter()
        .map(|document| node(document, &lines))
        .collect()
}

/// Every block collection begins in the prefix of a line (`- `, `? `, `: `, `--- ` and the first
/// word after them) and further right than the one around it, so the columns of prefixes bound the
/// depth. Flow collections are bounded by the parser, at 255.
fn refuse_depth(lines: &[&str]) -> Result<(), SyntaxError> {
    let mut columns = BTreeSet::new();
    for (index, line) in lines.iter().enumerate() {
        let mut rest = line.trim_start_matches([' ', '\t']);
        while !rest.is_empty() {
            columns.insert(line.len() - rest.len());
            let word = rest.split([' ', '\t']).next().unwrap_or(rest);
            let opens = matches!(word, "-" | "?" | ":" | "---") || word.starts_with(['&', '!']);
            if !opens {
                break;
            }
            rest = rest[word.len()..].trim_start_matches([' ', '\t']);
        }
        if columns.len() > DEEPEST {
            return Err(SyntaxError {
                at: span(index + 1, 1, 2),
                what: format!("nesting is deeper than {DEEPEST} levels"),
            });
        }
    }
    Ok(())
}

fn node(yaml: &MarkedYaml, lines: &[&str]) -> Result<Node, SyntaxError> {
    let start = at(&yaml.span.start);
    match &yaml.data {
        YamlData::Value(scalar) => scalar_node(scalar, yaml, lines),
        YamlData::Sequence(items) => {
            let items = items.iter().map(|item| node(item, lines));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            Ok(Node {
                data: Data::List(items),
                span: start,
            })
        }
        YamlData::Mapping(pairs) => {
            let entries = pairs.iter().map(|(key, value)| entry(key, value, lines));
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            refuse_twins(&entries)?;
            Ok(Node {
                span: map_span(start, &entries),
                data: Data::Map(entries),
            })
        }
        YamlData::Tagged(tag, _) => Err(SyntaxError {
            at: start,
            what: format!("tag `{tag}` has no meaning here"),
        }),
        YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
            Err(SyntaxError {
                at: start,
                what: "value does not fit its tag or alias".to_string(),
            })
        }
    }
}

fn scalar_node(scalar: &Scalar, yaml: &MarkedYaml, lines: &[&str]) -> Result<Node, SyntaxError> {
    let span = scalar_span(yaml);
    let value = match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::from(*value),
        Scalar::String(value) => Value::from(value.as_ref()),
        Scalar::FloatingPoint(value) => {
            // The crate reads what is beyond an i64 as a float; the text still has every digit.
            let whole = characters(lines, span)
                .parse::<u64>()
                .ok()
                .map(Number::from);
            let number = whole.or_else(|| Number::from_f64(value.into_inner()));
            Value::Number(number.ok_or_else(|| SyntaxError {
                at: span,
                what: "infinity and not-a-number are no values".to_string(),
            })?)
        }
    };
    Ok(Node {
        data: Data::Scalar(value),
        span,
    })
}

fn entry(key: &MarkedYaml, value: &MarkedYaml, lines: &[&str]) -> Result<Entry, SyntaxError> {
    let key = node(key, lines)?;
    let name = match key.data {
        Data::Scalar(Value::String(text)) => text,
        Data::Scalar(other) => other.to_string(),
        Data::List(_) | Data::Map(_) => {
            return Err(SyntaxError {
                at: key.span,
                what: "a key is a list or a map".to_string(),
            });
        }
    };
    Ok(Entry {
        key: name,
        key_span: key.span,
        value: node(value, lines)?,
    })
}

/// The parser refuses equal keys; `1` and `"1"` are equal only as JSON.
fn refuse_twins(entries: &[Entry]) -> Result<(), SyntaxError> {
    let mut seen = HashSet::new();
    match entries.iter().find(|entry| !seen.insert(&entry.key)) {
        None => Ok(()),
        Some(twin) => Err(SyntaxError {
            at: twin.key_span,
            what: twice(&twin.key),
        }),
    }
}

fn twice(key: &str) -> String {
    format!("key `{key}` is written twice in one map")
}

/// What the parser says; it doesn't name the key that is there twice.
fn refusal(error: &ScanError, lines: &[&str]) -> SyntaxError {
    let start = at(error.marker());
    if error.info() == "duplicated key in mapping" {
        let rest = characters(
            lines,
            Span {
                end: usize::MAX,
                ..start
            },
        );
        let key = rest.split(':').next().unwrap_or("").trim_end();
        let end = start.start + key.chars().count();
        let what = twice(key.trim_matches(['"', '\'']));
        return SyntaxError {
            at: Span { end, ..start },
            what,
        };
    }
    let what = error.info().to_lowercase();
    SyntaxError {
        at: start,
        what: what.trim_end_matches('.').to_string(),
    }
}

fn at(marker: &Marker) -> Span {
    span(marker.line(), marker.col() + 1, marker.col() + 2)
}

fn span(line: usize, start: usize, end: usize) -> Span {
    Span {
        line,
        start,
        end,
        file: 0,
    }
}

fn scalar_span(yaml: &MarkedYaml) -> Span {
    let start = at(&yaml.span.start);
    let end = yaml.span.end.col() + 1;
    match yaml.span.end.line() == start.line && end > start.start {
        true => Span { end, ..start },
        false => start,
    }
}

/// A block map has no mark of its own: it is pointed at by its first key.
fn map_span(start: Span, entries: &[Entry]) -> Span {
    match entries.first() {
        Some(first) if first.key_span.line == start.line && first.key_span.start == start.start => {
            first.key_span
        }
        _ => start,
    }
}

fn characters(lines: &[&str], span: Span) -> String {
    let line = lines.get(span.line.saturating_sub(1)).unwrap_or(&"");
    let length = span.end.saturating_sub(span.start);
    line.chars()
        .skip(span.start.saturating_sub(1))
        .take(length)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::to_json;
    use serde_json::json;

    fn only(text: &str) -> Node {
        let mut documents = read(text).expect("YAML");
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    }

    fn refused(text: &str) -> (usize, usize, String) {
        let error = read(text).expect_err("refused");
        (error.at.line, error.at.start, error.what)
    }

    #[test]
    fn values_follow_the_core_schema() {
        let text =
            "a: yes\nb: on\nc: true\nd: ~\ne: 0x10\nf: 1.5\ng: 18446744073709551615\nh: '1'\ni:\n";
        let expected = json!({
            "a": "yes", "b": "on", "c": true, "d": null, "e": 16, "f": 1.5,
            "g": 18446744073709551615u64, "h": "1", "i": null,
        });
        assert_eq!(to_json(&only(text)), expected);
    }

    #[test]
    fn a_value_knows_its_line_and_columns() {
        let root = only("a: 1\nlist:\n- name: élan  # note\n  other: \"x\"\n");
        let Data::Map(entries) = &root.data else {
            panic!("map")
        };
        assert_eq!(root.span, span(1, 1, 2));
        assert_eq!(entries[1].key_span, span(2, 1, 5));
        let Data::List(items) = &entries[1].value.data else {
            panic!("list")
        };
        assert_eq!(items[0].span, span(3, 3, 7));
        let Data::Map(fields) = &items[0].data else {
            panic!("map")
        };
        assert_eq!(fields[0].value.span, span(3, 9, 13));
        assert_eq!(fields[1].value.span, span(4, 10, 13));
    }

    #[test]
    fn documents_are_separated_by_three_dashes() {
        assert_eq!(read("a: 1\n---\nb: 2\n").map(|d| d.len()), Ok(2));
        assert_eq!(read("").map(|d| d.len()), Ok(0));
        assert_eq!(read("# nothing\n").map(|d| d.len()), Ok(0));
    }

    #[test]
    fn a_key_written_twice_is_refused_where_it_is_written_again() {
        let what = "key `a` is written twice in one map".to_string();
        assert_eq!(refused("a: 1\nb:\n  a: 1\na: 2\n"), (4, 1, what));
        let what = "key `1` is written twice in one map".to_string();
        assert_eq!(refused("1: a\n\"1\": b\n"), (2, 1, what));
    }

    #[test]
    fn what_has_no_form_as_data_is_refused() {
        for text in [
            "a: .inf",
            "a: !mine b",
            "[a]: b",
            "a: !!int b",
            "a: &x [*x]",
            "a: *y",
            "a: [",
            "\ta: b: c",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused_instead_of_ending_the_process() {
        for text in [
            "- ".repeat(200_000),
            "[".repeat(200_000),
            "? ".repeat(200_000),
            "- &a ".repeat(100_000),
            "--- ".to_string() + &"- ".repeat(100_000),
        ] {
            assert!(read(&text).is_err());
        }
        let stairs: String = (0..5000)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect();
        assert!(read(&stairs).is_err());
    }

    #[test]
    fn an_alias_is_what_it_names() {
        assert_eq!(
            to_json(&only("a: &x [1]\nb: *x\n")),
            json!({"a": [1], "b": [1]})
        );
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
        assert_eq!(
            to_json(&only("\u{feff}a: 1\r\nb: |\r\n  x\r\n")),
            json!({"a": 1, "b": "x\n"})
        );
    }
}
