//! JSON and texts as CEL values, and back.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use serde_json::{Map, Value};

/// A value that may borrow from what it was made of.
pub(super) type Held<'v> = Box<dyn Val + 'v>;

pub(super) fn text<'v>(text: &'v str) -> Held<'v> {
    Box::new(CelString::from(text))
}

pub(super) fn map<'v>(entries: impl IntoIterator<Item = (&'v str, Held<'v>)>) -> Held<'v> {
    let entries = entries
        .into_iter()
        .map(|(key, value)| (CelMapKey::from(key), value));
    Box::new(CelMap::from(entries.collect::<HashMap<_, _>>()))
}

pub(super) fn object<'v>(fields: &'v Map<String, Value>) -> Held<'v> {
    map(fields
        .iter()
        .map(|(name, value)| (name.as_str(), json(value))))
}

/// JSON as CEL has it: numbers are `int` where they fit, then `uint`, then `double`.
pub(super) fn json<'v>(value: &'v Value) -> Held<'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(bool) => Box::new(CelBool::from(*bool)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Box::new(CelInt::from(int)),
            (None, Some(uint)) => Box::new(CelUInt::from(uint)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items: Vec<Held<'v>> = items.iter().map(json).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(fields) => object(fields),
    }
}

/// JSON that nothing else holds on to.
pub(super) fn owned_json(value: Value) -> Held<'static> {
    match value {
        Value::String(string) => Box::new(CelString::from(string)),
        Value::Array(items) => {
            let items: Vec<Held<'static>> = items.into_iter().map(owned_json).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(fields) => {
            let entries = fields
                .into_iter()
                .map(|(name, value)| (CelMapKey::from(name), owned_json(value)));
            Box::new(CelMap::from(entries.collect::<HashMap<_, _>>()))
        }
        Value::Null => Box::new(CelNull),
        Value::Bool(bool) => Box::new(CelBool::from(bool)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Box::new(CelInt::from(int)),
            (None, Some(uint)) => Box::new(CelUInt::from(uint)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
    }
}
