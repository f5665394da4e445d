//! The lines of a run: a phase begins with its first step and ends with its last.

use super::perform::Done;
use crate::event::{Sink, Task};
use crate::plan::outcome::Change;
use crate::plan::{Phase, Step};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub struct Phases<'a> {
    steps: &'a [&'a Step],
    sink: &'a Sink,
    tasks: Mutex<BTreeMap<Phase, Task>>,
}

impl<'a> Phases<'a> {
    pub fn new(steps: &'a [&'a Step], sink: &'a Sink) -> Self {
        Phases {
            steps,
            sink,
            tasks: Mutex::new(BTreeMap::new()),
        }
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<Phase, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self, phase: Phase) {
        self.tasks()
            .entry(phase)
            .or_insert_with(|| self.sink.begin(phase.name()));
    }

    pub fn waiting(&self, phase: Phase, reason: String) {
        if let Some(task) = self.tasks().get(&phase) {
            task.waiting(reason);
        }
    }

    /// Why, the error itself tells right after.
    pub fn fail(&self, phase: Phase) {
        if let Some(task) = self.tasks().remove(&phase) {
            task.failed("");
        }
    }

    /// Ends a phase whose every step is done.
    pub fn end_if_over(&self, phase: Phase, done: &[Done]) {
        let mine: Vec<&Done> = done.iter().filter(|d| d.phase == phase).collect();
        if mine.len() < self.steps.iter().filter(|step| step.phase == phase).count() {
            return;
        }
        if let Some(task) = self.tasks().remove(&phase) {
            end(task, phase, &mine);
        }
    }
}

/// A run that fails leaves phases open; they are not over, and not failed either.
impl Drop for Phases<'_> {
    fn drop(&mut self) {
        for task in std::mem::take(&mut *self.tasks()).into_values() {
            task.skipped("not finished");
        }
    }
}

fn end(task: Task, phase: Phase, mine: &[&Done]) {
    let detail = detail(phase, mine);
    match mine.iter().all(|d| d.change == Change::Unchanged) {
        true => task.unchanged(detail),
        false => task.done(detail),
    }
}

fn detail(phase: Phase, done: &[&Done]) -> String {
    if phase == Phase::Objects {
        let number = |change| done.iter().filter(|d| d.change == change).count();
        let words = [
            (Change::Created, "created"),
            (Change::Updated, "updated"),
            (Change::Unchanged, "unchanged"),
        ];
        let parts: Vec<String> = words
            .into_iter()
            .map(|(change, word)| (number(change), word))
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        return parts.join(", ");
    }
    let said = done
        .iter()
        .filter(|d| !d.detail.is_empty() && !d.id.ends_with("-crds"));
    let mut details: Vec<&str> = said.map(|d| d.detail.as_str()).collect();
    details.dedup();
    details.join(", ")
}
