//! Whose API a provider speaks: where it is found, which forms it takes, and its own header fields
//! (facts 5, 9.2, 9.3). One file a provider.

mod anthropic;
mod azureopenai;
mod bedrock;
mod gemini;
mod openai;
mod vertexai;

use std::borrow::Cow;

use http::header::HeaderMap;

pub use azureopenai::Azure;
pub use bedrock::{Bedrock, Guardrail};
pub use vertexai::{Vertex, claude};

use super::RouteType;

/// A provider, and what must be known to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderKind {
    Openai,
    Azureopenai(Azure),
    Anthropic,
    Gemini,
    Vertexai(Vertex),
    Bedrock(Bedrock),
}

/// The form in which a provider wants a request, and in which it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's, in whichever of its forms the client used.
    Openai,
    /// Anthropic's Messages.
    Anthropic,
    /// Messages as Vertex AI takes them: the model is in the path (facts 16.4).
    Vertex,
    /// Bedrock's Converse.
    Converse,
}

#[cfg(test)]
impl Dialect {
    pub const ALL: [Dialect; 4] = [
        Dialect::Openai,
        Dialect::Anthropic,
        Dialect::Vertex,
        Dialect::Converse,
    ];
}

impl ProviderKind {
    /// The provider's name in errors and logs (facts 9.2).
    pub fn name(&self) -> &'static str {
        match self {
            ProviderKind::Openai => openai::NAME,
            ProviderKind::Azureopenai(_) => azureopenai::NAME,
            ProviderKind::Anthropic => anthropic::NAME,
            ProviderKind::Gemini => gemini::NAME,
            ProviderKind::Vertexai(_) => vertexai::NAME,
            ProviderKind::Bedrock(_) => bedrock::NAME,
        }
    }

    /// Where it is, on port 443 with TLS, unless a person says otherwise.
    pub fn host(&self) -> Cow<'_, str> {
        match self {
            ProviderKind::Openai => openai::HOST.into(),
            ProviderKind::Azureopenai(azure) => azure.endpoint.as_str().into(),
            ProviderKind::Anthropic => anthropic::HOST.into(),
            ProviderKind::Gemini => gemini::HOST.into(),
            ProviderKind::Vertexai(vertex) => vertex.host().into(),
            ProviderKind::Bedrock(bedrock) => bedrock.host().into(),
        }
    }

    /// How a request of this form is put to it; none means that it takes no such form.
    pub fn dialect(&self, kind: RouteType, model: &str) -> Option<Dialect> {
        match self {
            ProviderKind::Openai | ProviderKind::Azureopenai(_) => openai::dialect(kind),
            ProviderKind::Anthropic => anthropic::dialect(kind),
            ProviderKind::Gemini => gemini::dialect(kind),
            ProviderKind::Vertexai(_) => vertexai::dialect(kind, model),
            ProviderKind::Bedrock(_) => bedrock::dialect(kind),
        }
    }

    /// Its own path for a request, a query of its own included; none keeps the client's.
    pub fn path(&self, kind: RouteType, model: &str, stream: bool) -> Option<Cow<'static, str>> {
        match self {
            ProviderKind::Openai => openai::path(kind).map(Cow::from),
            ProviderKind::Azureopenai(azure) => azure.path(kind, model).map(Cow::from),
            ProviderKind::Anthropic => anthropic::path(kind).map(Cow::from),
            ProviderKind::Gemini => gemini::path(kind).map(Cow::from),
            ProviderKind::Vertexai(vertex) => vertex.path(kind, model, stream).map(Cow::from),
            ProviderKind::Bedrock(bedrock) => bedrock.path(kind, model, stream).map(Cow::from),
        }
    }

    /// Whether the client's query goes along with the provider's own path (facts 9.3).
    pub fn keeps_query(&self) -> bool {
        match self {
            ProviderKind::Openai | ProviderKind::Anthropic | ProviderKind::Gemini => true,
            ProviderKind::Azureopenai(_) | ProviderKind::Vertexai(_) | ProviderKind::Bedrock(_) => {
                false
            }
        }
    }

    /// The region that a signature names, where the provider has one.
    pub fn region(&self) -> &str {
        match self {
            ProviderKind::Bedrock(bedrock) => &bedrock.region,
            ProviderKind::Openai
            | ProviderKind::Azureopenai(_)
            | ProviderKind::Anthropic
            | ProviderKind::Gemini
            | ProviderKind::Vertexai(_) => bedrock::REGION,
        }
    }

    /// The guardrail that the provider itself applies.
    pub fn guardrail(&self) -> Option<&Guardrail> {
        match self {
            ProviderKind::Bedrock(bedrock) => bedrock.guardrail.as_ref(),
            ProviderKind::Openai
            | ProviderKind::Azureopenai(_)
            | ProviderKind::Anthropic
            | ProviderKind::Gemini
            | ProviderKind::Vertexai(_) => None,
        }
    }

    /// Takes out what Codex and its like tell OpenAI of a session: Bedrock's signature does not stand it.
    pub fn leave_out_session(&self, headers: &mut HeaderMap) {
        if matches!(self, ProviderKind::Bedrock(_)) {
            headers.remove("conversation_id");
            headers.remove("session_id");
        }
    }

    /// Gives the key the form that the provider wants it in.
    pub fn present_key(&self, headers: &mut HeaderMap) {
        if *self == ProviderKind::Anthropic {
            anthropic::present_key(headers);
        }
    }
}

#[cfg(test)]
mod tests;
