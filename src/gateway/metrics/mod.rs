//! Counts for Prometheus, under the real proxy's names (agentgateway v0.12, telemetry/metrics.rs).

mod histogram;
mod key;

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::config::Config;
use histogram::Histogram;
pub(super) use key::{ModelKey, RequestKey, Way};

/// The most that one family may hold: a client can name any model, and must not fill our memory with it.
const MOST: usize = 2000;

const REQUEST_SECONDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 80.0,
];
/// OpenTelemetry's semantic conventions for generative AI, as the real proxy has them.
const MODEL_SECONDS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

#[derive(Debug, Default)]
struct Series {
    requests: HashMap<RequestKey, Histogram>,
    models: HashMap<ModelKey, Model>,
    connections: HashMap<Way, u64>,
    /// What did not fit.
    dropped: u64,
}

#[derive(Debug)]
struct Model {
    seconds: Histogram,
    input: Histogram,
    output: Histogram,
}

#[derive(Debug, Default)]
pub(super) struct Metrics {
    series: Mutex<Series>,
    open: AtomicU64,
}

/// A call to a model, and the tokens that it took.
pub(super) struct Call {
    pub key: ModelKey,
    pub input: Option<u64>,
    pub output: Option<u64>,
}

/// A connection that is counted as open until this is dropped.
pub(super) struct OpenConnection<'a>(&'a AtomicU64);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    fn series(&self) -> MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection to a port; until a request names a host, it belongs to the port's first listener.
    pub fn connection(&self, config: &Config, port: u16) -> OpenConnection<'_> {
        let first = config.listeners.get(&port).and_then(|all| all.first());
        let way = Way {
            port,
            gateway: first.map(|listener| listener.gateway.clone()),
            listener: first.map(|listener| listener.name.clone()),
            route: None,
        };
        self.open.fetch_add(1, Ordering::Relaxed);
        let mut series = self.series();
        let Series {
            connections,
            dropped,
            ..
        } = &mut *series;
        if let Some(count) = slot(connections, way, dropped, || 0) {
            *count += 1;
        }
        OpenConnection(&self.open)
    }

    /// Counts a request, and the call to a model that it came to, if it did.
    pub fn request(&self, key: RequestKey, call: Option<Call>, took: Duration) {
        let mut series = self.series();
        let Series {
            requests,
            models,
            dropped,
            ..
        } = &mut *series;
        if let Some(times) = slot(requests, key, dropped, || Histogram::new(REQUEST_SECONDS)) {
            times.add(took.as_secs_f64());
        }
        let Some(Call { key, input, output }) = call else {
            return;
        };
        let new = || Model {
            seconds: Histogram::new(MODEL_SECONDS),
            input: Histogram::new(TOKENS),
            output: Histogram::new(TOKENS),
        };
        if let Some(model) = slot(models, key, dropped, new) {
            model.seconds.add(took.as_secs_f64());
            for (tokens, histogram) in [(input, &mut model.input), (output, &mut model.output)] {
                if let Some(tokens) = tokens {
                    histogram.add(tokens as f64);
                }
            }
        }
    }

    /// Everything in Prometheus' text format.
    pub fn text(&self) -> String {
        let series = self.series();
        let mut out = Text(String::new());
        out.family("build", "Agentgateway build information", "gauge");
        let tag = env!("CARGO_PKG_VERSION");
        out.line(
            "build_info",
            format_args!("tag=\"{tag}\",program=\"gatewright\""),
            1,
        );
        out.family(
            "requests",
            "The total number of HTTP requests sent",
            "counter",
        );
        for (key, times) in sorted(&series.requests) {
            out.line("requests_total", key, times.count());
        }
        out.family(
            "request_duration_seconds",
            "Duration of HTTP requests (seconds)",
            "histogram",
        );
        for (key, times) in sorted(&series.requests) {
            out.histogram("request_duration_seconds", &key.to_string(), times);
        }
        out.family(
            "downstream_connections",
            "The total number of downstream connections established",
            "counter",
        );
        for (way, count) in sorted(&series.connections) {
            out.line(
                "downstream_connections_total",
                format_args!("{way},protocol=\"tcp\""),
                *count,
            );
        }
        out.family(
            "downstream_connections_open",
            "Downstream connections that are open now",
            "gauge",
        );
        out.line(
            "downstream_connections_open",
            "",
            self.open.load(Ordering::Relaxed),
        );
        out.family(
            "series_dropped",
            "Samples that did not fit into a family of bounded size",
            "counter",
        );
        out.line("series_dropped_total", "", series.dropped);
        out.models(&series.models);
        out.0.push_str("# EOF\n");
        out.0
    }
}

