//! Answers that the gateway makes itself, in the real proxy's words (facts 9.7).

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

/// Why a request was not passed on, or what came back instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: StatusCode,
    /// `reason` of the access log.
    pub reason: &'static str,
    pub body: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the body is said to be, where it is said.
    pub content: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, reason: &'static str, body: impl Into<String>) -> Refusal {
        Refusal {
            status,
            reason,
            body: body.into(),
            headers: Vec::new(),
            content: Some("text/plain"),
        }
    }

    pub fn listener_not_found() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", "listener not found")
    }

    pub fn route_not_found() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", "route not found")
    }

    /// Recording cluster/backend-missing: the log's reason is NoHealthyBackend although the code is 500.
    pub fn no_valid_backends() -> Refusal {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "NoHealthyBackend",
            "no valid backends",
        )
    }

    pub fn service_not_found() -> Refusal {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "NotFound",
            "service not found",
        )
    }

    pub fn no_healthy_backends() -> Refusal {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "NoHealthyBackend",
            "no healthy backends",
        )
    }

    pub fn dns() -> Refusal {
        let body = "backends required DNS resolution which failed";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NoHealthyBackend", body)
    }

    /// `upstream call failed: Connect: ...`
    pub fn upstream(cause: &str) -> Refusal {
        let body = format!("upstream call failed: {cause}");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UpstreamFailure", body)
    }

    pub fn request_timeout() -> Refusal {
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", "request timeout")
    }

    pub fn upstream_timeout() -> Refusal {
        Refusal::new(
            StatusCode::GATEWAY_TIMEOUT,
            "Timeout",
            "upstream call timeout",
        )
    }

    /// `processing failed: ...`, the family of everything that goes wrong with a prompt or an answer.
    pub fn processing(cause: impl std::fmt::Display) -> Refusal {
        let body = format!("processing failed: {cause}");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Internal", body)
    }

    /// A webhook or a moderation that could not be asked lets nothing pass.
    pub fn guard_failed() -> Refusal {
        Refusal::processing("prompt guard failed")
    }

    pub fn models() -> Refusal {
        let body = r#"{"error":"Route 'Models' not implemented"}"#;
        Refusal {
            content: Some("application/json"),
            ..Refusal::new(StatusCode::NOT_IMPLEMENTED, "", body)
        }
    }

    pub fn csrf() -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "CSRF", "CSRF validation failed")
    }

    /// Seconds until the next refill are rounded up (recordings `rlreq-3`, policies/limit-*).
    pub fn rate_limit(limit: u64, remaining: u64, reset: u64) -> Refusal {
        let header = |name, value: u64| (HeaderName::from_static(name), HeaderValue::from(value));
        Refusal {
            headers: vec![
                header("x-ratelimit-limit", limit),
                header("x-ratelimit-remaining", remaining),
                header("x-ratelimit-reset", reset),
            ],
            ..Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "RateLimit",
                "rate limit exceeded",
            )
        }
    }

    pub fn jwt(cause: impl std::fmt::Display) -> Refusal {
        let body = format!("authentication failure: {cause}");
        Refusal::new(StatusCode::UNAUTHORIZED, "JwtAuth", body)
    }

    /// An MCP client without a token that is good is told where it gets one (facts 9.8).
    pub fn mcp_token(challenge: String) -> Refusal {
        let body = r#"{"error":"unauthorized","error_description":"JWT token required"}"#;
        let challenge = HeaderValue::from_maybe_shared(Bytes::from(challenge)).ok();
        Refusal {
            headers: challenge
                .map(|value| (WWW_AUTHENTICATE, value))
                .into_iter()
                .collect(),
            content: Some("application/json"),
            ..Refusal::new(StatusCode::UNAUTHORIZED, "JwtAuth", body)
        }
    }

    pub fn api_key(cause: &str) -> Refusal {
        let body = format!("api key authentication failure: {cause}");
        Refusal::new(StatusCode::UNAUTHORIZED, "APIKeyAuth", body)
    }

    pub fn basic(cause: &str, challenge: HeaderValue) -> Refusal {
        let body = format!("basic authentication failure: {cause}");
        Refusal {
            headers: vec![(WWW_AUTHENTICATE, challenge)],
            ..Refusal::new(StatusCode::UNAUTHORIZED, "BasicAuth", body)
        }
    }

    /// The global limiter could not be asked (facts 9.7).
    pub fn rate_limit_failed() -> Refusal {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Refusal::new(status, "RateLimit", "rate limit failed")
    }

    /// One who can't be asked says no (facts 4.5, 9.7).
    pub fn ext_auth() -> Refusal {
        let body = "external authorization failed";
        Refusal::new(StatusCode::FORBIDDEN, "ExtAuth", body)
    }

    /// An upstream changed the protocol to something that the client did not ask for.
    pub fn upgrade(asked: Option<&HeaderValue>, given: Option<&HeaderValue>) -> Refusal {
        let body =
            format!("request upgrade failed, backend tried {given:?} but {asked:?} was requested");
        Refusal::new(StatusCode::BAD_GATEWAY, "Internal", body)
    }

    /// Whether another try may help: the upstream could not be found, reached, or heard to the end of its head.
    pub fn is_retryable(&self) -> bool {
        self.reason == "UpstreamFailure" || *self == Refusal::dns()
    }

    pub fn ext_proc(cause: impl std::fmt::Display) -> Refusal {
        let body = format!("ext_proc failed: {cause}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "ExtProc", body)
    }

    /// A key that could not be had or made (facts 5).
    pub fn backend_auth(cause: &str) -> Refusal {
        let body = format!("backend authentication failed: {cause}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "BackendAuth", body)
    }

    pub fn authorization() -> Refusal {
        let status = StatusCode::FORBIDDEN;
        Refusal::new(status, "Authorization", "authorization failed")
    }

    pub fn preflight(headers: Vec<(HeaderName, HeaderValue)>) -> Refusal {
        Refusal {
            headers,
            ..Refusal::new(StatusCode::OK, "", "")
        }
    }

    /// Says nothing of its content (recording policies/direct).
    pub fn direct(status: StatusCode, body: &str) -> Refusal {
        Refusal {
            content: None,
            ..Refusal::new(status, "", body)
        }
    }

    pub fn filter() -> Refusal {
        let body = "failed to apply filters: invalid filter configuration: prefix redirect requires prefix match";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", body)
    }

    pub fn redirect(status: u16, location: HeaderValue) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
        Refusal {
            headers: vec![(LOCATION, location)],
            ..Refusal::new(status, "", "")
        }
    }

    /// A path or an address that no request can be made of.
    pub fn invalid(cause: impl std::fmt::Display) -> Refusal {
        let body = format!("failed to build the upstream request: {cause}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", body)
    }

    /// Only the embedded gateway says this: a name that is not ours is refused (architecture, decision 7).
    pub fn foreign_host(host: &str) -> Refusal {
        let body = format!(
            "this gateway answers to localhost and to the hostnames of its listeners and routes, not to {host:?}"
        );
        Refusal::new(StatusCode::MISDIRECTED_REQUEST, "ForeignHost", body)
    }

    /// Only the embedded gateway says this: a call that would come back to it is not made.
    pub fn own_host(host: &str) -> Refusal {
        let body = format!(
            "this route calls the host that is asked for, and {host:?} is this gateway's own"
        );
        Refusal::new(StatusCode::MISDIRECTED_REQUEST, "ForeignHost", body)
    }

    /// Only the embedded gateway says this: access control that it can't do is not skipped.
    pub fn unsupported(what: &str) -> Refusal {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refusal::new(status, "Unsupported", what)
    }

    pub fn into_response(self) -> Response<Bytes> {
        let body = Bytes::from(self.body);
        let content = self.content.filter(|_| !body.is_empty());
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.headers);
        if let Some(kind) = content {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        response
    }
}
