//! Names of objects (Kubernetes, "Object Names and IDs").

use serde_json::Value;

use super::{Fault, Path, Step};
use crate::gateway::object::text;

/// Whether the name and the namespace are such as an API server takes.
pub(super) fn check(kind: &str, metadata: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut judge = |field: &str, good: bool, rule: &str| {
        let name = text(metadata, &[field]);
        if !name.is_empty() && !good {
            faults.push(Fault {
                path: Path(vec![
                    Step::Field("metadata".to_string()),
                    Step::Field(field.to_string()),
                ]),
                what: format!("Invalid value: {name:?}: {rule}"),
                hint: String::new(),
                at_name: false,
            });
        }
    };
    let name = text(metadata, &["name"]);
    match kind {
        "Service" => judge(
            "name",
            is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()),
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
        ),
        "Namespace" => judge("name", is_label(name), LABEL),
        _ => judge(
            "name",
            name.split('.').all(is_label),
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        ),
    }
    judge("namespace", is_label(text(metadata, &["namespace"])), LABEL);
    faults
}

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";

fn is_label(word: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !word.is_empty() && word.chars().all(inner) && !word.starts_with('-') && !word.ends_with('-')
}
