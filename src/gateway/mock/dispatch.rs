//! One request from its bytes to its answer.

use std::io::Write;
use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::answer::{Answer, Content};
use super::anthropic::{self, Wrapping};
use super::deliver::{Body, deliver};
use super::fault::Fault;
use super::mcp::{self, Call};
use super::place::{Dialect, Operation, Place};
use super::refusal::Refusal;
use super::{Mock, bedrock, gemini, openai};
use crate::gateway::clock;
use crate::gateway::host::{authority, host_only};
use crate::gateway::redact::mark;

/// Pictures are long.
const BODY_LIMIT: usize = 32 << 20;
const HELLO: &str = "gatewright's mock provider: OpenAI /v1, Anthropic /v1/messages, Gemini /v1beta, MCP /mcp and /sse\n";

impl Mock {
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let begun = Instant::now();
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        let body = body.map(|body| body.to_bytes());
        let (answer, fault) = self.say(&parts, body.as_ref().ok());
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        self.write_line(&parts, answer.status.as_u16(), begun);
        deliver(answer, &fault)
    }

    /// What is said to a request whose body is there, or was too long or broke off.
    pub(super) fn say(&self, parts: &Parts, body: Option<&Bytes>) -> (Answer, Fault) {
        let place = match Place::of(&parts.method, parts.uri.path(), &parts.headers) {
            Ok(place) => place,
            Err(dialect) => {
                let message = format!(
                    "mock: unknown request URL: {} {}",
                    parts.method,
                    parts.uri.path()
                );
                let refusal = Refusal::new(StatusCode::NOT_FOUND, message);
                return (refusal.answer(dialect), Fault::default());
            }
        };
        if place.dialect == Dialect::Own {
            return (self.own(parts, place.operation), Fault::default());
        }
        let mut fault = Fault::default();
        let said = self.provider(parts, &place, body, &mut fault);
        let answer = said.unwrap_or_else(|refusal| refused(&refusal, place.dialect));
        let body = body.map_or(&[][..], |body| body);
        self.seen.keep(parts, &place, body, answer.status.as_u16());
        (answer, fault)
    }

    fn provider(
        &self,
        parts: &Parts,
        place: &Place,
        body: Option<&Bytes>,
        fault: &mut Fault,
    ) -> Result<Answer, Refusal> {
        let query = parts.uri.query().unwrap_or("");
        self.keys.check(place, &parts.headers, query)?;
        let too_large = || {
            Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "mock: the request is too large, or broke off",
            )
        };
        let body = body.ok_or_else(too_large)?;
        let value = match parts.method {
            Method::POST => parse(body)?,
            _ => Value::Null,
        };
        *fault = Fault::of(&parts.headers, &value)?;
        if let Some(refusal) = fault.refusal() {
            return Err(refusal);
        }
        if place.dialect == Dialect::Mcp {
            let (method, headers, operation) = (&parts.method, &parts.headers, place.operation);
            let call = Call {
                operation,
                method,
                headers,
                query,
                body: &value,
            };
            return Ok(mcp::serve(&self.sessions, &call));
        }
        speak(place, &value, query, &mark(body))
    }

    /// The mock's own paths. Prompts are nobody else's: a page that points its own name at this
    /// address (DNS rebinding) does not get to read them.
    fn own(&self, parts: &Parts, operation: Operation) -> Answer {
        if operation != Operation::Requests {
            return Answer::new(StatusCode::OK, Content::Text(HELLO));
        }
        let host = host_only(authority(parts));
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok();
        if !is_local || parts.headers.contains_key("origin") {
            let message = "mock: requests are shown on this machine only";
            return Refusal::new(StatusCode::FORBIDDEN, message).answer(Dialect::Own);
        }
        if parts.method == Method::DELETE {
            self.seen.clear();
        }
        Answer::ok(self.seen.list())
    }

    fn write_line(&self, parts: &Parts, status: u16, begun: Instant) {
        let Some(log) = &self.log else { return };
        let (time, took) = (
            clock::precise(SystemTime::now()),
            begun.elapsed().as_millis(),
        );
        let line = format!(
            "{time} {} {} {status} {took}ms\n",
            parts.method,
            parts.uri.path()
        );
        // A log that can't be written is no reason to answer nobody.
        let _ = log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(line.as_bytes());
    }
}

/// Refused, with how long to wait where a provider says it.
fn refused(refusal: &Refusal, dialect: Dialect) -> Answer {
    let answer = refusal.answer(dialect);
    match refusal.status {
        StatusCode::TOO_MANY_REQUESTS => answer.with("retry-after", "1"),
        _ => answer,
    }
}

/// The error names the place and never what stands there.
fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("mock: the body is not JSON: {error}")))
}

/// The answer of a provider's API.
fn speak(place: &Place, request: &Value, query: &str, mark: &str) -> Result<Answer, Refusal> {
    let model = place.model;
    Ok(match (place.dialect, place.operation) {
        (Dialect::OpenAi | Dialect::Azure | Dialect::Google, operation) => {
            return speak_openai(operation, request, model, mark);
        }
        (Dialect::Anthropic, Operation::Messages) => {
            return anthropic::message(request, Wrapping::None, mark);
        }
        (Dialect::Anthropic, Operation::CountTokens) => {
            return anthropic::count_tokens(request, Wrapping::None);
        }
        (Dialect::Anthropic, Operation::Models) => anthropic::models(),
        (Dialect::Anthropic, _) => anthropic::model(model),
        (Dialect::Vertex, Operation::Messages) => {
            let mut request = request.clone();
            request["stream"] = json!(place.streams);
            return anthropic::message(&request, Wrapping::Vertex(model), mark);
        }
        (Dialect::Vertex, Operation::CountTokens) if model.starts_with("count-tokens") => {
            return anthropic::count_tokens(request, Wrapping::Vertex(model));
        }
        (Dialect::Gemini | Dialect::Vertex, operation) => {
            return speak_gemini(operation, request, model, query, mark);
        }
        (Dialect::Bedrock, Operation::CountTokens) => return bedrock::count_tokens(request, model),
        (Dialect::Bedrock, operation) => {
            let stream = operation == Operation::ConverseStream;
            return bedrock::converse(request, model, mark, stream);
        }
        (Dialect::Mcp | Dialect::Own, _) => Answer::empty(StatusCode::NOT_FOUND),
    })
}

fn speak_openai(
    operation: Operation,
    request: &Value,
    model: &str,
    mark: &str,
) -> Result<Answer, Refusal> {
    match operation {
        Operation::Chat => openai::complete(request, model, mark),
        Operation::Responses => openai::respond(request, model, mark),
        Operation::Embeddings => openai::embed(request, model),
        Operation::Models => Ok(openai::models()),
        _ => Ok(openai::model(model)),
    }
}

fn speak_gemini(
    operation: Operation,
    request: &Value,
    model: &str,
    query: &str,
    mark: &str,
) -> Result<Answer, Refusal> {
    match operation {
        Operation::Generate => gemini::generate(request, model, mark),
        Operation::GenerateStream => {
            let as_events = query.split('&').any(|pair| pair == "alt=sse");
            gemini::generate_stream(request, model, mark, as_events)
        }
        Operation::CountTokens => gemini::count_tokens(request, model),
        Operation::Embed => Ok(gemini::embed(request, model)),
        Operation::EmbedBatch => Ok(gemini::embed_batch(request, model)),
        Operation::Models => Ok(gemini::models()),
        _ => Ok(gemini::model(model)),
    }
}
