//! One request's line in the access log, in the real proxy's format (facts 9.7; recordings cluster/*.json).

use std::fmt::{Display, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{Method, StatusCode, Version};
use serde_json::{Value, json};

use super::clock;
use super::config::Logging;
use super::llm::{RouteType, Usage};
use super::log::Log;
use super::mcp::Note;
use super::metrics::{Call, Ended, McpKey, Metrics, ModelKey, RequestKey, Way};
use super::plane::Plane;
use super::redact;

/// Characters of a client's word, such as a model's name, that are kept.
const LONGEST: usize = 256;

/// What is known of a request so far. Written when it is dropped, so a request that the client gave up has its line too.
pub(super) struct Record {
    log: Log,
    metrics: Arc<Metrics>,
    pub logging: Logging,
    port: u16,
    start: Instant,
    pub peer: SocketAddr,
    method: Method,
    version: Version,
    host: String,
    path: String,
    pub gateway: Option<Arc<str>>,
    pub listener: Option<Arc<str>>,
    pub route: Option<Arc<str>>,
    pub endpoint: Option<Arc<str>>,
    pub is_llm: bool,
    /// What is known of an MCP request.
    pub mcp: Option<Note>,
    pub status: Option<StatusCode>,
    /// Tries after the first.
    pub retries: u64,
    /// Bytes of the answer's body so far.
    pub bytes: u64,
    /// How long the first piece of a streamed answer took.
    first: Option<Duration>,
    /// `sub` of a verified token.
    pub subject: Option<String>,
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
    pub fn new(
        plane: &Plane,
        port: u16,
        peer: SocketAddr,
        parts: &http::request::Parts,
        host: &str,
    ) -> Record {
        Record {
            log: plane.log(),
            metrics: plane.metrics().clone(),
            logging: Logging::default(),
            port,
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
            mcp: None,
            status: None,
            retries: 0,
            bytes: 0,
            first: None,
            subject: None,
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
            both.map(|(input, output)| Value::from(input.saturating_add(output))),
        );
        Some(known)
    }

    /// `model`: what the client asks for, in its own words.
    pub fn calls(&mut self, kind: RouteType, provider: &'static str, model: &str) {
        self.model = Some(ModelCall {
            kind,
            provider,
            model: short(model),
            usage: Usage::default(),
        });
    }

    pub fn used(&mut self, usage: Usage) {
        if let Some(call) = &mut self.model {
            call.usage = usage;
        }
    }

    /// A piece of a streamed answer goes to the client.
    pub fn sent(&mut self, bytes: usize) {
        self.first.get_or_insert_with(|| self.start.elapsed());
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    pub fn fail(&mut self, reason: &'static str, error: String) {
        self.failure = Some((reason, error));
    }

    fn line(&self) -> String {
        let now = clock::precise(SystemTime::now());
        let mut line = Line::new(self.logging.is_json, now);
        line.text("gateway", self.gateway.as_deref());
        line.text("listener", self.listener.as_deref());
        line.text("route", self.route.as_deref());
        line.text("endpoint", self.endpoint.as_deref());
        line.plain("src.addr", self.peer);
        line.text("http.method", Some(self.method.as_str()));
        line.text("http.host", Some(&self.host));
        line.text("http.path", Some(&redact::target(&self.path)));
        line.plain("http.version", format_args!("{:?}", self.version));
        if let Some(status) = self.status {
            line.number("http.status", u64::from(status.as_u16()));
        }
        line.text("jwt.sub", self.subject.as_deref());
        line.text("protocol", Some(self.protocol()));
        for (key, value) in self.mcp.iter().flat_map(Note::fields) {
            line.text(key, value);
        }
        if let Some(call) = &self.model {
            line.call(call);
        }
        if self.retries > 0 {
            line.add("retry.attempt", self.retries);
        }
        if let Some((reason, error)) = &self.failure {
            line.quoted("error", error);
            line.text("reason", Some(reason));
        }
        let took = self.start.elapsed().as_millis();
        line.plain("duration", format_args!("{took}ms"));
        line.end()
    }

    fn protocol(&self) -> &'static str {
        match (self.is_llm, &self.mcp) {
            (true, _) => "llm",
            (false, Some(_)) => "mcp",
            (false, None) => "http",
        }
    }

    /// The last that is done: what is known of the model's call moves into the counts.
    fn count(&mut self) {
        let (took, protocol) = (self.start.elapsed(), self.protocol());
        let way = Way {
            port: self.port,
            gateway: self.gateway.clone(),
            listener: self.listener.clone(),
            route: self.route.clone(),
        };
        let model = self.model.take().map(|call| Call {
            key: ModelKey {
                way: way.clone(),
                operation: call.kind.operation(),
                provider: call.provider,
                asked: call.model,
                answered: call.usage.model,
            },
            input: call.usage.input,
            output: call.usage.output,
            first: self.first,
        });
        let mcp = self.mcp.take().map(|note| McpKey {
            way: way.clone(),
            method: note.method,
            kind: note.kind,
            server: note.target,
            name: note.name,
        });
        let key = RequestKey {
            way,
            backend: self.endpoint.clone(),
            protocol,
            method: method_name(&self.method),
            status: self.status.map_or(0, |status| status.as_u16()),
            reason: self.failure.as_ref().map_or("", |(reason, _)| reason),
        };
        self.metrics.request(Ended {
            key,
            took,
            bytes: self.bytes,
            retries: self.retries,
            call: model,
            mcp,
        });
    }
}

/// Methods of one's own are counted together: there is no end to them.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
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
        if !self.logging.is_silent {
            self.log.line(self.line());
        }
        self.count();
    }
}

