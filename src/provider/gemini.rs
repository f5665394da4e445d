//! Gemini by its OpenAI-compatible endpoint (facts 9.3).

use super::{CLOUD, Form, Ways};

pub const HOST: &str = "generativelanguage.googleapis.com";

pub const WAYS: Ways = Ways {
    name: "gemini",
    title: "Gemini",
    form: Form::Gemini,
    variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    default_model: "gemini-2.5-flash",
    ..CLOUD
};
