//! YAML with positions in, YAML as kubectl prints it out: the only contact with the YAML crate.
//!
//! Values follow the core schema of YAML 1.2, so `yes` and `on` are strings.

mod read;
mod write;

pub use read::read;
pub use write::{write, write_all};

use serde_json::{Map, Value};

/// A value and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub data: Data,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Null, a boolean, a number or a string; never an array or an object.
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value; keys are unique in a map and keep the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

/// Characters of one line, counted from 1. Of a value that spans several lines, only its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub line: usize,
    /// Column of the first character.
    pub start: usize,
    /// Column after the last character.
    pub end: usize,
    /// Of which text, where a value was put together from several; 0 is the first.
    pub file: usize,
}

/// Why a text is not YAML, or not YAML that has a meaning as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    pub at: Span,
    /// One lower-case sentence.
    pub what: String,
}

impl Node {
    /// The same value as part of another text.
    pub fn in_file(mut self, file: usize) -> Node {
        self.span.file = file;
        self.data = match self.data {
            Data::Scalar(value) => Data::Scalar(value),
            Data::List(items) => {
                Data::List(items.into_iter().map(|item| item.in_file(file)).collect())
            }
            Data::Map(entries) => {
                let entries = entries.into_iter().map(|mut entry| {
                    entry.key_span.file = file;
                    entry.value = entry.value.in_file(file);
                    entry
                });
                Data::Map(entries.collect())
            }
        };
        self
    }
}

/// The value without positions.
pub fn to_json(node: &Node) -> Value {
    match &node.data {
        Data::Scalar(value) => value.clone(),
        Data::List(items) => items.iter().map(to_json).collect(),
        Data::Map(entries) => {
            let fields = entries
                .iter()
                .map(|entry| (entry.key.clone(), to_json(&entry.value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

/// Every document of a text as plain values, for files whose positions nobody needs.
pub fn read_values(text: &str) -> crate::error::Result<Vec<Value>> {
    let nodes = read(text).map_err(|e| {
        let what = format!("the YAML can't be read at line {}: {}", e.at.line, e.what);
        crate::error::Error::new(what, "gw status")
    })?;
    Ok(nodes.iter().map(to_json).collect())
}

/// Lines as YAML counts them: a carriage return alone ends one too.
pub fn lines(text: &str) -> Vec<String> {
    with_line_feeds(text)
        .split('\n')
        .map(str::to_string)
        .collect()
}

fn with_line_feeds(text: &str) -> String {
    text.trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n")
}
