//! A model's answer on its way back: whole or streamed, in the form that the client asked in, or the
//! provider's refusal (facts 9.6).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode, response};
use http_body_util::combinators::UnsyncBoxBody;

use super::body::{self, AnyBody, ReadError};
use super::exchange::{Reply, ReplyBody};
use super::guard::Side;
use super::llm::{
    ANSWER_LIMIT, Answer, Coding, Dialect, Meter, RouteType, Translated, is_foreign_error,
    read_answer, read_error, translator, unpack,
};
use super::model::{Asked, Call};
use super::policy::Account;
use super::refusal::Refusal;

impl Call<'_> {
    pub(super) async fn reply(
        self,
        answer: Response<AnyBody>,
        asked: Asked,
    ) -> Result<Reply, Refusal> {
        let (parts, body) = answer.into_parts();
        // What can't be unpacked can only go by, and only to a client of the same API.
        let goes_by = Coding::of(&parts.headers) == Coding::Other;
        if goes_by && is_foreign_error(self.kind, asked.dialect) {
            return Err(unread_answer("its content-encoding is not supported"));
        }
        // A count is read whatever its status says (agentgateway's llm/mod.rs, `process_response`).
        let counts = self.kind == RouteType::AnthropicTokenCount && !goes_by;
        match (
            parts.status.is_success() || counts,
            asked.is_stream || goes_by,
        ) {
            (true, false) => self.whole(parts, body, asked).await,
            (true, true) => Ok(self.stream(parts, body, asked)),
            (false, _) => self.failed(parts, body, &asked).await,
        }
    }

    /// A stream in the client's form. Only one that is OpenAI's own is charged for (facts 9.7).
    fn stream(self, mut parts: response::Parts, body: AnyBody, asked: Asked) -> Reply {
        let dialect = asked.dialect;
        let id = parts
            .headers
            .get("x-amzn-requestid")
            .and_then(|id| id.to_str().ok());
        let Some(translator) = translator(self.kind, dialect, &asked.model, id) else {
            let account = match dialect == Dialect::Openai {
                true => asked.account,
                false => Account::default(),
            };
            let meter = Meter::sniffing(account);
            let body = ReplyBody::Passing(body, Some(Box::new(meter)));
            return Reply { parts, body };
        };
        let usage = Arc::default();
        let meter = Meter::told(Arc::clone(&usage));
        parts.headers.remove(header::CONTENT_LENGTH);
        // Bedrock's frames become events; Anthropic's are events already, in its own words.
        if dialect == Dialect::Converse {
            let events = HeaderValue::from_static("text/event-stream");
            parts.headers.insert(header::CONTENT_TYPE, events);
        }
        let coding = Coding::of(&parts.headers);
        parts.headers.remove(header::CONTENT_ENCODING);
        let body = Translated::new(body, translator, coding, usage);
        let body = AnyBody::Made(UnsyncBoxBody::new(body));
        let body = ReplyBody::Passing(body, Some(Box::new(meter)));
        Reply { parts, body }
    }

    /// A provider's own error goes to the client as it is, another API's in the client's form (facts 9.6).
    async fn failed(
        self,
        mut parts: response::Parts,
        body: AnyBody,
        asked: &Asked,
    ) -> Result<Reply, Refusal> {
        if !is_foreign_error(self.kind, asked.dialect) {
            let body = ReplyBody::Passing(body, None);
            return Ok(Reply { parts, body });
        }
        let body = read_error(self.kind, asked.dialect, hold(&mut parts, body).await?);
        let body = match body {
            // Of a stream that did not begin the real proxy tells the status alone (its issue 1340);
            // here what can be read of the reason goes along.
            Err(_) if asked.is_stream => Bytes::new(),
            body => body.map_err(unwritten)?,
        };
        let body = ReplyBody::Whole(body);
        Ok(Reply { parts, body })
    }

    /// A whole answer in its form.
    async fn whole(
        mut self,
        mut parts: response::Parts,
        body: AnyBody,
        asked: Asked,
    ) -> Result<Reply, Refusal> {
        let bytes = hold(&mut parts, body).await?;
        if parts.status == StatusCode::NO_CONTENT {
            let body = ReplyBody::Whole(Bytes::new());
            return Ok(Reply { parts, body });
        }
        let mut answer =
            read_answer(self.kind, asked.dialect, &asked.model, bytes).map_err(unread_answer)?;
        let usage = answer.usage();
        asked.account.charge(usage.tokens());
        self.guard_answer(&mut answer, &parts.headers).await?;
        self.exchange.record.used(usage);
        let body = ReplyBody::Whole(answer.into_body().map_err(unwritten)?);
        Ok(Reply { parts, body })
    }

    /// Shows the answer to the policy's guards.
    async fn guard_answer(
        &mut self,
        answer: &mut Answer,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let guards = &self.provider.policy.guards;
        if !guards.watch(Side::Response) {
            return Ok(());
        }
        let transport = self.exchange.plane.transport();
        let judged = guards.judge(Side::Response, answer.said(), headers, transport);
        let fits = match judged.await? {
            None => true,
            Some(instead) => answer.set_said(instead),
        };
        fits.then_some(()).ok_or_else(Refusal::guard_failed)
    }
}

/// The provider's whole body, unpacked; headers that say how long and how packed it was are removed.
async fn hold(parts: &mut response::Parts, body: AnyBody) -> Result<Bytes, Refusal> {
    let bytes = match body::read(body, ANSWER_LIMIT).await {
        Ok(bytes) => bytes,
        Err(ReadError::TooLarge) => return Err(Refusal::processing("response was too large")),
        Err(ReadError::Broken(error)) => {
            return Err(Refusal::upstream(&format!("SendRequest: {error}")));
        }
    };
    let coding = Coding::of(&parts.headers);
    parts.headers.remove(header::CONTENT_LENGTH);
    if coding != Coding::Gzip {
        return Ok(bytes);
    }
    parts.headers.remove(header::CONTENT_ENCODING);
    unpack(&bytes, ANSWER_LIMIT).map_err(unread_answer)
}

fn unread_answer(cause: impl std::fmt::Display) -> Refusal {
    Refusal::processing(format_args!("failed to parse response: {cause}"))
}

fn unwritten(cause: impl std::fmt::Display) -> Refusal {
    Refusal::processing(format_args!("failed to marshal response: {cause}"))
}
