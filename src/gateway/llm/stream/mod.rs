//! Streams that are translated on their way: pieces of the provider's in, pieces of the client's out.

mod body;
mod sse;

pub use body::Translated;
pub use sse::{Events, write_event};

use super::{Dialect, RouteType, Usage, anthropic, converse};

/// Turns a provider's stream into a client's, piece by piece; a piece may end anywhere.
pub trait Translator: Send {
    /// Takes the next piece and adds what comes of it to `out`.
    fn push(&mut self, piece: &[u8], out: &mut Vec<u8>);

    /// What the stream has said of its cost so far.
    fn usage(&self) -> &Usage;
}

/// What turns a stream into the client's form; none where it is in that form already. The real proxy
/// lets Vertex AI's Claude through as it is (facts 9.6). `id` is the provider's own for the request.
pub fn translator(
    kind: RouteType,
    dialect: Dialect,
    model: &str,
    id: Option<&str>,
) -> Option<Box<dyn Translator>> {
    match (kind, dialect) {
        (RouteType::Completions, Dialect::Anthropic) => Some(Box::new(anthropic::Chunks::new())),
        (RouteType::Completions, Dialect::Converse) => {
            let random = || format!("{:016x}", rand::random::<u64>());
            let id = id.map_or_else(random, str::to_string);
            Some(Box::new(converse::Chunks::new(id, model)))
        }
        (RouteType::Messages, Dialect::Converse) => {
            Some(Box::new(converse::MessageEvents::new(model)))
        }
        (RouteType::Responses, Dialect::Converse) => {
            Some(Box::new(converse::ResponseEvents::new(model)))
        }
        (_, Dialect::Openai | Dialect::Anthropic | Dialect::Vertex | Dialect::Converse) => None,
    }
}
