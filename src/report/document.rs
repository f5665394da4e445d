//! The one shape of every `-o json` answer.
//!
//! `apiVersion`, `kind: Report`, `command`, `environment`, `ok` and `exitCode` are always there. The
//! rest is there where the command has it: `target`, `baseUrl`, `changes` (of `up` and `down`),
//! `steps` and `objects` (of `plan`), `status` (of `status`), `findings` (every proof), `error`.

use crate::apply::perform::Done;
use crate::apply::record::API_VERSION;
use crate::apply::undo::Fate;
use crate::error::{Error, Exit};
use crate::plan::outcome::{Change, Undone};
use crate::plan::survey::Survey;
use crate::plan::{Plan, Step};
use crate::target::{Support, Target};
use crate::verify::check::{Finding, Verdict};
use serde_json::{Map, Value, json};

/// Built up by a command, written once.
#[derive(Debug, Clone)]
pub struct Document(Map<String, Value>);

impl Document {
    pub fn new(command: &str, environment: &str) -> Self {
        let start = json!({
            "apiVersion": API_VERSION,
            "kind": "Report",
            "command": command,
            "environment": environment,
            "ok": true,
            "exitCode": 0,
        });
        match start {
            Value::Object(fields) => Document(fields),
            _ => Document(Map::new()),
        }
    }

    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_string(), value.into());
        self
    }

    pub fn exit(self, exit: Exit) -> Self {
        self.set("ok", false).set("exitCode", exit.code())
    }

    pub fn findings(self, findings: &[Finding]) -> Self {
        let failed = findings
            .iter()
            .any(|finding| finding.verdict == Verdict::Fail);
        let value = serde_json::to_value(findings).unwrap_or_default();
        let document = self.set("findings", value);
        if failed {
            document.exit(Exit::NotProved)
        } else {
            document
        }
    }

    pub fn changes(self, done: &[Done]) -> Self {
        let changes: Vec<Value> = done
            .iter()
            .map(|d| json!({"id": d.id, "phase": d.phase.name(), "change": change(d.change), "detail": d.detail}))
            .collect();
        self.set("changes", changes)
    }

    pub fn fates(self, fates: &[Fate]) -> Self {
        let changes: Vec<Value> = fates
            .iter()
            .map(|fate| {
                let (change, detail) = match &fate.undone {
                    Undone::Removed => ("removed", ""),
                    Undone::Absent => ("absent", ""),
                    Undone::Kept(reason) => ("kept", reason.as_str()),
                };
                json!({"id": fate.thing.title(), "change": change, "detail": detail})
            })
            .collect();
        self.set("changes", changes)
    }

    /// The plan, with what the target says of each step before anything changes.
    pub fn plan(self, plan: &Plan, target: &dyn Target) -> Self {
        let step = |step: &Step| {
            let (support, why) = match target.support(step) {
                Support::Native => ("native", None),
                Support::Skip(why) => ("skip", Some(why)),
                Support::Refuse(error) => ("refuse", Some(error.what)),
            };
            json!({"id": step.id, "phase": step.phase.name(), "support": support, "why": why})
        };
        let steps: Vec<Value> = plan.steps.iter().map(step).collect();
        let objects: Vec<Value> = plan.objects().cloned().collect();
        let notes: Vec<Value> = plan.notes.iter().map(|note| json!(note)).collect();
        self.set("target", plan.place())
            .set("steps", steps)
            .set("objects", objects)
            .set("notes", notes)
    }

    pub fn survey(self, survey: &Survey) -> Self {
        let parts: Vec<Value> = survey
            .parts
            .iter()
            .map(|part| json!({"sort": part.sort, "name": part.name, "version": part.version, "state": part.state}))
            .collect();
        let objects: Vec<Value> = survey
            .objects
            .iter()
            .map(|object| {
                let conditions: Vec<Value> = object
                    .conditions
                    .iter()
                    .map(|c| json!({"type": c.kind, "status": c.status, "reason": c.reason, "message": c.message}))
                    .collect();
                json!({"kind": object.kind, "name": object.name, "conditions": conditions})
            })
            .collect();
        self.set("status", json!({"alive": survey.alive, "detail": survey.detail, "parts": parts, "objects": objects}))
    }

    pub fn error(self, error: &Error) -> Self {
        self.exit(error.exit).set(
            "error",
            json!({"what": error.what, "facts": error.facts, "next": error.next}),
        )
    }

    /// One pretty-printed JSON object.
    pub fn text(&self) -> String {
        format!("{:#}\n", Value::Object(self.0.clone()))
    }
}

fn change(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Updated => "updated",
        Change::Unchanged => "unchanged",
    }
}
