//! The counts in Prometheus' text format.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::Ordering;

use super::histogram::Histogram;
use super::key::{ModelKey, RequestKey};
use super::{Metrics, Model, Requests};

impl Metrics {
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
        out.requests(&series.requests);
        out.family("mcp_requests", "Total number of MCP tool calls", "counter");
        for (key, count) in sorted(&series.mcp) {
            out.line("mcp_requests_total", key, *count);
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

type Part = fn(&Model) -> &Histogram;

/// What is counted of streamed answers alone.
const OF_STREAMS: [(&str, &str, Part); 2] = [
    (
        "gen_ai_server_time_per_output_token",
        "Time to generate each output token for a given request",
        |model| &model.each,
    ),
    (
        "gen_ai_server_time_to_first_token",
        "Time to generate the first token for a given request",
        |model| &model.first,
    ),
];

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

    fn requests(&mut self, requests: &HashMap<RequestKey, Requests>) {
        let all = sorted(requests);
        let help = "The total number of HTTP requests sent";
        self.family("requests", help, "counter");
        for (key, requests) in &all {
            self.line("requests_total", key, requests.seconds.count());
        }
        let help = "Duration of HTTP requests (seconds)";
        self.family("request_duration_seconds", help, "histogram");
        for (key, requests) in &all {
            let name = "request_duration_seconds";
            self.histogram(name, &key.to_string(), &requests.seconds);
        }
        let help = "Total HTTP response bytes received";
        self.family("response_bytes", help, "counter");
        for (key, requests) in &all {
            self.line("response_bytes_total", key, requests.bytes);
        }
        self.family("retries", "The total number of request retries", "counter");
        for (key, requests) in all.iter().filter(|(_, requests)| requests.retries > 0) {
            self.line("retries_total", key, requests.retries);
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
        for (name, help, of) in OF_STREAMS {
            self.family(name, help, "histogram");
            for (key, model) in sorted(models) {
                if of(model).count() > 0 {
                    self.histogram(name, &key.to_string(), of(model));
                }
            }
        }
    }
}
