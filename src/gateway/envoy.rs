//! Envoy's protobuf headers: what is sent of a message's head, and how the changes that come back are made.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::google::protobuf::{self, Struct, value::Kind};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

/// A head that can be changed: headers, and the parts of it that have names of their own, such as `:path`.
pub(super) trait Head {
    fn headers(&mut self) -> &mut HeaderMap;
    /// Changes a part whose name starts with a colon; what it can't be is left as it was.
    fn set_pseudo(&mut self, name: &str, value: &[u8]);
}

impl Head for HeaderMap {
    fn headers(&mut self) -> &mut HeaderMap {
        self
    }

    fn set_pseudo(&mut self, _: &str, _: &[u8]) {}
}

/// Headers as Envoy sends them: values as bytes.
pub(super) fn header_map(headers: &HeaderMap, pseudo: &[(&str, &str)]) -> core::HeaderMap {
    let own = headers
        .iter()
        .map(|(name, value)| pair(name.as_str(), value.as_bytes()));
    let named = pseudo
        .iter()
        .map(|(name, value)| pair(name, value.as_bytes()));
    core::HeaderMap {
        headers: own.chain(named).collect(),
    }
}

fn pair(name: &str, value: &[u8]) -> core::HeaderValue {
    core::HeaderValue {
        key: name.to_string(),
        value: String::new(),
        raw_value: value.to_vec(),
    }
}

/// Removes headers; those that have a meaning of their own stay.
pub(super) fn remove(head: &mut impl Head, names: &[String]) {
    for name in names {
        if !name.eq_ignore_ascii_case("host") && !name.starts_with(':') {
            head.headers().remove(name.as_str());
        }
    }
}

/// Makes the changes of a list in its order. A header that can't be one is left out, and so is a
/// length, which the body's own decides.
pub(super) fn set(head: &mut impl Head, options: &[core::HeaderValueOption]) {
    for option in options {
        let Some(given) = &option.header else {
            continue;
        };
        let value = match given.raw_value.as_slice() {
            [] => given.value.as_bytes(),
            raw => raw,
        };
        if given.key.starts_with(':') {
            head.set_pseudo(&given.key, value);
            continue;
        }
        let (Ok(name), Ok(value)) = (
            given.key.parse::<HeaderName>(),
            HeaderValue::from_bytes(value),
        ) else {
            continue;
        };
        if name == header::HOST {
            head.set_pseudo(":authority", value.as_bytes());
        } else if name != header::CONTENT_LENGTH {
            put(head.headers(), action(option), name, value);
        }
    }
}

/// Sets plain headers; those that can't be one are left out.
pub(super) fn set_plain(head: &mut impl Head, headers: &[core::HeaderValue]) {
    for header in headers {
        let option = core::HeaderValueOption {
            header: Some(header.clone()),
            ..core::HeaderValueOption::default()
        };
        set(head, &[option]);
    }
}

fn put(headers: &mut HeaderMap, action: HeaderAppendAction, name: HeaderName, value: HeaderValue) {
    let is_there = headers.contains_key(&name);
    match action {
        HeaderAppendAction::AppendIfExistsOrAdd => drop(headers.append(name, value)),
        HeaderAppendAction::AddIfAbsent if is_there => {}
        HeaderAppendAction::OverwriteIfExists if !is_there => {}
        HeaderAppendAction::AddIfAbsent
        | HeaderAppendAction::OverwriteIfExists
        | HeaderAppendAction::OverwriteIfExistsOrAdd => drop(headers.insert(name, value)),
    }
}

/// What is not said overwrites: Envoy's own rule for both services that send such lists.
fn action(option: &core::HeaderValueOption) -> HeaderAppendAction {
    #[allow(
        deprecated,
        reason = "servers still say it, and Envoy still listens to it"
    )]
    let appends = option.append.is_some_and(|append| append.value);
    match (option.append_action, appends) {
        (0, false) => HeaderAppendAction::OverwriteIfExistsOrAdd,
        (code, _) => {
            HeaderAppendAction::try_from(code).unwrap_or(HeaderAppendAction::AppendIfExistsOrAdd)
        }
    }
}

/// A JSON object as protobuf has it.
pub(super) fn structure(fields: &Map<String, Value>) -> Struct {
    let pairs = fields.iter();
    Struct {
        fields: pairs
            .map(|(name, value)| (name.clone(), protobuf(value)))
            .collect(),
    }
}

/// The fields of a structure as JSON.
pub(super) fn fields(structure: Struct) -> Map<String, Value> {
    let pairs = structure.fields.into_iter();
    let mut pairs: Vec<_> = pairs.map(|(name, value)| (name, plain(value))).collect();
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs.into_iter().collect()
}

fn plain(value: protobuf::Value) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(truth)) => truth.into(),
        // A number of protobuf is a float; a whole one is read as such.
        Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
            (number as i64).into()
        }
        Some(Kind::NumberValue(number)) => number.into(),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(plain).collect(),
        Some(Kind::StructValue(inner)) => Value::Object(fields(inner)),
    }
}

fn protobuf(value: &Value) -> protobuf::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => Kind::ListValue(protobuf::ListValue {
            values: items.iter().map(protobuf).collect(),
        }),
        Value::Object(fields) => Kind::StructValue(structure(fields)),
    };
    protobuf::Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::google::protobuf::BoolValue;
    use proptest::prelude::{any, prop, proptest};

    fn option(
        name: &str,
        value: &[u8],
        append: Option<bool>,
        action: i32,
    ) -> core::HeaderValueOption {
        #[allow(deprecated)]
        core::HeaderValueOption {
            header: Some(pair(name, value)),
            append: append.map(|value| BoolValue { value }),
            append_action: action,
            keep_empty_value: false,
        }
    }

    #[test]
    fn changes_are_made_as_envoy_makes_them() {
        // append, action, what becomes of `a: 1` when 2 is given, and of nothing
        type Row<'a> = (Option<bool>, i32, &'a [&'a str], &'a [&'a str]);
        let table: [Row; 6] = [
            (None, 0, &["2"], &["2"]),
            (Some(false), 0, &["2"], &["2"]),
            (Some(true), 0, &["1", "2"], &["2"]),
            (None, 1, &["1"], &["2"]),
            (None, 2, &["2"], &["2"]),
            (None, 3, &["2"], &[]),
        ];
        for (append, action, there, absent) in table {
            for (mut headers, expected) in [
                (
                    HeaderMap::from_iter([("a".parse().unwrap(), "1".parse().unwrap())]),
                    there,
                ),
                (HeaderMap::new(), absent),
            ] {
                set(&mut headers, &[option("a", b"2", append, action)]);
                let values: Vec<_> = headers.get_all("a").iter().collect();
                assert_eq!(values, expected, "{append:?} {action}");
            }
        }
    }

    #[test]
    fn a_length_is_never_taken_and_a_host_never_removed() {
        let mut headers = HeaderMap::from_iter([("host".parse().unwrap(), "h".parse().unwrap())]);
        set(&mut headers, &[option("Content-Length", b"7", None, 0)]);
        remove(&mut headers, &["Host".to_string()]);
        assert_eq!(headers.len(), 1);
    }

    proptest! {
        #[test]
        fn nothing_panics(name in any::<String>(), value in prop::collection::vec(any::<u8>(), 0..40), action in any::<i32>()) {
            let mut headers = HeaderMap::new();
            set(&mut headers, &[option(&name, &value, None, action)]);
            remove(&mut headers, &[name]);
        }
    }
}
