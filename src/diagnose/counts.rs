//! What a proxy has counted of each route, from its text for Prometheus: agentgateway's own names, which the
//! embedded gateway bears too (agentgateway v0.12, telemetry/metrics.rs).

use super::log::Line;
use std::collections::BTreeMap;

const REQUESTS: &str = "agentgateway_requests_total";
const SECONDS: &str = "agentgateway_request_duration_seconds_bucket";
const TOKENS: &str = "agentgateway_gen_ai_client_token_usage_sum";

/// Of one route, since its proxy has started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    pub requests: u64,
    /// Answers with a status of 400 and above.
    pub errors: u64,
    pub input: u64,
    pub output: u64,
    /// Upper bounds in seconds, rising, with the number of requests that took no longer.
    pub buckets: Vec<(f64, u64)>,
}

/// By a route's name as the proxy writes it, `NAMESPACE/NAME`. What several proxies say, one after another,
/// is summed up; a line of no known form is left out.
pub fn parse(text: &str) -> BTreeMap<String, Counts> {
    let mut routes: BTreeMap<String, Counts> = BTreeMap::new();
    for (name, labels, value) in text.lines().filter_map(series) {
        if ![REQUESTS, SECONDS, TOKENS].contains(&name) {
            continue;
        }
        let label = |name: &str| {
            let found = labels.iter().find(|(key, _)| key == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let counts = routes.entry(label("route").to_string()).or_default();
        match (name, label("gen_ai_token_type")) {
            (REQUESTS, _) => {
                counts.requests = counts.requests.saturating_add(value);
                if label("status")
                    .parse()
                    .is_ok_and(|status: u16| status >= 400)
                {
                    counts.errors = counts.errors.saturating_add(value);
                }
            }
            (SECONDS, _) => {
                if let Ok(bound) = label("le").parse() {
                    counts.bucket(bound, value);
                }
            }
            (_, "input") => counts.input = counts.input.saturating_add(value),
            (_, "output") => counts.output = counts.output.saturating_add(value),
            _ => {}
        }
    }
    routes
}

impl Counts {
    /// What these lines of an access log come to.
    pub fn of(lines: &[&Line]) -> Counts {
        let mut counts = Counts::default();
        let mut times = Vec::new();
        for line in lines {
            let number = |name: &str| line.field(name).and_then(|n| n.parse::<u64>().ok());
            let Some(status) = number("http.status") else {
                continue;
            };
            counts.requests += 1;
            counts.errors += u64::from(status >= 400);
            let tokens = |name: &str| number(name).unwrap_or(0);
            let (input, output) = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens");
            counts.input = counts.input.saturating_add(tokens(input));
            counts.output = counts.output.saturating_add(tokens(output));
            times.extend(line.field("duration").and_then(seconds));
        }
        times.sort_by(f64::total_cmp);
        for (place, time) in times.iter().enumerate() {
            match counts.buckets.last_mut() {
                Some((bound, count)) if bound == time => *count = place as u64 + 1,
                // Times are known to the millisecond: nothing lies between two of them.
                _ => {
                    counts.buckets.push((time.next_down(), place as u64));
                    counts.buckets.push((*time, place as u64 + 1));
                }
            }
        }
        counts
    }

    fn bucket(&mut self, bound: f64, count: u64) {
        let place = self.buckets.binary_search_by(|(b, _)| b.total_cmp(&bound));
        match place {
            Ok(place) => {
                if let Some((_, all)) = self.buckets.get_mut(place) {
                    *all = all.saturating_add(count);
                }
            }
            Err(place) => self.buckets.insert(place, (bound, count)),
        }
    }

    /// What came after an earlier look. A proxy that has started anew counts from nothing.
    pub fn since(&self, earlier: &Counts) -> Counts {
        if self.requests < earlier.requests {
            return self.clone();
        }
        let before = |bound: f64| {
            let found = earlier.buckets.iter().find(|(b, _)| *b == bound);
            found.map_or(0, |(_, count)| *count)
        };
        let buckets = self.buckets.iter();
        Counts {
            requests: self.requests - earlier.requests,
            errors: self.errors.saturating_sub(earlier.errors),
            input: self.input.saturating_sub(earlier.input),
            output: self.output.saturating_sub(earlier.output),
            buckets: buckets
                .map(|(bound, count)| (*bound, count.saturating_sub(before(*bound))))
                .collect(),
        }
    }

    pub fn add(&mut self, other: &Counts) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        for (bound, count) in &other.buckets {
            self.bucket(*bound, *count);
        }
    }

    /// Seconds that this part of the requests did not exceed, as Prometheus' `histogram_quantile` reckons:
    /// evenly within a bucket, and no more than the last finite bound.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let all = self.buckets.last().map_or(0, |(_, count)| *count);
        if all == 0 {
            return None;
        }
        let rank = part * all as f64;
        let (mut low, mut below) = (0.0, 0);
        for (bound, count) in &self.buckets {
            if *count as f64 >= rank {
                if bound.is_infinite() {
                    return Some(low);
                }
                let inside = count.saturating_sub(below).max(1) as f64;
                return Some(low + (bound - low) * (rank - below as f64) / inside);
            }
            (low, below) = (*bound, *count);
        }
        Some(low)
    }
}

/// `11ms` as the access log has it.
fn seconds(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix("ms")?.parse().ok()?;
    Some(number / 1000.0)
}

