//! How far a log has been read: read again from there, no line is lost and none comes twice.

use super::log::whole;
use k8s_openapi::jiff::Timestamp;
use std::collections::HashMap;

/// The place in one log. The kubelet gives a log from a whole second on, and lines of stdout and stderr
/// may stand in the wrong order: lines of the last moments are kept to know them again.
#[derive(Debug, Clone, Default)]
pub struct Mark {
    since: Option<Timestamp>,
    /// Lines from `since` on, with their seconds.
    last: Vec<(Timestamp, String)>,
    /// How often each of them has yet to come again in this reading.
    expected: HashMap<String, usize>,
}

/// How much later than a line one of an earlier time may stand, in seconds.
const DISORDER: i64 = 1;

impl Mark {
    /// Of a log of which nothing is wanted that was written before.
    pub fn from(at: Timestamp) -> Mark {
        Mark {
            since: Some(whole(at)),
            ..Mark::default()
        }
    }

    /// From when on the log is to be read again; nothing where none of it was.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// The log is read again from `since` on.
    pub fn again(&mut self) {
        self.expected.clear();
        for (_, line) in &self.last {
            *self.expected.entry(line.clone()).or_default() += 1;
        }
    }

    /// Whether a line was not read before. A line without a time is of the moment of the one before it.
    pub fn is_new(&mut self, line: &str) -> bool {
        if let Some(count) = self.expected.get_mut(line).filter(|count| **count > 0) {
            *count -= 1;
            return false;
        }
        let latest = self.last.last().map(|(at, _)| *at);
        let Some(at) = time(line).map(whole).or(latest) else {
            return true;
        };
        let since = Timestamp::from_second(at.as_second() - DISORDER).unwrap_or(at);
        if self.since.is_none_or(|before| before < since) {
            self.since = Some(since);
            self.last.retain(|(at, _)| *at >= since);
        }
        if Some(at) >= self.since {
            self.last.push((at, line.to_string()));
        }
        true
    }
}

fn time(line: &str) -> Option<Timestamp> {
    line.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: [&str; 9] = [
        "2026-11-26T05:00:00.900000000Z first",
        "2026-11-26T05:00:01.100000000Z second",
        "2026-11-26T05:00:01.100000000Z second",
        "2026-11-26T05:00:01.300000000Z third",
        "2026-11-26T05:00:01.200000000Z of the other stream",
        "without a time",
        "2026-11-26T05:00:02.000000000Z fourth",
        "2026-11-26T05:00:01.999999999Z late, of the other stream",
        "2026-11-26T05:00:04.000000000Z fifth",
    ];

    /// As the kubelet gives it: whole lines from a second on.
    fn from(since: Option<Timestamp>) -> impl Iterator<Item = &'static str> {
        let mut last = None;
        LOG.into_iter().filter(move |line| {
            last = time(line).or(last);
            since.is_none_or(|since| last >= Some(since))
        })
    }

    #[test]
    fn wherever_a_reading_breaks_off_the_next_tells_the_rest_and_nothing_twice() {
        for cut in 0..=LOG.len() {
            for second in 0..=LOG.len() {
                let mut mark = Mark::default();
                let mut told: Vec<&str> = LOG[..cut]
                    .iter()
                    .copied()
                    .filter(|line| mark.is_new(line))
                    .collect();
                // The second reading breaks off too.
                for length in [second, LOG.len()] {
                    mark.again();
                    let since = mark.since();
                    let read: Vec<&str> = from(since).take(length).collect();
                    told.extend(read.into_iter().filter(|line| mark.is_new(line)));
                }
                assert_eq!(told, LOG, "cut after {cut}, then after {second}");
            }
        }
    }

    #[test]
    fn time_is_asked_for_from_a_whole_second_that_is_not_later() {
        let mut mark = Mark::default();
        assert!(mark.is_new("2026-11-26T05:00:01.900000000Z late"));
        assert_eq!(mark.since().unwrap().to_string(), "2026-11-26T05:00:00Z");
    }
}
