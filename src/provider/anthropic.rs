//! Anthropic: the proxy translates OpenAI's form to its own and back (facts 9.2, 9.6).

use super::{CLOUD, Form, Ways};

pub const HOST: &str = "api.anthropic.com";
/// The version that the proxy itself sends (facts 5).
pub const VERSION: &str = "2023-06-01";

pub const WAYS: Ways = Ways {
    name: "anthropic",
    title: "Anthropic",
    form: Form::Anthropic,
    variables: &["ANTHROPIC_API_KEY"],
    default_model: "claude-haiku-4-5",
    ..CLOUD
};
