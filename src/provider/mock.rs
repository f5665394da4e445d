//! The built-in mock provider: answers at once, offline, and says in every answer that it is one.

use super::Ways;
use std::time::Duration;

pub const WAYS: Ways = Ways {
    name: "mock",
    title: "mock provider",
    default_model: "mock",
    default_port: 18434,
    health_path: "/v1/models",
    chat_path: "/v1/chat/completions",
    patience: Duration::from_secs(10),
    start: "gw up",
};
