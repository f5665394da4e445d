//! A call to a model provider, in stages (facts 9.1-9.6): the body is read as JSON, then as a prompt, its
//! model is settled, it is translated and sent, and the answer is read or streamed back.

use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use serde_json::Value;

use super::body::{self, AnyBody, ReadError};
use super::config::{Auth, Provider};
use super::exchange::{Exchange, Reply, ReplyBody};
use super::forward::with_query;
use super::guard::Side;
use super::llm::{
    BODY_LIMIT, Context, Dialect, Prompt, RouteType, authorise, read_prompt, read_prompt_value,
    signing_region,
};
use super::policy::{Account, Verdict};
use super::refusal::Refusal;

/// One request to one provider.
pub(super) struct Call<'a> {
    pub exchange: Exchange<'a>,
    pub provider: &'a Provider,
    auth: Option<&'a Auth>,
    pub kind: RouteType,
}

/// A prompt that is ready to go: its model is settled, and the provider takes its form.
struct Ready {
    prompt: Prompt,
    model: String,
    dialect: Dialect,
}

/// What must be known of a request to understand its answer.
pub(super) struct Asked {
    pub model: String,
    pub dialect: Dialect,
    pub is_stream: bool,
    /// What the answer's tokens are taken from.
    pub account: Account,
}

/// What the limits of tokens say.
enum Allowed {
    Goes(Account),
    Denied(Box<Reply>),
}

/// Sends a request to a provider in the form that its path stands for.
pub(super) async fn call(
    mut exchange: Exchange<'_>,
    provider: &Provider,
) -> Result<Reply, Refusal> {
    exchange.record.is_llm = true;
    exchange.record.endpoint = Some(provider.origin.endpoint.clone());
    if let Some(path) = &provider.path {
        exchange.path = path.clone();
    }
    let path = exchange.path.split('?').next().unwrap_or("");
    let mut call = Call {
        kind: provider.policy.routes.of(path),
        auth: provider.auth.as_ref().or(provider.usual_auth.as_ref()),
        exchange,
        provider,
    };
    match call.kind {
        RouteType::Models => return Err(Refusal::models()),
        RouteType::Passthrough => return call.pass().await,
        RouteType::Completions
        | RouteType::Messages
        | RouteType::Responses
        | RouteType::Embeddings
        | RouteType::AnthropicTokenCount => {}
    }
    let body = call.body().await?;
    let mut ready = call.prompt(&body)?;
    call.guard(&mut ready.prompt).await?;
    let account = match call.account().await? {
        Allowed::Goes(account) => account,
        Allowed::Denied(reply) => return Ok(*reply),
    };
    let asked = Asked {
        model: ready.model.clone(),
        dialect: ready.dialect,
        is_stream: ready.prompt.is_stream(),
        account,
    };
    let answer = call.send(ready).await?;
    call.reply(answer, asked).await
}

