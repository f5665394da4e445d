//! Who answered, and what that means: proxy, upstream or nobody. Pure (facts 9.7, 14.9, 15.2).

use super::tls;
use crate::provider::{Home, Provider};

/// What the proxy says of an upstream that it does not reach.
pub(super) const CALL: &str = "upstream call failed";

/// What came back for one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// An explained failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// `503 from the proxy, nothing reached Ollama`.
    pub summary: String,
    pub cause: String,
    pub next: String,
    /// Whether a gateway that has just been given this route may still say so for a moment.
    pub passing: bool,
    /// Whether the proxy itself answered, and nobody behind it (facts 14.9).
    pub from_proxy: bool,
}

/// The route that was asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub provider: Provider,
    /// As people call who is behind the route.
    pub title: &'a str,
    pub model: &'a str,
    pub port: u16,
}

pub fn explain(answer: &Answer, asked: Asked<'_>) -> Explanation {
    let ways = asked.provider.ways();
    let (title, status) = (asked.title, answer.status);
    let body = answer.body.as_str();
    let proxy = |cause: &str, next: &str, passing| Explanation {
        summary: format!("{status} from the proxy, nothing reached {title}"),
        cause: cause.to_string(),
        next: next.to_string(),
        passing,
        from_proxy: true,
    };
    match (status, body) {
        (404, "route not found" | "listener not found") => {
            proxy("no route of the gateway matches this path", "gw up", true)
        }
        (500, "no valid backends") => proxy("the route's backend does not exist", "gw up", true),
        (500, "service not found") => proxy(
            "the backend was not accepted, or its Service is not there",
            "gw status",
            true,
        ),
        (503, "no healthy backends") => proxy(
            "the Service behind the backend has no endpoint",
            "gw up",
            true,
        ),
        (503, "backends required DNS resolution which failed") => proxy(
            "the backend's host name does not resolve in the gateway",
            "gw up",
            true,
        ),
        // It always fails closed (facts 7.2); one that was just named may not be known yet.
        (500, text) if text.starts_with("ext_proc failed") => proxy(
            "the processor that a policy names does not answer the gateway",
            "gw up",
            true,
        ),
        (503, text) if text.starts_with(CALL) => match tls::words(text) {
            Some(words) => {
                let cause = format!("TLS with {title} fails: {words}");
                proxy(&cause, "gw reach", false)
            }
            None => {
                let cause = format!(
                    "nothing answers at the backend's address: {title} has ended, or the gateway can't reach it"
                );
                proxy(&cause, ways.start, true)
            }
        },
        (503, text) if text.starts_with("processing failed: failed to parse response") => {
            Explanation {
                summary: format!("503 from the proxy, {title} answered in another form"),
                cause: "what listens at the backend's address does not speak this API".to_string(),
                next: "gw logs".to_string(),
                passing: false,
                from_proxy: false,
            }
        }
        (503, text) if text.starts_with("processing failed") => {
            proxy("the gateway can't read the request", "gw logs", false)
        }
        (504, _) => Explanation {
            summary: format!("504 from the proxy, {title} did not answer in time"),
            cause: "the route's timeout is shorter than the answer takes".to_string(),
            next: "gw test".to_string(),
            passing: false,
            from_proxy: true,
        },
        (403, "CSRF validation failed") => proxy(
            "the gateway takes this for a request from another web site",
            "gw logs",
            false,
        ),
        (429, "rate limit exceeded") => {
            proxy("a rate limit of the route is used up", "gw test", false)
        }
        (401, text) if answer.content_type.starts_with("text/plain") => {
            proxy(text, "gw status", false)
        }
        _ => from_upstream(answer, asked),
    }
}

/// Whether a gateway may say this for a moment of any route that it has just been given: nobody behind
/// it was reached.
pub fn is_early(answer: &Answer) -> bool {
    let anybody = Asked {
        provider: Provider::OpenAiCompatible,
        title: "",
        model: "",
        port: 0,
    };
    let explained = explain(answer, anybody);
    explained.passing && explained.from_proxy
}

