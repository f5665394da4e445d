//! Reading the fields of a document so that every problem is found, not only the first.
//!
//! What can't be read is noted and answered with nothing; a document with a note is never used.

use super::problem::{Problem, quote};
use super::suggest::among;
use crate::text;
use crate::yaml::{Data, Entry, Node, Span};
use serde_json::Value;
use std::cell::RefCell;

/// Everything found wrong so far.
#[derive(Debug, Default)]
pub struct Notes(RefCell<Vec<Problem>>);

impl Notes {
    pub fn add(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// A value, where it is, and what it is called.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    pub node: &'a Node,
    pub path: String,
    notes: &'a Notes,
}

/// The fields of a map.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    entries: &'a [Entry],
    span: Span,
    path: String,
    notes: &'a Notes,
    /// Whether there are fields that nobody knows.
    pub strange: bool,
}

impl<'a> Field<'a> {
    pub fn root(node: &'a Node, notes: &'a Notes) -> Self {
        Field {
            node,
            path: String::new(),
            notes,
        }
    }

    /// Notes that this value is wrong.
    pub fn wrong(&self, what: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::new(self.node.span, self.path.clone(), what, hint);
        self.notes.add(problem);
    }

    /// Notes that this value is wrong, and that its line may hold a key.
    pub fn wrong_unseen(&self, what: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::new(self.node.span, self.path.clone(), what, hint);
        self.notes.add(Problem {
            secret: true,
            ..problem
        });
    }

    /// The fields of a map, of which none but the known ones may be there.
    pub fn fields(&self, known: &[&str]) -> Option<Fields<'a>> {
        let mut fields = self.any_fields()?;
        for entry in fields.entries {
            if !known.contains(&entry.key.as_str()) {
                fields.strange = true;
                let path = joined(&self.path, &text::excerpt(&entry.key, 30));
                let what = format!("{} is not a field here", quote(&entry.key));
                let hint = among(&entry.key, known);
                fields
                    .notes
                    .add(Problem::new(entry.key_span, path, what, hint));
            }
        }
        Some(fields)
    }

    /// The fields of a map, whatever they are called.
    pub fn any_fields(&self) -> Option<Fields<'a>> {
        match &self.node.data {
            Data::Map(entries) => Some(Fields {
                entries,
                span: self.node.span,
                path: self.path.clone(),
                notes: self.notes,
                strange: false,
            }),
            Data::List(_) | Data::Scalar(_) => {
                self.mistyped("a map of fields", "");
                None
            }
        }
    }

    /// The items of a list, each with its place in the path.
    pub fn items(&self) -> Vec<Field<'a>> {
        let Data::List(items) = &self.node.data else {
            self.mistyped("a list", "begin each item with `- `");
            return Vec::new();
        };
        let numbered = items.iter().enumerate();
        numbered
            .map(|(index, node)| Field {
                node,
                path: format!("{}[{index}]", self.path),
                notes: self.notes,
            })
            .collect()
    }

    /// The names and values of a map whose keys are the writer's own.
    pub fn pairs(&self) -> Vec<(&'a Entry, Field<'a>)> {
        let fields = self.any_fields();
        let entries = fields.map(|fields| fields.entries).unwrap_or_default();
        entries
            .iter()
            .map(|entry| (entry, self.child(entry)))
            .collect()
    }

    fn child(&self, entry: &'a Entry) -> Field<'a> {
        Field {
            node: &entry.value,
            path: joined(&self.path, &text::excerpt(&entry.key, 30)),
            notes: self.notes,
        }
    }

    pub fn text(&self) -> Option<&'a str> {
        match &self.node.data {
            Data::Scalar(Value::Null) | Data::List(_) | Data::Map(_) => self.text_like(""),
            Data::Scalar(other) => self.text_like(&format!("put it in quotes: \"{other}\"")),
        }
    }

    /// A string; the hint says how it looks if it is something else.
    pub fn text_like(&self, hint: &str) -> Option<&'a str> {
        let Data::Scalar(Value::String(text)) = &self.node.data else {
            self.mistyped("a string", hint);
            return None;
        };
        Some(text)
    }

    pub fn boolean(&self) -> Option<bool> {
        match &self.node.data {
            Data::Scalar(Value::Bool(value)) => Some(*value),
            _ => {
                self.mistyped("`true` or `false`", "");
                None
            }
        }
    }

    /// A whole number from `least` to `most`; `noun` says of what, such as `a port`.
    pub fn number(&self, noun: &str, least: u16, most: u16) -> Option<u16> {
        let range = format!("{noun} is a number from {least} to {most}");
        let Data::Scalar(Value::Number(number)) = &self.node.data else {
            self.mistyped("a number", &range);
            return None;
        };
        let whole = number.as_u64().and_then(|n| u16::try_from(n).ok());
        match whole.filter(|n| (least..=most).contains(n)) {
            Some(number) => Some(number),
            None => {
                self.wrong(format!("`{number}` is not {noun}"), range);
                None
            }
        }
    }

    /// A whole number from 1 to what the CRDs take; `noun` says of what, such as `a count`.
    pub fn count(&self, noun: &str) -> Option<u32> {
        const MOST: u64 = i32::MAX as u64;
        let Data::Scalar(Value::Number(number)) = &self.node.data else {
            self.mistyped("a number", &format!("{noun} from 1 on"));
            return None;
        };
        let whole = number.as_u64().filter(|n| (1..=MOST).contains(n));
        if whole.is_none() {
            self.wrong(
                format!("`{number}` is not {noun}"),
                format!("from 1 to {MOST}"),
            );
        }
        whole.and_then(|n| u32::try_from(n).ok())
    }

    /// One of a closed set of words.
    pub fn one_of<T>(
        &self,
        noun: &str,
        known: &[&str],
        named: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text()?;
        let value = named(text);
        if value.is_none() {
            self.wrong(format!("{} is not {noun}", quote(text)), among(text, known));
        }
        value
    }

    fn mistyped(&self, wanted: &str, hint: &str) {
        let found = match &self.node.data {
            Data::Map(_) => "a map",
            Data::List(_) => "a list",
            Data::Scalar(Value::Null) => "empty",
            Data::Scalar(Value::Bool(_)) => "a boolean",
            Data::Scalar(Value::Number(_)) => "a number",
            Data::Scalar(_) => "a string",
        };
        self.wrong(format!("is {found}, not {wanted}"), hint);
    }
}

impl<'a> Fields<'a> {
    /// A field's value; one that is left empty counts as absent.
    pub fn get(&self, name: &str) -> Option<Field<'a>> {
        self.get_or_empty(name)
            .filter(|field| field.node.data != Data::Scalar(Value::Null))
    }

    /// A field's value, even if nothing is written after its colon.
    pub fn get_or_empty(&self, name: &str) -> Option<Field<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(Field {
            node: &entry.value,
            path: joined(&self.path, name),
            notes: self.notes,
        })
    }

    /// A field that must be there; the hint shows how it looks.
    pub fn need(&self, name: &str, hint: &str) -> Option<Field<'a>> {
        let field = self.get(name);
        if field.is_none() {
            let path = joined(&self.path, name);
            self.notes
                .add(Problem::new(self.span, path, "is missing", hint));
        }
        field
    }

    /// Notes that the map as a whole is wrong.
    pub fn wrong(&self, what: impl Into<String>, hint: impl Into<String>) {
        self.notes
            .add(Problem::new(self.span, self.path.clone(), what, hint));
    }
}

fn joined(path: &str, name: &str) -> String {
    match path.is_empty() {
        true => name.to_string(),
        false => format!("{path}.{name}"),
    }
}
