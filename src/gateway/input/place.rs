//! From a path in an object to its place in the text.

use crate::gateway::admit::{Path, Step};
use crate::yaml::{Data, Node, Span};

/// Where a path leads, or where it ends because the text has no more of it.
pub(super) fn of(node: &Node, path: &Path, at_name: bool) -> Span {
    let mut here = node;
    let mut span = node.span;
    for step in &path.0 {
        let next = match (&here.data, step) {
            (Data::Map(entries), Step::Field(name) | Step::Key(name)) => {
                let Some(entry) = entries.iter().find(|entry| entry.key == *name) else {
                    return span;
                };
                span = entry.key_span;
                &entry.value
            }
            (Data::List(items), Step::Index(index)) => {
                let Some(item) = items.get(*index) else {
                    return span;
                };
                span = item.span;
                item
            }
            _ => return span,
        };
        here = next;
    }
    // A scalar is pointed at itself, a list or a map at its key.
    match here.data {
        Data::Scalar(_) if here.span.line == span.line && !at_name => here.span,
        Data::Scalar(_) | Data::List(_) | Data::Map(_) => span,
    }
}
