//! Fields that somebody changed behind our back.

use super::style::Look;
use crate::text;
use crate::verify::drift::Drift;
use serde_json::Value;

/// Field by field: who changed what, and when.
pub fn drift(all: &[Drift], look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    for drift in all.iter().filter(|drift| !drift.missing) {
        lines.push(format!(
            "{} {} is not as applied",
            look.warned(),
            drift.thing.title()
        ));
        for field in &drift.fields {
            let said = |value: &Option<Value>| {
                let shown = value.as_ref();
                shown.map_or("nothing".to_string(), |v| text::excerpt(&v.to_string(), 50))
            };
            let who = match (&field.by, &field.at) {
                (Some(by), Some(at)) => format!("  {by}, {at}"),
                (Some(by), None) => format!("  {by}"),
                (None, _) => String::new(),
            };
            lines.push(format!(
                "    {}: {}, applied {}{}",
                field.path,
                said(&field.live),
                said(&field.planned),
                look.dim(&who)
            ));
        }
    }
    lines
}
