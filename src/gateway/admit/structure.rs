//! An object against its structural schema: types, bounds, unknown and missing fields.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Map, Value};

use super::schema::Schema;
use super::{Fault, Path, Step};
use crate::profile::suggest::nearest;
use crate::text;

/// Drops nulls and fills in defaults, as an API server does before it looks.
pub(super) fn complete(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            for (name, inner) in &schema.properties {
                if let (None, Some(default)) = (fields.get(name), &inner.default) {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(inner) = schema.properties.get(name).or(schema.others.as_deref()) {
                    complete(inner, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(inner) = &schema.items {
                items.iter_mut().for_each(|item| complete(inner, item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every way in which a value does not fit.
pub(super) fn check(schema: &Schema, value: &Value, path: Path) -> Vec<Fault> {
    let mut walk = Walk {
        path,
        faults: Vec::new(),
    };
    walk.value(schema, value);
    walk.faults
}

struct Walk {
    path: Path,
    faults: Vec<Fault>,
}

impl Walk {
    fn fault(&mut self, what: impl Into<String>) {
        self.fault_with_hint(what, String::new());
    }

    fn fault_with_hint(&mut self, what: impl Into<String>, hint: String) {
        self.faults.push(Fault {
            path: self.path.clone(),
            what: what.into(),
            hint,
            at_name: false,
        });
    }

    fn below(&mut self, step: Step, work: impl FnOnce(&mut Walk)) {
        self.path.0.push(step);
        work(self);
        self.path.0.pop();
    }

    fn value(&mut self, schema: &Schema, value: &Value) {
        if !is_of_type(schema, value) {
            let found = name_of(value);
            let wanted = match schema.int_or_string {
                true => "integer,string",
                false => &schema.kind,
            };
            let path = &self.path;
            return self.fault(format!(
                "Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\""
            ));
        }
        match value {
            Value::Object(fields) => self.object(schema, fields),
            Value::Array(items) => self.array(schema, items),
            Value::String(text) => self.string(schema, text),
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or(0.0), value),
            Value::Null | Value::Bool(_) => {}
        }
        if !schema.choices.is_empty() && !schema.choices.contains(value) {
            let known: Vec<String> = schema.choices.iter().map(ToString::to_string).collect();
            let words: Vec<&str> = schema.choices.iter().filter_map(Value::as_str).collect();
            let hint = meant(value.as_str().unwrap_or(""), &words);
            let what = format!(
                "Unsupported value: {}: supported values: {}",
                self.shown(value),
                known.join(", ")
            );
            self.fault_with_hint(what, hint);
        }
    }

    fn object(&mut self, schema: &Schema, fields: &Map<String, Value>) {
        if let Some(most) = schema.max_properties.filter(|most| fields.len() > *most) {
            let count = fields.len();
            self.fault(format!("Too many: {count}: must have at most {most} items"));
        }
        for name in &schema.required {
            if !fields.contains_key(name) {
                self.below(Step::Field(name.clone()), |walk| {
                    walk.fault("Required value")
                });
            }
        }
        for (name, value) in fields {
            match (schema.properties.get(name), &schema.others) {
                (Some(inner), _) => {
                    self.below(Step::Field(name.clone()), |walk| walk.value(inner, value));
                }
                (None, Some(inner)) => {
                    self.below(Step::Key(name.clone()), |walk| walk.value(inner, value));
                }
                (None, None) if schema.keeps_unknown => {}
                (None, None) => {
                    let known: Vec<&str> = schema.properties.keys().map(String::as_str).collect();
                    let hint = meant(name, &known);
                    self.below(Step::Field(name.clone()), |walk| {
                        let what = format!("unknown field \"{}\"", walk.path);
                        walk.fault_with_hint(what, hint);
                        if let Some(fault) = walk.faults.last_mut() {
                            fault.at_name = true;
                        }
                    });
                }
            }
        }
    }

    fn array(&mut self, schema: &Schema, items: &[Value]) {
        let count = items.len();
        if let Some(most) = schema.max_items.filter(|most| count > *most) {
            self.fault(format!("Too many: {count}: must have at most {most} items"));
        }
        if let Some(least) = schema.min_items.filter(|least| count < *least) {
            let path = &self.path;
            self.fault(format!(
                "Invalid value: {count}: {path} in body should have at least {least} items"
            ));
        }
        let mut seen: Vec<Value> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.below(Step::Index(index), |walk| {
                if let Some(inner) = &schema.items {
                    walk.value(inner, item);
                }
                let Some(key) = identity(schema, item) else {
                    return;
                };
                match seen.contains(&key) {
                    true => walk.fault(format!("Duplicate value: {key}")),
                    false => seen.push(key),
                }
            });
        }
    }

    fn string(&mut self, schema: &Schema, text: &str) {
        let length = text.chars().count();
        if let Some(most) = schema.max_length.filter(|most| length > *most) {
            self.fault(format!("Too long: may not be more than {most} bytes"));
        }
        let path = self.path.to_string();
        let quoted = self.shown(&Value::from(text));
        if let Some(least) = schema.min_length.filter(|least| length < *least) {
            self.fault(format!(
                "Invalid value: {quoted}: {path} in body should be at least {least} chars long"
            ));
        }
        if let Some(pattern) = &schema.pattern
            && !fits(pattern, text)
        {
            self.fault(format!(
                "Invalid value: {quoted}: {path} in body should match '{pattern}'"
            ));
        }
        if schema.format == "byte"
            && let Err(error) = STANDARD.decode(text)
        {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                base64::DecodeError::InvalidLength(at) => at,
                base64::DecodeError::InvalidPadding => text.len(),
            };
            self.fault(format!("illegal base64 data at input byte {at}"));
        }
    }

    fn number(&mut self, schema: &Schema, number: f64, value: &Value) {
        let path = self.path.to_string();
        if let Some(least) = schema.minimum.filter(|least| number < *least) {
            self.fault(format!(
                "Invalid value: {value}: {path} in body should be greater than or equal to {least}"
            ));
        }
        if let Some(most) = schema.maximum.filter(|most| number > *most) {
            self.fault(format!(
                "Invalid value: {value}: {path} in body should be less than or equal to {most}"
            ));
        }
    }

    /// A value as an error quotes it, but for those that may be keys.
    fn shown(&self, value: &Value) -> String {
        let secret = |step: &Step| matches!(step, Step::Field(name) if ["key", "users", "data", "stringData"].contains(&name.as_str()));
        match value {
            Value::String(_) if self.path.0.iter().any(secret) => "\"<redacted>\"".to_string(),
            Value::String(text) => format!("{:?}", text::excerpt(text, 60)),
            other => other.to_string(),
        }
    }
}

static PATTERNS: Mutex<BTreeMap<String, Arc<Regex>>> = Mutex::new(BTreeMap::new());

/// Compiling a pattern takes far longer than using it, and there are few.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let mut known = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = match known.get(pattern) {
        Some(regex) => regex.clone(),
        // What this engine can't read is not the writer's fault.
        None => match Regex::new(pattern) {
            Err(_) => return true,
            Ok(regex) => {
                let regex = Arc::new(regex);
                known.insert(pattern.to_string(), regex.clone());
                regex
            }
        },
    };
    drop(known);
    regex.is_match(text)
}

pub(super) fn forget() {
    let mut known = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    known.clear();
}

fn meant(written: &str, known: &[&str]) -> String {
    match nearest(written, known) {
        Some(word) => format!("did you mean `{word}`?"),
        None => String::new(),
    }
}

fn is_of_type(schema: &Schema, value: &Value) -> bool {
    if schema.int_or_string {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    match schema.kind.as_str() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What no two items of a list may share: the whole item of a set, the keys of a list of maps.
fn identity(schema: &Schema, item: &Value) -> Option<Value> {
    match schema.list_type.as_str() {
        "set" => Some(item.clone()),
        "map" => {
            let key = |name: &String| Some((name.clone(), item.get(name)?.clone()));
            let keys: Map<String, Value> = schema.list_keys.iter().filter_map(key).collect();
            (!keys.is_empty()).then_some(Value::Object(keys))
        }
        _ => None,
    }
}
