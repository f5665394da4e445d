//! Counts for Prometheus, under the real proxy's names (agentgateway v0.12, telemetry/metrics.rs).

mod histogram;
mod key;
mod text;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::config::Config;
use histogram::Histogram;
pub(super) use key::{McpKey, ModelKey, RequestKey, Way};

/// The most that one family may hold: a client can name any model, and must not fill our memory with it.
const MOST: usize = 2000;

const REQUEST_SECONDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 80.0,
];
/// OpenTelemetry's semantic conventions for generative AI, as the real proxy has them.
const MODEL_SECONDS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const FIRST_SECONDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
const TOKEN_SECONDS: &[f64] = &[
    0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
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
    requests: HashMap<RequestKey, Requests>,
    mcp: HashMap<McpKey, u64>,
    models: HashMap<ModelKey, Model>,
    connections: HashMap<Way, u64>,
    /// What did not fit.
    dropped: u64,
}

#[derive(Debug)]
struct Requests {
    seconds: Histogram,
    bytes: u64,
    retries: u64,
}

#[derive(Debug)]
struct Model {
    seconds: Histogram,
    /// Of streams: until the first of the answer, and for each token after it.
    first: Histogram,
    each: Histogram,
    input: Histogram,
    output: Histogram,
}

impl Model {
    fn new() -> Model {
        Model {
            seconds: Histogram::new(MODEL_SECONDS),
            first: Histogram::new(FIRST_SECONDS),
            each: Histogram::new(TOKEN_SECONDS),
            input: Histogram::new(TOKENS),
            output: Histogram::new(TOKENS),
        }
    }

    fn add(&mut self, call: &Call, took: Duration) {
        self.seconds.add(took.as_secs_f64());
        for (tokens, histogram) in [
            (call.input, &mut self.input),
            (call.output, &mut self.output),
        ] {
            if let Some(tokens) = tokens {
                histogram.add(tokens as f64);
            }
        }
        let Some(first) = call.first else {
            return;
        };
        self.first.add(first.as_secs_f64());
        if let Some(tokens) = call.output.filter(|tokens| *tokens > 0) {
            let rest = took.saturating_sub(first).as_secs_f64();
            self.each.add(rest / tokens as f64);
        }
    }
}

/// One request that has ended.
pub(super) struct Ended {
    pub key: RequestKey,
    pub took: Duration,
    /// Bytes of the answer's body that went to the client.
    pub bytes: u64,
    pub retries: u64,
    pub call: Option<Call>,
    pub mcp: Option<McpKey>,
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
    /// How long the first piece of a streamed answer took.
    pub first: Option<Duration>,
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

    /// Counts a request, and what it came to.
    pub fn request(&self, ended: Ended) {
        let mut series = self.series();
        let Series {
            requests,
            models,
            mcp,
            dropped,
            ..
        } = &mut *series;
        let new = || Requests {
            seconds: Histogram::new(REQUEST_SECONDS),
            bytes: 0,
            retries: 0,
        };
        if let Some(requests) = slot(requests, ended.key, dropped, new) {
            requests.seconds.add(ended.took.as_secs_f64());
            requests.bytes = requests.bytes.saturating_add(ended.bytes);
            requests.retries = requests.retries.saturating_add(ended.retries);
        }
        if let Some(key) = ended.mcp
            && let Some(count) = slot(mcp, key, dropped, || 0)
        {
            *count += 1;
        }
        if let Some(call) = ended.call
            && let Some(model) = slot(models, call.key.clone(), dropped, Model::new)
        {
            model.add(&call, ended.took);
        }
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
            first: None,
        };
        let request = RequestKey {
            way: Way::default(),
            backend: None,
            protocol: "llm",
            method: "POST",
            status: 200,
            reason: "",
        };
        metrics.request(Ended {
            key: request,
            took: Duration::from_millis(1),
            bytes: 0,
            retries: 0,
            call: Some(call),
            mcp: None,
        });
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
