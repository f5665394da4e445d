//! One request's line in the access log, in the real proxy's format (facts 9.7; recordings cluster/*.json).

use std::fmt::{Display, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{Method, StatusCode, Version};
use serde_json::{Value, json};

use super::clock;
use super::llm::{RouteType, Usage};
use super::log::Log;

/// What is known of a request so far. Written when it is dropped, so a request that the client gave up has its line too.
pub(super) struct Record {
    log: Log,
    start: Instant,
    peer: SocketAddr,
    method: Method,
    version: Version,
    host: String,
    path: String,
    pub gateway: Option<Arc<str>>,
    pub listener: Option<Arc<str>>,
    pub route: Option<Arc<str>>,
    pub endpoint: Option<Arc<str>>,
    pub is_llm: bool,
    pub status: Option<StatusCode>,
    model: Option<ModelCall>,
    failure: Option<(&'static str, String)>,
}

struct ModelCall {
    kind: RouteType,
    provider: &'static str,
    model: String,
    usage: Usage,
}

impl Record {
    pub fn new(log: Log, peer: SocketAddr, parts: &http::request::Parts, host: &str) -> Record {
        Record {
            log,
            start: Instant::now(),
            peer,
            method: parts.method.clone(),
            version: parts.version,
            host: host.to_string(),
            path: parts
                .uri
                .path_and_query()
                .map_or("/", |p| p.as_str())
                .to_string(),
            gateway: None,
            listener: None,
            route: None,
            endpoint: None,
            is_llm: false,
            status: None,
            model: None,
            failure: None,
        }
    }

    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What expressions call `llm`.
    pub fn llm(&self) -> Option<Value> {
        let call = self.model.as_ref()?;
        let usage = &call.usage;
        let mut known = json!({"provider": call.provider, "requestModel": call.model});
        let mut tell = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                known[name] = value;
            }
        };
        tell("responseModel", usage.model.as_deref().map(Value::from));
        tell("inputTokens", usage.input.map(Value::from));
        tell("outputTokens", usage.output.map(Value::from));
        let both = usage.input.zip(usage.output);
        tell(
            "totalTokens",
            both.map(|(input, output)| Value::from(input + output)),
        );
        Some(known)
    }

    pub fn calls(&mut self, kind: RouteType, provider: &'static str, model: &str) {
        self.model = Some(ModelCall {
            kind,
            provider,
            model: model.to_string(),
            usage: Usage::default(),
        });
    }

    pub fn used(&mut self, usage: Usage) {
        if let Some(call) = &mut self.model {
            call.usage = usage;
        }
    }

    pub fn fail(&mut self, reason: &'static str, error: String) {
        self.failure = Some((reason, error));
    }

    fn line(&self) -> String {
        let mut line = Line(format!(
            "{}\tinfo\trequest",
            clock::precise(SystemTime::now())
        ));
        line.text("gateway", self.gateway.as_deref());
        line.text("listener", self.listener.as_deref());
        line.text("route", self.route.as_deref());
        line.text("endpoint", self.endpoint.as_deref());
        line.add("src.addr", self.peer);
        line.text("http.method", Some(self.method.as_str()));
        line.text("http.host", Some(&self.host));
        line.text("http.path", Some(&self.path));
        line.add("http.version", format_args!("{:?}", self.version));
        if let Some(status) = self.status {
            line.add("http.status", status.as_u16());
        }
        line.add("protocol", if self.is_llm { "llm" } else { "http" });
        if let Some(call) = &self.model {
            line.call(call);
        }
        if let Some((reason, error)) = &self.failure {
            line.add("error", format_args!("{error:?}"));
            line.text("reason", Some(reason));
        }
        line.add(
            "duration",
            format_args!("{}ms\n", self.start.elapsed().as_millis()),
        );
        line.0
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.status.is_none() && self.failure.is_none() {
            self.fail(
                "ClientGone",
                "the client closed the connection before an answer".to_string(),
            );
        }
        self.log.line(self.line());
    }
}

struct Line(String);

impl Line {
    fn add(&mut self, key: &str, value: impl Display) {
        // Writing to a String can't fail.
        let _ = write!(self.0, " {key}={value}");
    }

    /// A value that came from outside is quoted where it would break the line apart.
    fn text(&mut self, key: &str, value: Option<&str>) {
        match value {
            None | Some("") => {}
            Some(value)
                if value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"') =>
            {
                self.add(key, format_args!("{value:?}"));
            }
            Some(value) => self.add(key, value),
        }
    }

    fn call(&mut self, call: &ModelCall) {
        self.add("gen_ai.operation.name", call.kind.operation());
        self.add("gen_ai.provider.name", call.provider);
        self.text("gen_ai.request.model", Some(&call.model));
        self.text("gen_ai.response.model", call.usage.model.as_deref());
        if let Some(tokens) = call.usage.input {
            self.add("gen_ai.usage.input_tokens", tokens);
        }
        if let Some(tokens) = call.usage.output {
            self.add("gen_ai.usage.output_tokens", tokens);
        }
    }
}
