//! Rules about what is said: patterns that are rejected or masked.

use super::PromptGuard;
use crate::profile::field::{Field, Fields};
use crate::profile::problem::quote;
use crate::profile::value::filled;

pub fn guard(field: &Field) -> Option<PromptGuard> {
    const KNOWN: [&str; 6] = [
        "reject",
        "mask",
        "rejectAnswers",
        "maskAnswers",
        "message",
        "status",
    ];
    let fields = field.fields(&KNOWN)?;
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(|f| filled(&f).map(str::to_string))
    };
    let status = fields.get("status");
    let guard = PromptGuard {
        reject: patterns(&fields, "reject"),
        mask: patterns(&fields, "mask"),
        reject_answers: patterns(&fields, "rejectAnswers"),
        mask_answers: patterns(&fields, "maskAnswers"),
        message: text("message"),
        status: status.and_then(|f| f.number("an HTTP status", 200, 599)),
    };
    let lists = [
        &guard.reject,
        &guard.mask,
        &guard.reject_answers,
        &guard.mask_answers,
    ];
    if lists.iter().all(|list| list.is_empty()) && !fields.strange {
        fields.wrong(
            "guards against nothing",
            "for example `{reject: [CreditCard], mask: [Email]}`",
        );
    }
    Some(guard)
}

fn patterns(fields: &Fields, name: &str) -> Vec<String> {
    let items = fields.get(name).map(|field| field.items());
    let pattern = |item: &Field| {
        let text = item.text()?;
        if text.is_empty() {
            item.wrong("is an empty pattern", "it would match everything");
        } else if regex::Regex::new(text).is_err() {
            item.wrong(
                format!("{} is not a regular expression", quote(text)),
                "or one of Ssn, CreditCard, PhoneNumber, Email, CaSin",
            );
        }
        Some(text.to_string())
    };
    items
        .unwrap_or_default()
        .iter()
        .filter_map(pattern)
        .collect()
}