fn from_upstream(answer: &Answer, asked: Asked<'_>) -> Explanation {
    let ways = asked.provider.ways();
    let (title, status) = (asked.title, answer.status);
    let summary = format!("{status} from {title}");
    let cloud = ways.home == Home::Cloud;
    let said = crate::text::excerpt(&answer.body, 160);
    let (cause, next) = match (status, answer.body.as_str()) {
        (401 | 403, _) if cloud => {
            let variable = ways.variables.first().copied().unwrap_or_default();
            (
                format!("{title} does not take the key: {said}"),
                format!("read -rs {variable} && export {variable} && gw up"),
            )
        }
        (404, body) if cloud && body.contains("model") => (
            format!("{title} has no model {}, or not for this key", asked.model),
            "gw profile show cloud".to_string(),
        ),
        (429, _) => (
            format!("{title} answers no more for now: {said}"),
            "gw test".to_string(),
        ),
        (404, body)
            if body.contains("not found, try pulling it first") || body.contains("model") =>
        {
            (
                format!("{title} has no model {}", asked.model),
                asked.provider.fetch_model(asked.model),
            )
        }
        // Whether the path or the model is not there, a provider of the cloud alone knows.
        (404, _) if cloud => (
            format!("{title} does not have what was asked for: {said}"),
            "gw logs".to_string(),
        ),
        (404, _) => (
            format!("{title} does not know the path: the route's prefix was not taken off"),
            "gw up".to_string(),
        ),
        (403, "") => {
            let cause = format!("{title} refuses the Host or Origin header of the request");
            (
                cause,
                format!("OLLAMA_HOST=0.0.0.0:{} ollama serve", asked.port),
            )
        }
        (502, body) if body.starts_with("gatewright relay") => (
            format!("the relay runs and {title} behind it does not"),
            ways.start.to_string(),
        ),
        _ => (format!("{title} says: {said}"), "gw logs".to_string()),
    };
    Explanation {
        summary,
        cause,
        next,
        passing: false,
        from_proxy: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Explanation {
        let answer = Answer {
            status,
            content_type: "text/plain".into(),
            body: body.into(),
        };
        explain(
            &answer,
            Asked {
                provider: Provider::Ollama,
                title: "Ollama",
                model: "llama3.2",
                port: 11434,
            },
        )
    }

    #[test]
    fn proxy_and_upstream_are_told_apart_by_their_words() {
        // Bodies as recorded: facts 9.7 and 15.2.
        let table = [
            (
                404,
                "route not found",
                "404 from the proxy, nothing reached Ollama",
                "gw up",
            ),
            (404, "404 page not found", "404 from Ollama", "gw up"),
            (
                404,
                r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#,
                "404 from Ollama",
                "ollama pull llama3.2",
            ),
            (
                503,
                "upstream call failed: Connect: Connection refused (os error 111)",
                "503 from the proxy, nothing reached Ollama",
                "ollama serve",
            ),
            (
                500,
                "no valid backends",
                "500 from the proxy, nothing reached Ollama",
                "gw up",
            ),
            (
                500,
                r#"{"error":{"message":"out of memory"}}"#,
                "500 from Ollama",
                "gw logs",
            ),
        ];
        let untrusted = "upstream call failed: Connect: invalid peer certificate: UnknownIssuer";
        assert_eq!(
            said(503, untrusted).cause,
            "TLS with Ollama fails: its certificate is signed by nobody whom the gateway trusts"
        );
        for (status, body, summary, next) in table {
            let explained = said(status, body);
            assert_eq!(
                (explained.summary.as_str(), explained.next.as_str()),
                (summary, next),
                "{body}"
            );
        }
    }

    #[test]
    fn an_own_test_waits_for_the_proxy_alone() {
        let early = |status, content_type: &str, body: &str| {
            is_early(&Answer {
                status,
                content_type: content_type.into(),
                body: body.into(),
            })
        };
        // Facts 9.7: what the proxy says of a way that it does not know yet.
        for (status, body) in [
            (404, "route not found"),
            (404, "listener not found"),
            (500, "no valid backends"),
            (500, "service not found"),
            (503, "no healthy backends"),
            (
                503,
                "upstream call failed: Connect: Connection refused (os error 111)",
            ),
        ] {
            assert!(early(status, "text/plain", body), "{body}");
        }
        // A person's own expectation may be any of these, and waiting would not change them.
        for (status, body) in [
            (200, "route not found"),
            (404, r#"{"error": "route not found"}"#),
            (404, ""),
            (401, "no key"),
            (429, "rate limit exceeded"),
            (500, r#"{"error": "no valid backends"}"#),
            (
                503,
                "upstream call failed: Connect: invalid peer certificate: UnknownIssuer",
            ),
        ] {
            assert!(!early(status, "application/json", body), "{body}");
        }
    }

    #[test]
    fn a_prefix_is_missed_only_where_a_server_here_says_so() {
        let of = |provider: Provider| {
            let answer = Answer {
                status: 404,
                content_type: "application/json".into(),
                body: "{}".into(),
            };
            let asked = Asked {
                provider,
                title: "it",
                model: "m",
                port: 0,
            };
            explain(&answer, asked).cause
        };
        assert!(of(Provider::Ollama).contains("prefix was not taken off"));
        for cloud in [Provider::Bedrock, Provider::OpenAi] {
            assert!(!of(cloud).contains("prefix"), "{}", of(cloud));
        }
    }

    #[test]
    fn only_what_a_new_route_says_for_a_moment_is_passing() {
        assert!(said(404, "route not found").passing);
        assert!(said(500, "ext_proc failed: failed to send request").passing);
        assert!(!said(404, "404 page not found").passing);
        assert!(!said(503, "processing failed: failed to parse request: x").passing);
    }
}
