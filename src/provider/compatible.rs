//! Any server that speaks OpenAI's API: at an address that the profile gives, or at the port that is
//! usual for LM Studio, vLLM or llama.cpp. Without a model of the profile's the server's first is taken.

use super::{CHAT_PATH, Form, Home, Key, Ways};
use std::time::Duration;

pub const WAYS: Ways = Ways {
    name: "openai-compatible",
    title: "the OpenAI-compatible server",
    form: Form::OpenAi,
    home: Home::Address,
    key: Key::Optional,
    variables: &["OPENAI_COMPATIBLE_API_KEY"],
    settings: &[],
    default_model: "",
    default_port: 0,
    health_path: "/v1/models",
    chat_path: CHAT_PATH,
    patience: Duration::from_secs(180),
    start: "gw up",
};

/// Port: lmstudio.ai/docs, "Local server".
pub const LM_STUDIO: Ways = Ways {
    name: "lmstudio",
    title: "LM Studio",
    home: Home::Machine,
    variables: &["LM_API_TOKEN"],
    default_port: 1234,
    start: "lms server start",
    ..WAYS
};

/// Port and `--api-key`: docs.vllm.ai, "OpenAI-Compatible Server".
pub const VLLM: Ways = Ways {
    name: "vllm",
    title: "vLLM",
    home: Home::Machine,
    variables: &["VLLM_API_KEY"],
    default_port: 8000,
    start: "vllm serve",
    ..WAYS
};

/// Port and `--api-key`: github.com/ggml-org/llama.cpp, tools/server. Its usual port is the
/// gateway's too: one of them needs another.
pub const LLAMA_CPP: Ways = Ways {
    name: "llamacpp",
    title: "llama.cpp",
    home: Home::Machine,
    variables: &["LLAMA_API_KEY"],
    default_port: 8080,
    start: "llama-server --port 8081",
    ..WAYS
};
