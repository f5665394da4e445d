//! A gateway in this process with every kind of backend before the mock.

use std::net::SocketAddr;

use gatewright::gateway::{Gateway, Options, Ports};

use crate::support::log::Lines;
use crate::support::yaml;

/// The one key that the mock takes.
pub const KEY: &str = "mock-key-1";

pub async fn gateway(mock: SocketAddr) -> (Gateway, SocketAddr, Lines) {
    let log = Lines::default();
    let mut options = Options::new(Box::new(log.clone()));
    options.ports = Ports::Free;
    let gateway = Gateway::start(options).unwrap();
    for object in yaml::objects(&objects(mock)) {
        gateway.apply(object).await.unwrap();
    }
    let address = gateway.address(8080).await.unwrap();
    (gateway, address, log)
}

fn objects(mock: SocketAddr) -> String {
    let at = format!("host: 127.0.0.1, port: {}", mock.port());
    let openai = "/v1/chat/completions: Completions, /v1/responses: Responses, /v1/embeddings: Embeddings, '*': Passthrough";
    let anthropic =
        "/v1/messages: Messages, /v1/messages/count_tokens: AnthropicTokenCount, '*': Passthrough";
    let ai = |name: &str, provider: &str, key: &str, routes: &str| {
        let spec = format!(
            "ai: {{provider: {{{provider}, {at}}}}}, policies: {{auth: {{key: {key}}}, ai: {{routes: {{{routes}}}}}}}"
        );
        backend(name, &spec)
    };
    let target = |name: &str, path: &str, protocol: &str| {
        format!("{{name: {name}, static: {{{at}, path: {path}, protocol: {protocol}}}}}")
    };
    let mcp = |name: &str, targets: &[String]| {
        backend(name, &format!("mcp: {{targets: [{}]}}", targets.join(", ")))
    };
    let (http, sse) = (
        target("http", "/mcp", "StreamableHTTP"),
        target("sse", "/sse", "SSE"),
    );
    [
        GATEWAY.to_string(),
        ai("openai", "openai: {}", KEY, openai),
        ai("openai-wrong", "openai: {}", "wrong", openai),
        ai("anthropic", "anthropic: {}", KEY, anthropic),
        ai("anthropic-wrong", "anthropic: {}", "wrong", anthropic),
        ai(
            "claude",
            "anthropic: {model: claude}, path: /v1/messages",
            KEY,
            "",
        ),
        ai(
            "claude-wrong",
            "anthropic: {model: claude}, path: /v1/messages",
            "wrong",
            "",
        ),
        ai(
            "gemini",
            "gemini: {}, path: /v1beta/openai/chat/completions",
            KEY,
            "",
        ),
        mcp("mcp-http", std::slice::from_ref(&http)),
        mcp("mcp-sse", std::slice::from_ref(&sse)),
        mcp("mcp-both", &[http, sse]),
    ]
    .join("---\n")
}

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: ns}
spec: {gatewayClassName: agentgateway, listeners: [{name: http, protocol: HTTP, port: 8080}]}
";

/// A backend, and a route of the same name that takes its own prefix off.
fn backend(name: &str, spec: &str) -> String {
    format!(
        "
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: {name}, namespace: ns}}
spec: {{{spec}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules:
  - matches: [{{path: {{type: PathPrefix, value: /{name}}}}}]
    filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /}}}}}}]
    backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: {name}}}]
"
    )
}