/// Room for a usual line.
const LINE: usize = 512;

/// A line in one of the real proxy's two formats.
struct Line {
    text: String,
    is_json: bool,
}

impl Line {
    fn new(is_json: bool, time: String) -> Line {
        let mut text = String::with_capacity(LINE);
        // Writing to a String can't fail.
        let _ = match is_json {
            true => write!(
                text,
                r#"{{"level":"info","time":"{time}","scope":"request""#
            ),
            false => write!(text, "{time}\tinfo\trequest"),
        };
        Line { text, is_json }
    }

    fn end(mut self) -> String {
        self.text.push_str(if self.is_json { "}\n" } else { "\n" });
        self.text
    }

    fn add(&mut self, key: &str, value: impl Display) {
        // Writing to a String can't fail.
        let _ = match self.is_json {
            true => write!(self.text, ",\"{key}\":{value}"),
            false => write!(self.text, " {key}={value}"),
        };
    }

    fn number(&mut self, key: &str, value: u64) {
        self.add(key, value);
    }

    /// A text of our own, in which nothing needs to be escaped.
    fn plain(&mut self, key: &str, value: impl Display) {
        match self.is_json {
            true => self.add(key, format_args!("\"{value}\"")),
            false => self.add(key, value),
        }
    }

    fn quoted(&mut self, key: &str, value: &str) {
        match self.is_json {
            true => self.add(key, Value::from(value)),
            false => self.add(key, format_args!("{value:?}")),
        }
    }

    /// A value that came from outside is quoted where it would break the line apart.
    fn text(&mut self, key: &str, value: Option<&str>) {
        let breaks = |c: char| c.is_whitespace() || c.is_control() || c == '"';
        match value {
            None | Some("") => {}
            Some(value) if self.is_json || value.contains(breaks) => self.quoted(key, value),
            Some(value) => self.add(key, value),
        }
    }

    fn call(&mut self, call: &ModelCall) {
        self.text("gen_ai.operation.name", Some(call.kind.operation()));
        self.text("gen_ai.provider.name", Some(call.provider));
        self.text("gen_ai.request.model", Some(&call.model));
        self.text("gen_ai.response.model", call.usage.model.as_deref());
        if let Some(tokens) = call.usage.input {
            self.number("gen_ai.usage.input_tokens", tokens);
        }
        if let Some(tokens) = call.usage.output {
            self.number("gen_ai.usage.output_tokens", tokens);
        }
    }
}
/// As much of a client's word as logs and counts keep: no client may fill them.
pub(super) fn short(word: &str) -> String {
    word.chars().take(LONGEST).collect()
}