type Labels = Vec<(String, String)>;

/// `name{label="value",…} number`; a comment is none.
fn series(line: &str) -> Option<(&str, Labels, u64)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, rest) = labels(rest)?;
    let number: f64 = rest.split_whitespace().next()?.parse().ok()?;
    // Counts are whole and fit; what is not a number is nothing.
    Some((name, labels, number as u64))
}

/// Up to the closing brace, and what follows it.
fn labels(text: &str) -> Option<(Labels, &str)> {
    let (mut labels, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (key, after) = rest.split_once("=\"")?;
        let (mut value, mut escaped, mut end) = (String::new(), false, None);
        for (at, character) in after.char_indices() {
            match character {
                'n' if escaped => value.push('\n'),
                other if escaped => value.push(other),
                '\\' => {}
                '"' => {
                    end = Some(at + 1);
                    break;
                }
                other => value.push(other),
            }
            escaped = character == '\\' && !escaped;
        }
        labels.push((key.trim().to_string(), value));
        rest = after.get(end?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = r#"# TYPE agentgateway_requests counter
agentgateway_requests_total{backend="b",status="200",reason="unknown",route="n/one",route_rule="unknown"} 8
agentgateway_requests_total{backend="b",status="503",reason="UpstreamFailure",route="n/one",route_rule="unknown"} 2
agentgateway_request_duration_seconds_bucket{le="0.1",status="200",route="n/one"} 4
agentgateway_request_duration_seconds_bucket{le="0.5",status="200",route="n/one"} 8
agentgateway_request_duration_seconds_bucket{le="+Inf",status="200",route="n/one"} 8
agentgateway_request_duration_seconds_bucket{le="0.1",status="503",route="n/one"} 1
agentgateway_request_duration_seconds_bucket{le="0.5",status="503",route="n/one"} 1
agentgateway_request_duration_seconds_bucket{le="+Inf",status="503",route="n/one"} 2
agentgateway_gen_ai_client_token_usage_sum{gen_ai_token_type="input",gen_ai_request_model="a\"} 1\\",route="n/one"} 54.0
agentgateway_gen_ai_client_token_usage_sum{gen_ai_token_type="output",route="n/one"} 96.0
agentgateway_requests_total{status="404",route="unknown"} 3
# EOF
"#;

    fn one() -> Counts {
        parse(TEXT).remove("n/one").unwrap()
    }

    #[test]
    fn series_of_one_route_are_summed_up_whatever_else_tells_them_apart() {
        let counts = one();
        assert_eq!((counts.requests, counts.errors), (10, 2));
        assert_eq!((counts.input, counts.output), (54, 96));
        assert_eq!(counts.buckets, [(0.1, 5), (0.5, 9), (f64::INFINITY, 10)]);
        let two = parse(&format!("{TEXT}{TEXT}"));
        assert_eq!(two["n/one"].requests, 20);
        assert_eq!(two["unknown"].errors, 6);
    }

    #[test]
    fn quantiles_are_as_prometheus_reckons_them() {
        let counts = one();
        // Rank 5 of 10 is the end of the first bucket; rank 7 lies in the middle of the second.
        assert_eq!(counts.quantile(0.5), Some(0.1));
        assert!((counts.quantile(0.7).unwrap() - 0.3).abs() < 1e-9);
        assert_eq!(counts.quantile(0.95), Some(0.5));
        assert_eq!(Counts::default().quantile(0.5), None);
    }

    #[test]
    fn lines_of_a_log_come_to_the_same_where_nothing_counts() {
        let line = |rest: &str| {
            let text = format!("2026-11-23T18:37:31.7Z\tinfo\trequest route=n/one {rest}");
            crate::diagnose::log::parse("proxy", &text)
        };
        let lines = [
            line(
                "http.status=200 gen_ai.usage.input_tokens=6 gen_ai.usage.output_tokens=16 duration=11ms",
            ),
            line("http.status=503 duration=40ms"),
        ];
        let counts = Counts::of(&lines.iter().collect::<Vec<_>>());
        assert_eq!((counts.requests, counts.errors), (2, 1));
        assert_eq!((counts.input, counts.output), (6, 16));
        assert_eq!(counts.quantile(0.5), Some(0.011));
        let most = counts.quantile(0.95).unwrap();
        assert!((most - 0.04).abs() < 1e-9, "{most}");
    }

    #[test]
    fn a_look_tells_what_came_after_an_earlier_one_and_a_new_proxy_counts_from_nothing() {
        let mut later = one();
        later.add(&one());
        assert_eq!(later.since(&one()), one());
        assert_eq!(one().since(&later), one());
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(agentgateway_requests_total|x)?[{}=\",\\\\a-z0-9 .+#\n]{0,80}") {
            parse(&text);
        }

        #[test]
        fn a_quantile_lies_between_nothing_and_the_last_bound(counts in proptest::collection::vec(0u64..9, 4), part in 0.0f64..1.0) {
            let mut sum = 0;
            let bounds = [0.1, 1.0, 5.0, f64::INFINITY];
            let buckets = bounds.iter().zip(counts).map(|(bound, count)| { sum += count; (*bound, sum) }).collect();
            let counts = Counts { buckets, ..Counts::default() };
            if let Some(seconds) = counts.quantile(part) {
                prop_assert!((0.0..=5.0).contains(&seconds), "{seconds}");
            }
        }
    }
}
