//! Model traffic: which form of API a path means, whose API the provider speaks, and how requests and
//! answers are read, translated and written again.

mod answer;
mod anthropic;
mod chunk;
mod coding;
mod converse;
mod credential;
mod failure;
mod form;
mod meter;
mod policy;
mod prompt;
mod provider;
mod route;
mod said;
mod sniff;
mod stream;
mod usage;

pub(super) use answer::{Answer, read as read_answer};
pub(super) use coding::{Coding, unpack};
pub(super) use converse::Context;
pub(super) use credential::{authorise, google, signing_region};
pub(super) use failure::{is_foreign as is_foreign_error, read as read_error};
pub(super) use meter::Meter;
pub(super) use policy::{AiPolicy, Aliases, Caching, Fields};
pub(super) use prompt::{Prompt, read as read_prompt, read_value as read_prompt_value};
pub(super) use provider::{Azure, Bedrock, Dialect, Guardrail, ProviderKind, Vertex};
pub(super) use route::{RouteType, RouteTypes};
use sniff::Sniffer;
pub(super) use stream::{Translated, translator};
pub(super) use usage::Usage;

/// The most that is held of a request's body, and of an answer's (facts 9.6).
pub(super) const BODY_LIMIT: usize = 2 << 20;
/// Answers may be longer than prompts: a batch of embeddings is.
pub(super) const ANSWER_LIMIT: usize = 32 << 20;

#[cfg(test)]
mod tests;
