//! A call to a model provider: the prompt is read, its model settled, the answer read or streamed (facts 9.2-9.6).

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, StatusCode};

use super::body::{self, AnyBody, ReadError};
use super::config::{Auth, Provider, ProviderKind};
use super::exchange::{Exchange, Reply, ReplyBody};
use super::forward::with_query;
use super::llm::{ANSWER_LIMIT, BODY_LIMIT, Meter, Prompt, RouteType, read_answer, read_prompt};
use super::policy::Bucket;
use super::record::Record;
use super::refusal::Refusal;

/// Sends a request to a provider in the form that its path stands for.
pub(super) async fn call(
    mut exchange: Exchange<'_>,
    provider: &Provider,
    auth: Option<&Auth>,
) -> Result<Reply, Refusal> {
    exchange.record.is_llm = true;
    exchange.record.endpoint = Some(provider.origin.endpoint.clone());
    if let Some(path) = &provider.path {
        exchange.path = path.clone();
    }
    let path = exchange.path.split('?').next().unwrap_or("");
    let kind = provider.routes.of(path);
    match kind {
        RouteType::Models => return Err(Refusal::models()),
        RouteType::Passthrough => return exchange.relay(&provider.origin, auth).await,
        RouteType::Completions
        | RouteType::Messages
        | RouteType::Responses
        | RouteType::Embeddings
        | RouteType::AnthropicTokenCount => {}
    }
    let path = upstream_path(&exchange, provider, kind);
    let mut head = exchange.head(&provider.origin, auth, &path)?;
    let prompt = prompt(exchange.body, provider, kind, exchange.record).await?;
    // Embeddings cost a token limit nothing (facts 9.7).
    let tokens = exchange.tokens.filter(|_| kind != RouteType::Embeddings);
    if let Some(tokens) = &tokens {
        tokens.check(Instant::now())?;
    }
    let is_stream = prompt.is_stream();
    let body = match provider.kind {
        ProviderKind::Openai => prompt.into_openai(),
    };
    let body = body
        .map_err(|error| Refusal::processing(format_args!("failed to marshal request: {error}")))?;
    head.headers.remove(header::CONTENT_LENGTH);
    refuse_compression(&mut head.headers);
    let request = Request::from_parts(head, AnyBody::whole(body));
    let answer = exchange
        .plane
        .transport()
        .send(&provider.origin, request)
        .await?;
    let (parts, body) = answer.into_parts();
    let body = AnyBody::Incoming(body);
    let is_encoded = parts.headers.contains_key(header::CONTENT_ENCODING);
    match (parts.status.is_success(), is_stream || is_encoded) {
        (true, false) => whole(kind, parts, body, tokens, exchange.record).await,
        (true, true) => {
            let body = ReplyBody::Passing(body, Some(Meter::new(tokens)));
            Ok(Reply { parts, body })
        }
        // A provider's own error goes to the client as it is (facts 9.6).
        (false, _) => Ok(Reply {
            parts,
            body: ReplyBody::Passing(body, None),
        }),
    }
}

/// The provider's own path, unless its host or its path is the person's (facts 9.3, 9.4).
fn upstream_path(exchange: &Exchange<'_>, provider: &Provider, kind: RouteType) -> String {
    let own = provider.own_host || provider.path.is_some();
    let default = kind.default_path(provider.kind).filter(|_| !own);
    with_query(
        default.unwrap_or(&exchange.path),
        exchange.parts.uri.query(),
    )
}

async fn prompt(
    body: AnyBody,
    provider: &Provider,
    kind: RouteType,
    record: &mut Record,
) -> Result<Prompt, Refusal> {
    let unread =
        |cause: String| Refusal::processing(format_args!("failed to parse request: {cause}"));
    let bytes = match body::read(body, BODY_LIMIT).await {
        Ok(bytes) => bytes,
        Err(ReadError::TooLarge) => return Err(Refusal::processing("request was too large")),
        Err(ReadError::Broken(error)) => return Err(unread(error.to_string())),
    };
    let mut prompt = read_prompt(kind, &bytes).map_err(|error| unread(error.to_string()))?;
    let name = provider.kind.name();
    let Some(model) = prompt.settle_model(provider.model.as_deref()) else {
        return Err(Refusal::processing("missing field: model not specified"));
    };
    if !kind.is_taken_by(provider.kind) {
        let what = kind.name();
        return Err(Refusal::processing(format_args!(
            "unsupported conversion to {what} from provider {name}"
        )));
    }
    record.calls(kind, name, model);
    Ok(prompt)
}

/// A compressed answer could not be read; a client that insists still gets one through Passthrough.
fn refuse_compression(headers: &mut HeaderMap) {
    if headers.contains_key(header::ACCEPT_ENCODING) {
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
    }
}

async fn whole(
    kind: RouteType,
    mut parts: http::response::Parts,
    body: AnyBody,
    tokens: Option<Arc<Bucket>>,
    record: &mut Record,
) -> Result<Reply, Refusal> {
    let bytes = match body::read(body, ANSWER_LIMIT).await {
        Ok(bytes) => bytes,
        Err(ReadError::TooLarge) => return Err(Refusal::processing("response was too large")),
        Err(ReadError::Broken(error)) => {
            return Err(Refusal::upstream(&format!("SendRequest: {error}")));
        }
    };
    if parts.status == StatusCode::NO_CONTENT {
        return Ok(Reply {
            parts,
            body: ReplyBody::Whole(Bytes::new()),
        });
    }
    let answer = read_answer(kind, bytes);
    let answer = answer
        .map_err(|error| Refusal::processing(format_args!("failed to parse response: {error}")))?;
    if let Some(tokens) = tokens {
        tokens.charge(answer.usage.tokens());
    }
    record.used(answer.usage);
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = ReplyBody::Whole(answer.body);
    Ok(Reply { parts, body })
}
