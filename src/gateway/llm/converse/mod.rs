//! Bedrock's Converse API: requests of every form to it, its answers, streams and errors back. Texts are
//! translated as the real proxy does it; images, calls of tools and their results too.

mod answer;
mod cache;
mod chunks;
mod count;
mod event;
mod failure;
mod frame;
mod from_completions;
mod from_messages;
mod from_responses;
mod messages;
mod reason;
mod request;
mod responses;
mod tokens;

use http::header::HeaderMap;

pub use answer::read as read_answer;
pub use chunks::Chunks;
pub use count::{from_messages as count_tokens, read as read_count};
pub use failure::read as read_error;
#[cfg(test)]
pub use frame::written;
pub use from_completions::translate as from_completions;
pub use from_messages::translate as from_messages;
pub use from_responses::translate as from_responses;
pub use messages::MessageEvents;
pub use responses::ResponseEvents;

use super::policy::Caching;
use super::provider::Guardrail;

/// What a request's body is not alone made of.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub guardrail: Option<&'a Guardrail>,
    /// The client's; `anthropic-beta`, `anthropic-version` and `x-bedrock-metadata` are looked at.
    pub headers: &'a HeaderMap,
    pub caching: Option<&'a Caching>,
}

impl Context<'_> {
    #[cfg(test)]
    pub fn of(headers: &HeaderMap) -> Context<'_> {
        Context {
            guardrail: None,
            headers,
            caching: None,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
