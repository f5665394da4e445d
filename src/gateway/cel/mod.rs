//! CEL as agentgateway v0.12 has it: expressions of policies, compiled with the configuration and
//! asked of requests and answers.
//!
//! `tree` prepares what the parser read, `macros` and `functions` are what the real proxy adds to
//! the language, `facts` is what an expression can ask about. Only what is asked for is looked up.

mod expression;
mod facts;
mod functions;
mod macros;
mod tree;
mod value;

pub(super) use expression::Expression;
pub(super) use facts::{AnswerFacts, Facts, RequestFacts};
pub(super) use tree::Needs;

#[cfg(test)]
mod tests;
