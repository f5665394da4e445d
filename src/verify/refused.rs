//! What the gateway itself says where an MCP call fails, in plain words (facts 9.8). Pure.

use super::answer::{CALL, Explanation};
use super::tls;
use serde_json::Value;

/// `None` where the gateway has not answered by itself.
pub fn gateways(status: u16, body: &str, title: &str) -> Option<Explanation> {
    let explained = |summary: String, cause: String, next: &str, passing| Explanation {
        summary,
        cause,
        next: next.to_string(),
        passing,
        from_proxy: true,
    };
    let proxy = format!("{status} from the proxy");
    if let Some(said) = body.strip_prefix("mcp: ") {
        return Some(match said.strip_prefix("upstream error: ") {
            Some(code) => Explanation {
                from_proxy: false,
                ..explained(
                    format!("{} from {title}", code.trim()),
                    format!("{title} refuses the call with {}", code.trim()),
                    "gw logs",
                    false,
                )
            },
            None => explained(
                format!("{proxy}: {said}"),
                format!("the gateway does not take the call: {said}"),
                "gw logs",
                false,
            ),
        });
    }
    let answer: Value = serde_json::from_str(body).ok()?;
    if answer["error"] == "unauthorized" {
        let said = answer["error_description"]
            .as_str()
            .unwrap_or("unauthorized");
        return Some(explained(proxy, said.to_string(), "gw status", false));
    }
    let said = answer.pointer("/error/message")?.as_str()?;
    // A server's own error comes with 200.
    if (200..300).contains(&status) {
        return None;
    }
    if let Some((_, why)) = said.split_once(CALL) {
        let summary = format!("{proxy}, nothing reached {title}");
        let why = why.trim_start_matches(": ").trim_start_matches("Connect: ");
        return Some(match tls::words(why) {
            Some(words) => explained(
                summary,
                format!("TLS with {title} fails: {words}"),
                "gw reach",
                false,
            ),
            None => {
                let cause = format!("{title} takes no connection: {}", plainly(why));
                explained(summary, cause, "gw reach", true)
            }
        });
    }
    if let Some(tool) = said.strip_prefix("Unknown tool: ") {
        let cause = format!("{title} has no tool {tool}, or a policy keeps it from this caller");
        return Some(explained(proxy, cause, "gw status", false));
    }
    let last = said.rsplit(": ").next().unwrap_or(said);
    Some(explained(
        proxy,
        format!("the gateway's call of {title} failed: {last}"),
        "gw logs",
        false,
    ))
}

/// `Connection refused (os error 111)` without the number.
fn plainly(why: &str) -> String {
    let said = why.split(" (os error").next().unwrap_or(why);
    let mut letters = said.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "it says no more".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_says_of_an_mcp_call_is_told_without_its_json() {
        let rpc = |code: i32, message: &str| {
            serde_json::json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}).to_string()
        };
        let unreached = "failed to send message: send error: http upstream error: http request failed: upstream call failed: Connect: ";
        // Bodies of facts 9.8.
        let table = [
            (
                500,
                rpc(
                    -32603,
                    &format!("{unreached}Connection refused (os error 111)"),
                ),
                "500 from the proxy, nothing reached the MCP server",
                "the MCP server takes no connection: connection refused",
            ),
            (
                500,
                rpc(
                    -32603,
                    &format!("{unreached}invalid peer certificate: Expired"),
                ),
                "500 from the proxy, nothing reached the MCP server",
                "TLS with the MCP server fails: its certificate has expired",
            ),
            (
                500,
                rpc(-32602, "Unknown tool: echo"),
                "500 from the proxy",
                "the MCP server has no tool echo, or a policy keeps it from this caller",
            ),
            (
                404,
                "mcp: upstream error: 404".to_string(),
                "404 from the MCP server",
                "the MCP server refuses the call with 404",
            ),
            (
                406,
                "mcp: client must accept both application/json and text/event-stream".to_string(),
                "406 from the proxy: client must accept both application/json and text/event-stream",
                "the gateway does not take the call: client must accept both application/json and text/event-stream",
            ),
            (
                401,
                r#"{"error":"unauthorized","error_description":"JWT token required"}"#.to_string(),
                "401 from the proxy",
                "JWT token required",
            ),
        ];
        for (status, body, summary, cause) in table {
            let told = gateways(status, &body, "the MCP server").unwrap();
            assert_eq!(
                (told.summary.as_str(), told.cause.as_str()),
                (summary, cause)
            );
            assert!(!told.cause.contains('{') && told.next.starts_with("gw "));
        }
        assert_eq!(gateways(200, &rpc(-1, "mine"), "t"), None);
        assert_eq!(gateways(500, "boom", "t"), None);
    }
}
