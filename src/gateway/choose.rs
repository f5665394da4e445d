//! Which listener and which rule a request belongs to, by Gateway API's precedence.

use std::cmp::Reverse;

use http::Method;
use http::header::HeaderMap;

use super::config::{Candidate, Listener, Matcher, ValueMatch, WeightedBackend};
use super::host::{covers, specificity};

/// The parts of a request that decide where it goes.
pub(super) struct Asked<'a> {
    pub host: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

/// The most specific listener for a host; the first of equals.
pub(super) fn listener<'a>(listeners: &'a [Listener], host: &str) -> Option<&'a Listener> {
    let mut best: Option<&Listener> = None;
    for candidate in listeners.iter().filter(|l| covers(&l.hostname, host)) {
        let better =
            |best: &Listener| specificity(&candidate.hostname) > specificity(&best.hostname);
        if best.is_none_or(better) {
            best = Some(candidate);
        }
    }
    best
}

/// The rule that a request matched: candidates are already in order of precedence.
pub(super) fn rule<'a>(listener: &'a Listener, asked: &Asked<'_>) -> Option<&'a Candidate> {
    listener.candidates.iter().find(|candidate| {
        covers(&candidate.hostname, asked.host) && candidate.matcher.matches(asked)
    })
}

/// Puts candidates in order of precedence. Equals keep their order: oldest route first, then by
/// name, then by the rule's place in its route.
pub(super) fn sort(candidates: &mut [Candidate]) {
    candidates.sort_by_key(|candidate| Reverse(rank(candidate)));
}

type Rank = ((u8, usize), (u8, usize), bool, usize, usize);

fn rank(candidate: &Candidate) -> Rank {
    let matcher = &candidate.matcher;
    (
        specificity(&candidate.hostname),
        matcher.path.rank(),
        matcher.method.is_some(),
        matcher.headers.len(),
        matcher.query.len(),
    )
}

impl Matcher {
    pub(super) fn matches(&self, asked: &Asked<'_>) -> bool {
        self.path.matches(asked.path)
            && self
                .method
                .as_ref()
                .is_none_or(|method| method == asked.method)
            && self.headers.iter().all(|(name, wanted)| {
                let values = asked.headers.get_all(name).iter();
                let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
                !values.is_empty() && wanted.matches(&values.join(","))
            })
            && self.query.iter().all(|(name, wanted)| {
                let query = url::form_urlencoded::parse(asked.query.unwrap_or("").as_bytes());
                let mut named = query.filter(|(key, _)| key == name);
                named
                    .next()
                    .is_some_and(|(_, value)| wanted.matches(&value))
            })
    }
}

impl ValueMatch {
    fn matches(&self, value: &str) -> bool {
        match self {
            ValueMatch::Exact(wanted) => value == wanted,
            ValueMatch::Regex(regex) => regex.is_match(value),
        }
    }
}

/// Picks by weight; none when all weigh nothing (facts 9.7 `no valid backends`).
pub(super) fn backend(backends: &[WeightedBackend]) -> Option<&WeightedBackend> {
    let total: u64 = backends.iter().map(|b| u64::from(b.weight)).sum();
    match (total, backends) {
        (0, _) => None,
        (_, [only]) => Some(only),
        _ => {
            let mut left = rand::random_range(0..total);
            backends.iter().find(|backend| {
                let weight = u64::from(backend.weight);
                let found = left < weight;
                left = left.saturating_sub(weight);
                found
            })
        }
    }
}
