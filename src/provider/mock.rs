//! The built-in mock provider: answers at once, offline, and says in every answer that it is one.
//! It speaks OpenAI's form, Anthropic's, Gemini's and MCP.

use super::{CHAT_PATH, Form, Home, Key, Ways};
use std::time::Duration;

/// Where it serves MCP.
pub const MCP_PATH: &str = "/mcp";

pub const WAYS: Ways = Ways {
    name: "mock",
    title: "mock provider",
    form: Form::OpenAi,
    home: Home::Machine,
    key: Key::None,
    variables: &[],
    settings: &[],
    default_model: "mock",
    default_port: 18434,
    health_path: "/v1/models",
    chat_path: CHAT_PATH,
    patience: Duration::from_secs(10),
    start: "gw up",
};
