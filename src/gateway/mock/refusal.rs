//! Errors as each provider words them.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::place::Dialect;

/// Why a request is refused, in no dialect yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub message: String,
    /// A provider's own code where the status alone does not tell it.
    pub code: Option<&'static str>,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            message: message.into(),
            code: None,
        }
    }

    pub fn bad(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn code(mut self, code: &'static str) -> Refusal {
        self.code = Some(code);
        self
    }

    /// The refusal as this provider says it.
    pub fn answer(&self, dialect: Dialect) -> Answer {
        let status = self.status;
        match dialect {
            Dialect::OpenAi | Dialect::Own => Answer::json(status, self.openai()),
            Dialect::Azure => Answer::json(status, self.azure()),
            Dialect::Anthropic => self.anthropic(),
            Dialect::Gemini | Dialect::Vertex => Answer::json(status, self.google()),
            Dialect::Google => Answer::json(status, json!([self.google()])),
            Dialect::Bedrock => Answer::json(status, json!({"message": self.message}))
                .with("x-amzn-errortype", self.code.unwrap_or(aws(status))),
            Dialect::Mcp => {
                let error = json!({"code": -32000, "message": self.message});
                Answer::json(
                    status,
                    json!({"jsonrpc": "2.0", "error": error, "id": null}),
                )
            }
        }
    }

    fn openai(&self) -> Value {
        let (kind, code) = match self.status.as_u16() {
            401 => ("invalid_request_error", Some("invalid_api_key")),
            403 => ("permission_error", None),
            429 => ("rate_limit_error", Some("rate_limit_exceeded")),
            500.. => ("server_error", None),
            _ => ("invalid_request_error", None),
        };
        let code = self.code.or(code);
        json!({"error": {"message": self.message, "type": kind, "param": null, "code": code}})
    }

    fn azure(&self) -> Value {
        match self.status.as_u16() {
            status @ (401 | 404 | 429) => {
                let status = status.to_string();
                let code = self.code.unwrap_or(&status);
                json!({"error": {"code": code, "message": self.message}})
            }
            _ => self.openai(),
        }
    }

    fn anthropic(&self) -> Answer {
        let kind = match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        let error = json!({"type": kind, "message": self.message});
        let value = json!({"type": "error", "error": error, "request_id": "req_mock"});
        Answer::json(self.status, value)
    }

    fn google(&self) -> Value {
        let code = self.status.as_u16();
        let name = match code {
            400 => "INVALID_ARGUMENT",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            500.. => "INTERNAL",
            _ => "FAILED_PRECONDITION",
        };
        let status = self.code.unwrap_or(name);
        json!({"error": {"code": code, "message": self.message, "status": status}})
    }
}

fn aws(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}
