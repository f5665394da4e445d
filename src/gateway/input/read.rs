//! From texts to objects: each document is read, sorted by kind, and held against its schema.

use std::collections::BTreeMap;

use serde_json::Value;

use super::kind::{Sort, kinds};
use super::{Given, Input, Notice, Source, Weight, place};
use crate::gateway::admit;
use crate::gateway::object::{Id, text};
use crate::profile::problem::{Problem, quote};
use crate::profile::suggest::nearest;
use crate::yaml::{self, Data, Node, Span};

pub(super) fn read(sources: Vec<Source>, namespace: &str) -> Input {
    let mut reader = Reader {
        namespace,
        seen: BTreeMap::new(),
        input: Input::default(),
    };
    for (index, source) in sources.iter().enumerate() {
        reader.source(index, source);
    }
    admit::forget();
    Input {
        sources,
        ..reader.input
    }
}

struct Reader<'a> {
    namespace: &'a str,
    /// Where each object was given first.
    seen: BTreeMap<Id, usize>,
    input: Input,
}

impl Reader<'_> {
    fn tell(&mut self, weight: Weight, source: usize, problem: Problem, is_shown: bool) {
        self.input.notices.push(Notice {
            weight,
            source,
            problem,
            is_shown,
        });
    }

    fn source(&mut self, index: usize, source: &Source) {
        match yaml::read(&source.text) {
            // The line is not shown: without structure nobody knows what in it is a key.
            Err(error) => {
                let problem = Problem::new(error.at, "", error.what, "");
                self.tell(Weight::Refused, index, problem, false);
            }
            Ok(documents) => {
                for document in documents {
                    self.document(index, document);
                }
            }
        }
    }

    fn document(&mut self, source: usize, node: Node) {
        match &node.data {
            Data::Scalar(Value::Null) => {}
            Data::Map(_) => self.object(source, node),
            Data::Scalar(_) | Data::List(_) => {
                let problem = Problem::new(
                    node.span,
                    "",
                    "this document is not an object",
                    "an object has `apiVersion`, `kind` and `metadata`",
                );
                self.tell(Weight::Refused, source, problem, false);
            }
        }
    }

    fn object(&mut self, source: usize, node: Node) {
        let value = yaml::to_json(&node);
        let (version, kind) = (text(&value, &["apiVersion"]), text(&value, &["kind"]));
        for (field, found) in [("apiVersion", version), ("kind", kind)] {
            if found.is_empty() {
                let problem = Problem::new(node.span, field, "is missing", "");
                return self.tell(Weight::Refused, source, problem, false);
            }
        }
        let at = value_span(&node, "kind");
        match Sort::of(version, kind) {
            Sort::Taken => self.taken(source, node, value),
            Sort::List => {
                if let Some(Data::List(items)) = field(&node, "items").map(|items| &items.data) {
                    for item in items {
                        self.document(source, item.clone());
                    }
                }
            }
            Sort::Nothing => {
                let what = format!("{kind} of {version} means nothing without a cluster");
                self.tell(
                    Weight::Warned,
                    source,
                    Problem::new(at, "", what, "left aside"),
                    true,
                );
            }
            Sort::Unsupported => {
                let what = format!("{kind} of {version} is not supported by the embedded gateway");
                let problem = Problem::new(at, "", what, "left aside; a cluster target takes it");
                self.tell(Weight::Warned, source, problem, true);
            }
            Sort::Profile => {
                self.input.profiles.push(source);
                let what = format!("{kind} of {version} is no object of a cluster");
                let problem = Problem::new(at, "", what, "`gw up --profile` takes it");
                self.tell(Weight::Refused, source, problem, true);
            }
            Sort::Unknown => {
                let what = format!("no matches for kind {kind:?} in version {version:?}");
                let hint = match nearest(kind, &kinds()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => String::new(),
                };
                self.tell(
                    Weight::Refused,
                    source,
                    Problem::new(at, "", what, hint),
                    true,
                );
            }
        }
    }

    fn taken(&mut self, source: usize, node: Node, mut value: Value) {
        for fault in admit::check(&value) {
            let at = place::of(&node, &fault.path, fault.at_name);
            let problem = Problem::new(at, fault.path.to_string(), fault.what, fault.hint);
            self.tell(Weight::Refused, source, problem, true);
        }
        let has_namespace = text(&value, &["kind"]) != "Namespace";
        if has_namespace
            && text(&value, &["metadata", "namespace"]).is_empty()
            && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("namespace".to_string(), self.namespace.into());
        }
        // Without a name it has been refused already.
        let Ok(id) = Id::of(&value) else {
            return;
        };
        let given = Given {
            id: id.clone(),
            object: value,
            source,
            node,
        };
        let place = self.input.objects.len();
        match self.seen.insert(id.clone(), place) {
            None => self.input.objects.push(given),
            Some(first) => {
                let at = value_span(&given.node, "kind");
                let what = format!("{} is given twice", quote(&id.to_string()));
                let problem =
                    Problem::new(at, "", what, "this one counts, as it would on a cluster");
                self.tell(Weight::Warned, source, problem, true);
                self.seen.insert(id, first);
                if let Some(place) = self.input.objects.get_mut(first) {
                    *place = given;
                }
            }
        }
    }
}

fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.data {
        Data::Map(entries) => {
            let entry = entries.iter().find(|entry| entry.key == name);
            entry.map(|entry| &entry.value)
        }
        Data::Scalar(_) | Data::List(_) => None,
    }
}

fn value_span(node: &Node, name: &str) -> Span {
    field(node, name).map_or(node.span, |value| value.span)
}
