//! `gw explain [CODE]`: the story of a rule, from the rule itself.

use super::Outcome;
use super::session::Session;
use crate::cli::Explain;
use crate::diagnose::rule::{self, Rule};
use crate::error::Error;
use crate::report::debug;
use crate::report::document::Document;
use crate::text;
use serde_json::{Value, json};

pub fn run(session: &Session, options: &Explain) -> Outcome {
    let Some(code) = &options.code else {
        match session.is_json() {
            true => {
                let rules: Vec<Value> = rule::all().map(value).collect();
                session.write(
                    &Document::new("explain", &session.global.env)
                        .set("rules", rules)
                        .text(),
                );
            }
            false => session.write(&debug::list(session.out)),
        }
        return Ok(None);
    };
    let Some(rule) = rule::named(code) else {
        let near: Vec<&str> = rule::all()
            .map(|rule| rule.code)
            .filter(|known| near(known, code))
            .collect();
        let error = Error::usage(format!("there is no rule {code}"), "gw explain");
        return Err(match near.is_empty() {
            true => error,
            false => error.fact(format!("near it: {}", text::list(&near))),
        });
    };
    match session.is_json() {
        true => session.write(
            &Document::new("explain", &session.global.env)
                .set("rule", value(rule))
                .text(),
        ),
        false => session.write(&debug::story(rule, session.out)),
    }
    Ok(None)
}

/// One digit away.
fn near(known: &str, typed: &str) -> bool {
    let typed = typed.to_ascii_uppercase();
    let differs = known
        .chars()
        .zip(typed.chars())
        .filter(|(a, b)| a != b)
        .count();
    known.len() == typed.len() && differs == 1
}

fn value(rule: &Rule) -> Value {
    let story: Vec<&str> = rule.story.split_whitespace().collect();
    json!({"code": rule.code, "title": rule.title, "severity": rule.severity, "story": story.join(" "), "explains": rule.explains})
}
