//! `traffic.extProc`: a processor of the person's sees requests and answers over Envoy's gRPC
//! protocol and may change both. Everything is sent, bodies piece by piece, and what comes back is
//! what goes on (Envoy's full duplex mode, the only one of agentgateway 0.12). Always fails closed.

mod body;
mod head;
mod talk;

use std::sync::Arc;

use crate::gateway::config::Callee;
use crate::gateway::exchange::{Exchange, Reply};
use crate::gateway::refusal::Refusal;
pub(in crate::gateway) use talk::Talk;

#[derive(Debug)]
pub struct ExtProc {
    callee: Arc<Callee>,
}

/// What came of a request's way through a processor.
pub(in crate::gateway) enum Processed {
    /// It goes on; its answer will be shown too.
    Goes(Talk),
    /// The processor answered it.
    Answered(Box<Reply>),
}

/// Why a processor failed, in the real proxy's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::gateway) enum Failure {
    #[error("failed to send request")]
    Send,
    #[error("no more responses")]
    Dropped,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        Refusal::ext_proc(failure)
    }
}

impl ExtProc {
    pub(in crate::gateway) fn new(callee: Callee) -> ExtProc {
        ExtProc {
            callee: Arc::new(callee),
        }
    }

    /// Shows a request to the processor and makes the changes that it asks for.
    pub(in crate::gateway) async fn request(
        &self,
        exchange: &mut Exchange<'_>,
    ) -> Result<Processed, Refusal> {
        let mut talk = Talk::open(exchange.plane, &self.callee);
        match talk.request(exchange).await? {
            None => Ok(Processed::Goes(talk)),
            Some(reply) => Ok(Processed::Answered(Box::new(reply))),
        }
    }
}
