//! YAML as one would apply it to a cluster, as objects for the gateway. What can't be taken is told
//! with its file and line, and nothing is dropped in silence.

mod kind;
mod mask;
mod place;
mod read;
mod source;
mod standing;
mod watch;

use std::collections::BTreeMap;

use serde_json::Value;

use super::object::Id;
use crate::profile::problem::{self, Problem};
use crate::yaml::Node;

pub use source::{Source, load};
pub use watch::Stamp;

/// How much a notice weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// An API server would refuse this.
    Refused,
    /// It is taken, or left aside, with another effect than it might be hoped.
    Warned,
}

/// Something to be told of one place in one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub weight: Weight,
    /// Which of the input's sources.
    pub source: usize,
    pub problem: Problem,
    /// Whether the line itself may be shown: it may hold a key where the text could not be read.
    is_shown: bool,
}

/// One object, and where it is written.
#[derive(Debug, Clone)]
pub struct Given {
    pub id: Id,
    pub object: Value,
    source: usize,
    node: Node,
}

/// All that was given, and all that is to be told of it.
#[derive(Debug, Clone, Default)]
pub struct Input {
    pub sources: Vec<Source>,
    pub objects: Vec<Given>,
    pub notices: Vec<Notice>,
    /// Sources that hold a profile instead.
    profiles: Vec<usize>,
}

impl Input {
    /// Reads every document of every source. Objects without a namespace go into `namespace`.
    pub fn read(sources: Vec<Source>, namespace: &str) -> Input {
        read::read(sources, namespace)
    }

    /// The objects alone.
    pub fn values(&self) -> Vec<Value> {
        self.objects
            .iter()
            .map(|given| given.object.clone())
            .collect()
    }

    /// The first source that holds a profile instead of objects.
    pub fn profile(&self) -> Option<&Source> {
        self.sources.get(*self.profiles.first()?)
    }

    /// Notes what the gateway says of each object, as a controller writes it into a status.
    pub fn note_standing(&mut self, status: &BTreeMap<Id, Value>) {
        let told = self
            .objects
            .iter()
            .flat_map(|given| standing::of(given, status.get(&given.id)));
        let told: Vec<Notice> = told.collect();
        self.notices.extend(told);
    }

    pub fn count(&self, weight: Weight) -> usize {
        self.notices
            .iter()
            .filter(|notice| notice.weight == weight)
            .count()
    }

    /// Every notice of one weight, with the source that it is about.
    pub fn told(&self, weight: Weight) -> impl Iterator<Item = (&Source, &Problem)> {
        let told = self.notices.iter().filter(move |n| n.weight == weight);
        told.filter_map(|notice| Some((self.sources.get(notice.source)?, &notice.problem)))
    }

    /// Every notice of one weight with its line, in the order of the sources.
    pub fn lines(&self, weight: Weight) -> Vec<String> {
        let mut lines = Vec::new();
        for (index, source) in self.sources.iter().enumerate() {
            let of_source = self
                .notices
                .iter()
                .filter(|notice| notice.weight == weight && notice.source == index);
            let (shown, bare): (Vec<&Notice>, Vec<&Notice>) =
                of_source.partition(|notice| notice.is_shown);
            let problems = |notices: Vec<&Notice>| -> Vec<Problem> {
                notices
                    .into_iter()
                    .map(|notice| notice.problem.clone())
                    .collect()
            };
            let masked = match shown.is_empty() {
                true => String::new(),
                false => mask::masked(&source.text),
            };
            lines.extend(problem::render(&problems(bare), &source.origin, ""));
            lines.extend(problem::render(&problems(shown), &source.origin, &masked));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
