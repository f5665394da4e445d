//! What a row tells of a route: reckoned from the proxy's counts, or from its log where there are none.

use super::state::{Route, State};
use crate::diagnose::counts::Counts;
use crate::diagnose::log::Line;
use crate::verify::check::Verdict;
use std::collections::BTreeMap;

pub struct Row {
    pub path: String,
    pub model: String,
    /// How the last request of a caller went; before there was one, the last proof.
    pub mark: Verdict,
    pub counts: Counts,
    /// Requests a second between the last two looks; nothing before there were two.
    pub rate: Option<f64>,
    /// Seconds, of the last minute; of all requests where it had none.
    pub half: Option<f64>,
    pub most: Option<f64>,
    /// Status and reason of the last answer that was none.
    pub reason: String,
}

/// All routes as one row, then each.
pub fn rows(state: &State) -> Vec<Row> {
    let routes = state.routes();
    let all: Vec<&Route> = routes.iter().collect();
    let mut rows = vec![row(state, "all routes", &all)];
    rows.extend(routes.iter().map(|route| Row {
        model: route.model.clone(),
        ..row(state, &route.path, &[route])
    }));
    rows
}

fn row(state: &State, title: &str, routes: &[&Route]) -> Row {
    let of_routes = |line: &&Line| routes.iter().any(|r| line.is_of(&r.name, &r.path));
    let log = state.looked.iter().flat_map(|looked| &looked.log).flatten();
    let log: Vec<&Line> = log.filter(of_routes).collect();
    let at = |place: Option<usize>| {
        let (at, counts) = place.and_then(|place| state.past.get(place))?;
        Some((*at, sum(counts, routes)))
    };
    let count = state.past.len();
    let newest = at(count.checked_sub(1));
    let read = Counts::of(&log);
    let counts = match &newest {
        Some((_, counts)) => filled(counts, &read),
        None => read.clone(),
    };
    let rate = at(count.checked_sub(2)).zip(newest.as_ref()).map(|(a, b)| {
        let span = b.0.saturating_sub(a.0).as_secs_f64().max(0.001);
        b.1.since(&a.1).requests as f64 / span
    });
    let minute = at(Some(0)).map(|(_, first)| counts.since(&first));
    let recent = minute.filter(|recent| recent.requests > 0);
    let timed = recent
        .as_ref()
        .filter(|recent| recent.quantile(0.5).is_some());
    let timed = timed.unwrap_or(&counts);
    // A proof asks for refusals too, which are as they should be.
    let theirs = |line: &&&Line| !line.is_own();
    let theirs: Vec<&Line> = log.iter().filter(theirs).copied().collect();
    let mark = match theirs.last() {
        Some(line) if line.is_error() => Verdict::Fail,
        Some(_) => Verdict::Pass,
        None => proved(state, routes),
    };
    let wrong = theirs.iter().rev().find(|line| line.is_error());
    Row {
        path: title.to_string(),
        model: String::new(),
        mark,
        rate,
        half: timed.quantile(0.5),
        most: timed.quantile(0.95),
        reason: wrong.map(|line| reason(line)).unwrap_or_default(),
        counts,
    }
}

/// Counts with what a proxy may leave out of them for a route, from its log.
fn filled(counts: &Counts, read: &Counts) -> Counts {
    let mut counts = counts.clone();
    if counts.buckets.is_empty() {
        counts.buckets.clone_from(&read.buckets);
    }
    if counts.input + counts.output == 0 {
        (counts.input, counts.output) = (read.input, read.output);
    }
    counts
}

/// What the last proof says of these routes.
fn proved(state: &State, routes: &[&Route]) -> Verdict {
    let proof = state.looked.iter().flat_map(|looked| &looked.proof);
    let verdicts = proof.flat_map(|proof| &proof.routes);
    let of_routes = verdicts.filter(|(path, _)| routes.iter().any(|route| route.path == *path));
    let mut told = Verdict::Skip;
    for (_, verdict) in of_routes {
        match verdict {
            Verdict::Fail => return Verdict::Fail,
            Verdict::Pass => told = Verdict::Pass,
            Verdict::Warn | Verdict::Skip => {}
        }
    }
    told
}

fn sum(counts: &BTreeMap<String, Counts>, routes: &[&Route]) -> Counts {
    let mut keys: Vec<&str> = routes.iter().map(|route| route.key.as_str()).collect();
    keys.sort_unstable();
    // Two paths of one HTTPRoute are counted together.
    keys.dedup();
    let mut all = Counts::default();
    for counts in keys.iter().filter_map(|key| counts.get(*key)) {
        all.add(counts);
    }
    all
}

/// `503 UpstreamFailure: upstream call failed`.
fn reason(line: &Line) -> String {
    let field = |name: &str| line.field(name).filter(|text| !text.is_empty());
    let head: Vec<&str> = [field("http.status"), field("reason")]
        .into_iter()
        .flatten()
        .collect();
    let head = head.join(" ");
    let said = super::plain(field("error").unwrap_or(&line.message));
    match (head.as_str(), field("error")) {
        ("", _) => said,
        (_, None) => head,
        (_, Some(_)) => format!("{head}: {said}"),
    }
}
