//! What an API server would refuse before any controller saw it: unknown fields, missing ones, values
//! out of bounds, conditions of the CRDs that do not hold (facts 6, 7). In its own words.

mod name;
mod rule;
mod schema;
mod structure;

use std::fmt;

use serde_json::Value;

use super::object::text;
use schema::Schema;

/// One step from an object down to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Field(String),
    /// A key of a map whose keys are the writer's own.
    Key(String),
    Index(usize),
}

/// Where in an object: `spec.rules[0].backendRefs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    fn field(name: &str) -> Path {
        Path(vec![Step::Field(name.to_string())])
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if index == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One reason why an API server would refuse an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub path: Path,
    /// The server's words, without the path.
    pub what: String,
    /// Words that were perhaps meant; empty where there are none.
    pub hint: String,
    /// Whether the field's name is at fault, not its value.
    pub at_name: bool,
}

/// Everything that is wrong with an object of a known kind; kinds without a schema have no faults.
pub fn check(object: &Value) -> Vec<Fault> {
    let kind = text(object, &["kind"]);
    let Some(schema) = schema::of(kind) else {
        return Vec::new();
    };
    let Value::Object(fields) = object else {
        return Vec::new();
    };
    let mut body = fields.clone();
    for shared in ["apiVersion", "kind", "status"] {
        body.shift_remove(shared);
    }
    let metadata = body.shift_remove("metadata").unwrap_or(Value::Null);
    let mut faults = Vec::new();
    if let Some(schema) = schema::metadata() {
        faults.extend(judged(&schema, metadata.clone(), Path::field("metadata")));
    }
    faults.extend(name::check(kind, &metadata));
    faults.extend(judged(&schema, Value::Object(body), Path::default()));
    faults
}

/// Lets go of schemas, conditions and patterns that were read and compiled for `check`: a gateway that
/// runs for long needs their room more than the time of its next reload.
pub fn forget() {
    schema::forget();
    rule::forget();
    structure::forget();
}

/// As an API server goes about it: nulls are dropped, defaults filled in, the structure checked, and
/// only what is sound in structure is held against the conditions.
fn judged(schema: &Schema, mut value: Value, path: Path) -> Vec<Fault> {
    structure::complete(schema, &mut value);
    let faults = structure::check(schema, &value, path.clone());
    match faults.is_empty() {
        true => rule::check(schema, &value, path),
        false => faults,
    }
}

#[cfg(test)]
mod tests;
