//! Vertex AI: Google's models by an endpoint that speaks OpenAI's API, Anthropic's by their own.

use super::{Dialect, RouteType};

pub const NAME: &str = "gcp.vertex_ai";

/// `vertexai` of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vertex {
    pub project: String,
    pub region: String,
}

/// The name of an Anthropic model, without the publisher that makes it one (facts 9.3).
pub fn claude(model: &str) -> Option<&str> {
    model
        .strip_prefix("publishers/anthropic/models/")
        .or_else(|| model.strip_prefix("anthropic/"))
}

pub fn dialect(kind: RouteType, model: &str) -> Option<Dialect> {
    match (kind, claude(model)) {
        (RouteType::Completions, None) => Some(Dialect::Openai),
        (RouteType::Completions | RouteType::Messages, Some(_)) => Some(Dialect::Vertex),
        (RouteType::AnthropicTokenCount, _) => Some(Dialect::Vertex),
        (RouteType::Messages, None)
        | (
            RouteType::Responses
            | RouteType::Embeddings
            | RouteType::Models
            | RouteType::Passthrough,
            _,
        ) => None,
    }
}

impl Vertex {
    pub fn host(&self) -> String {
        format!("{}-aiplatform.googleapis.com", self.region)
    }

    pub fn path(&self, kind: RouteType, model: &str, stream: bool) -> Option<String> {
        let Vertex { project, region } = self;
        let rest = match (dialect(kind, model)?, kind) {
            // Google's documentation of Claude on Vertex: counting has a place of its own.
            (_, RouteType::AnthropicTokenCount) => {
                "publishers/anthropic/models/count-tokens:rawPredict".to_string()
            }
            (Dialect::Vertex, _) => {
                let model = claude(model).unwrap_or(model);
                let verb = if stream {
                    "streamRawPredict"
                } else {
                    "rawPredict"
                };
                format!("publishers/anthropic/models/{model}:{verb}")
            }
            (Dialect::Openai | Dialect::Anthropic | Dialect::Converse, _) => {
                "endpoints/openapi/chat/completions".to_string()
            }
        };
        Some(format!("/v1/projects/{project}/locations/{region}/{rest}"))
    }
}