impl Call<'_> {
    /// Passthrough: only the key is the provider's.
    async fn pass(mut self) -> Result<Reply, Refusal> {
        let origin = &self.provider.origin;
        let path = match &self.provider.path {
            Some(own) => own.clone(),
            None => with_query(&self.exchange.path, self.exchange.parts.uri.query()),
        };
        let mut head = self.exchange.take_head(origin, self.auth, &path)?;
        self.provider.kind.present_key(&mut head.headers);
        let body = match self.auth.is_some_and(Auth::is_made_for_each_request) {
            false => std::mem::replace(&mut self.exchange.body, AnyBody::whole(Bytes::new())),
            true => {
                let body = self.body().await?;
                self.authorise(&mut head, &body).await?;
                AnyBody::whole(body)
            }
        };
        let request = Request::from_parts(head, body);
        let answer = self
            .exchange
            .plane
            .transport()
            .send(origin, request)
            .await?;
        let (parts, body) = answer.into_parts();
        let body = ReplyBody::Passing(body, None);
        Ok(Reply { parts, body })
    }

    /// The body as it came.
    async fn body(&mut self) -> Result<Bytes, Refusal> {
        let body = std::mem::replace(&mut self.exchange.body, AnyBody::whole(Bytes::new()));
        match body::read(body, BODY_LIMIT).await {
            Ok(bytes) => Ok(bytes),
            Err(ReadError::TooLarge) => Err(Refusal::processing("request was too large")),
            Err(ReadError::Broken(error)) => Err(unread(error)),
        }
    }

    /// The prompt in its form. First its model is settled (the provider's own always wins; aliases
    /// come after it, facts 9.5), then it is enriched.
    fn prompt(&mut self, body: &Bytes) -> Result<Ready, Refusal> {
        let policy = &self.provider.policy;
        let mut prompt = self.filled(body)?;
        if let Some(own) = &self.provider.model {
            *prompt.model_mut() = Some(own.clone());
        }
        let Some(mut model) = prompt.model().map(str::to_string) else {
            return Err(Refusal::processing("missing field: model not specified"));
        };
        if let Some(alias) = policy.aliases.model(&model) {
            model = alias.to_string();
            *prompt.model_mut() = Some(model.clone());
        }
        let name = self.provider.kind.name();
        let Some(dialect) = self.provider.kind.dialect(self.kind, &model) else {
            let what = self.kind.format();
            return Err(Refusal::processing(format_args!(
                "unsupported conversion to {what} from provider {name}"
            )));
        };
        prompt.prepend(&policy.prepend);
        prompt.append(&policy.append);
        self.exchange.record.calls(self.kind, name, &model);
        Ok(Ready {
            prompt,
            model,
            dialect,
        })
    }

    /// The prompt with the fields that the policy sets, whatever its form (facts 9.5, 9.7).
    fn filled(&self, body: &Bytes) -> Result<Prompt, Refusal> {
        let fields = &self.provider.policy.fields;
        if fields.is_empty() {
            return read_prompt(self.kind, body).map_err(unread);
        }
        let Value::Object(mut request) = serde_json::from_slice(body).map_err(unread)? else {
            let message = "missing field: request must be an object";
            return Err(Refusal::processing(message));
        };
        fields.fill(&mut request);
        read_prompt_value(self.kind, Value::Object(request)).map_err(unread)
    }

    /// Shows the prompt to the policy's guards.
    async fn guard(&mut self, prompt: &mut Prompt) -> Result<(), Refusal> {
        let guards = &self.provider.policy.guards;
        // Counting asks no model anything.
        let counts = self.kind == RouteType::AnthropicTokenCount;
        if counts || !guards.watch(Side::Request) {
            return Ok(());
        }
        let (headers, transport) = (
            &self.exchange.parts.headers,
            self.exchange.plane.transport(),
        );
        let judged = guards.judge(Side::Request, prompt.said(), headers, transport);
        if let Some(instead) = judged.await? {
            prompt.set_said(&instead);
        }
        Ok(())
    }

    /// Asks the token limits whether something is left. Embeddings need some to be left, and cost them
    /// nothing (facts 9.7).
    async fn account(&mut self) -> Result<Allowed, Refusal> {
        let mut account = Account {
            local: self.exchange.tokens.clone(),
            global: None,
        };
        if let Some(tokens) = &account.local {
            tokens.check(Instant::now())?;
        }
        if let Some(limiter) = self.exchange.limiter.clone() {
            let (verdict, charge) = limiter.check_tokens(&mut self.exchange).await?;
            account.global = charge;
            match verdict {
                Verdict::Passes(change) => self.exchange.after.added.push(change),
                Verdict::Denied(reply) => return Ok(Allowed::Denied(reply)),
            }
        }
        let costs = self.kind != RouteType::Embeddings;
        Ok(Allowed::Goes(match costs {
            true => account,
            false => Account::default(),
        }))
    }

    async fn send(&mut self, ready: Ready) -> Result<Response<AnyBody>, Refusal> {
        let origin = &self.provider.origin;
        let path = self.path(&ready.model, ready.prompt.is_stream());
        let mut head = self.exchange.take_head(origin, self.auth, &path)?;
        let context = Context {
            guardrail: self.provider.kind.guardrail(),
            headers: &head.headers,
            caching: self.provider.policy.caching.as_ref(),
        };
        let body = ready.prompt.into_body(ready.dialect, &context);
        let body = body.map_err(|error| {
            Refusal::processing(format_args!("failed to marshal request: {error}"))
        })?;
        head.headers.remove(header::CONTENT_LENGTH);
        if self.kind == RouteType::Responses {
            self.provider.kind.leave_out_session(&mut head.headers);
        }
        refuse_compression(&mut head.headers);
        self.provider.kind.present_key(&mut head.headers);
        self.authorise(&mut head, &body).await?;
        let request = Request::from_parts(head, AnyBody::whole(body));
        self.exchange.plane.transport().send(origin, request).await
    }

    /// Adds a key that is made for this request (facts 5).
    async fn authorise(&mut self, head: &mut Parts, body: &[u8]) -> Result<(), Refusal> {
        let Some(auth) = self.auth.filter(|auth| auth.is_made_for_each_request()) else {
            return Ok(());
        };
        let region = signing_region(self.provider.kind.region(), self.provider.own_host);
        let transport = self.exchange.plane.transport();
        let made = authorise(auth, &region, transport, head, body).await;
        made.map_err(|cause| Refusal::backend_auth(&cause))
    }

    /// The provider's own path, unless its host or its path is the person's (facts 9.3, 9.4). A path of
    /// the person's is the whole of it: the client's query does not come along.
    fn path(&self, model: &str, is_stream: bool) -> String {
        let provider = self.provider;
        if let Some(own) = &provider.path {
            return own.clone();
        }
        let query = self.exchange.parts.uri.query();
        let usual = provider.kind.path(self.kind, model, is_stream);
        match usual.filter(|_| !provider.own_host) {
            None => with_query(&self.exchange.path, query),
            Some(path) => with_query(&path, query.filter(|_| provider.kind.keeps_query())),
        }
    }
}

fn unread(cause: impl std::fmt::Display) -> Refusal {
    Refusal::processing(format_args!("failed to parse request: {cause}"))
}

/// Nothing is won by it on the way from a provider, and an answer that is passed on as it is could not be
/// read along with. A client that insists still gets one through Passthrough.
fn refuse_compression(headers: &mut HeaderMap) {
    if headers.contains_key(header::ACCEPT_ENCODING) {
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
    }
}
