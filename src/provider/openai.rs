//! OpenAI.

use super::{CLOUD, Ways};

pub const HOST: &str = "api.openai.com";

pub const WAYS: Ways = Ways {
    name: "openai",
    title: "OpenAI",
    variables: &["OPENAI_API_KEY"],
    default_model: "gpt-4o-mini",
    ..CLOUD
};
