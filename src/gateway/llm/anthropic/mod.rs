//! OpenAI's Completions to Anthropic's Messages and back, as the real proxy does it: what it drops is
//! dropped here too (facts 9.6, 16.2).

mod answer;
mod request;
mod stream;

pub use answer::{read as read_answer, read_error};
pub use request::{for_vertex, from_completions};
pub use stream::Chunks;
