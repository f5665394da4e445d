//! `policies.ai`: what is done to a prompt on its way to a model, and to the answer (facts 7.2, 9.2, 9.5).

mod alias;
mod caching;
mod fields;

pub use alias::Aliases;
pub use caching::Caching;
pub use fields::Fields;

use super::RouteTypes;
use crate::gateway::guard::{Guards, Said};

/// Everything that a backend's `policies.ai` asks for. It is merged as one field (facts 7.1).
#[derive(Debug, Default)]
pub struct AiPolicy {
    pub routes: RouteTypes,
    pub fields: Fields,
    pub aliases: Aliases,
    /// Messages that go before the client's.
    pub prepend: Vec<Said>,
    /// Messages that go after the client's.
    pub append: Vec<Said>,
    pub guards: Guards,
    pub caching: Option<Caching>,
}
