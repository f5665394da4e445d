//! Guards by OpenAI's moderation: a prompt that it flags is refused.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request};
use serde::{Deserialize, Serialize};

use super::{Failed, Said};
use crate::gateway::body::{self, AnyBody};
use crate::gateway::config::Origin;
use crate::gateway::transport::Transport;

/// The model that is asked where none is named.
pub const MODEL: &str = "omni-moderation-latest";
const PATH: &str = "/v1/moderations";
const ANSWER_LIMIT: usize = 1 << 20;

/// `openAIModeration` of a guard.
#[derive(Debug)]
pub struct Moderation {
    pub model: String,
    pub origin: Origin,
    /// The whole Authorization header.
    pub key: Option<HeaderValue>,
}

#[derive(Serialize)]
struct Question<'a> {
    input: Vec<&'a str>,
    model: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Flag>,
}

#[derive(Deserialize)]
struct Flag {
    flagged: bool,
}

impl Moderation {
    /// Whether some part of the prompt is flagged.
    pub(in crate::gateway) async fn flags(
        &self,
        transport: &Transport,
        said: &[Said],
    ) -> Result<bool, Failed> {
        let request = self.request(said)?;
        let answer = transport.send(&self.origin, request).await;
        let (_, body) = answer.map_err(|_| Failed)?.into_parts();
        let bytes = body::read(body, ANSWER_LIMIT).await;
        let bytes = bytes.map_err(|_| Failed)?;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| Failed)?;
        Ok(answer.results.iter().any(|result| result.flagged))
    }

    fn request(&self, said: &[Said]) -> Result<Request<AnyBody>, Failed> {
        let question = Question {
            input: said.iter().map(|said| said.content.as_str()).collect(),
            model: &self.model,
        };
        let body = serde_json::to_vec(&question).map_err(|_| Failed)?;
        let mut request = Request::new(AnyBody::whole(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = PATH.parse().map_err(|_| Failed)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(host) = &self.origin.host {
            headers.insert(HOST, host.clone());
        }
        if let Some(key) = &self.key {
            headers.insert(AUTHORIZATION, key.clone());
        }
        Ok(request)
    }
}