/// The place of a key, unless its family is full and does not have it.
fn slot<'a, K: Hash + Eq, V>(
    family: &'a mut HashMap<K, V>,
    key: K,
    dropped: &mut u64,
    new: impl FnOnce() -> V,
) -> Option<&'a mut V> {
    if family.len() >= MOST && !family.contains_key(&key) {
        *dropped += 1;
        return None;
    }
    Some(family.entry(key).or_insert_with(new))
}

fn sorted<K: fmt::Display, V>(family: &HashMap<K, V>) -> Vec<(&K, &V)> {
    let mut all: Vec<(&K, &V)> = family.iter().collect();
    all.sort_by_cached_key(|(key, _)| key.to_string());
    all
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a String can't fail.
        let _ = writeln!(
            self.0,
            "# HELP agentgateway_{name} {help}.\n# TYPE agentgateway_{name} {kind}"
        );
    }

    fn line(&mut self, name: &str, labels: impl fmt::Display, value: impl fmt::Display) {
        let labels = labels.to_string();
        let labels = match labels.as_str() {
            "" => labels,
            _ => format!("{{{labels}}}"),
        };
        let _ = writeln!(self.0, "agentgateway_{name}{labels} {value}");
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        self.line(&format!("{name}_sum"), labels, histogram.sum());
        self.line(&format!("{name}_count"), labels, histogram.count());
        for (bound, count) in histogram.buckets() {
            self.line(
                &format!("{name}_bucket"),
                format_args!("le=\"{bound}\",{labels}"),
                count,
            );
        }
    }

    fn models(&mut self, models: &HashMap<ModelKey, Model>) {
        let name = "gen_ai_client_token_usage";
        self.family(name, "Number of tokens used per request", "histogram");
        for (key, model) in sorted(models) {
            for (sort, histogram) in [("input", &model.input), ("output", &model.output)] {
                if histogram.count() > 0 {
                    self.histogram(
                        name,
                        &format!("gen_ai_token_type=\"{sort}\",{key}"),
                        histogram,
                    );
                }
            }
        }
        let name = "gen_ai_server_request_duration";
        self.family(name, "Duration of generative AI request", "histogram");
        for (key, model) in sorted(models) {
            self.histogram(name, &key.to_string(), &model.seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts one request that asked a model.
    fn ask(metrics: &Metrics, model: &str) {
        let key = ModelKey {
            way: Way::default(),
            operation: "chat",
            provider: "openai",
            asked: model.to_string(),
            answered: None,
        };
        let call = Call {
            key,
            input: Some(9),
            output: None,
        };
        let request = RequestKey {
            way: Way::default(),
            backend: None,
            protocol: "llm",
            method: "POST",
            status: 200,
            reason: "",
        };
        metrics.request(request, Some(call), Duration::from_millis(1));
    }

    #[test]
    fn a_family_is_bounded_and_says_what_it_left_out() {
        let metrics = Metrics::default();
        for number in 0..MOST + 5 {
            ask(&metrics, &number.to_string());
        }
        assert!(
            metrics
                .text()
                .contains("agentgateway_series_dropped_total 5\n")
        );
    }

    #[test]
    fn a_models_name_can_not_break_a_line() {
        let metrics = Metrics::default();
        ask(&metrics, "a\"} 1\nb\\");
        let text = metrics.text();
        assert!(
            text.contains(r#"gen_ai_request_model="a\"} 1\nb\\""#),
            "{text}"
        );
        assert!(
            text.contains(
                "agentgateway_gen_ai_client_token_usage_sum{gen_ai_token_type=\"input\","
            ),
            "{text}"
        );
    }

    #[test]
    fn open_connections_are_counted_until_they_end() {
        let metrics = Metrics::default();
        let config = Config::default();
        let open = metrics.connection(&config, 8080);
        assert!(
            metrics
                .text()
                .contains("agentgateway_downstream_connections_open 1\n")
        );
        drop(open);
        assert!(
            metrics
                .text()
                .contains("agentgateway_downstream_connections_open 0\n")
        );
        assert!(
            metrics
                .text()
                .contains("agentgateway_downstream_connections_total{bind=\"8080/unknown\"")
        );
    }
}
