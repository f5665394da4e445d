//! A gateway of its own with every kind of backend before the mock.

use std::net::SocketAddr;

use crate::place::Gw;

/// The one key that the mock takes.
pub const KEY: &str = "mock-key-1";

/// `gw serve` with all objects; ends with the first value.
pub struct World {
    pub gateway: SocketAddr,
    pub mock: SocketAddr,
    _processes: [Gw; 2],
    _folder: tempfile::TempDir,
}

pub async fn start() -> World {
    let (mock_process, mock) = Gw::mock(KEY).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("objects.yaml");
    std::fs::write(&file, objects(mock)).unwrap();
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let gateway = free.local_addr().unwrap();
    drop(free);
    let port = gateway.port().to_string();
    let args = [
        "serve",
        "--quiet",
        "--file",
        &file.to_string_lossy(),
        "--port",
        &port,
    ];
    let serve = Gw::start(&args, &[]).await;
    assert!(serve.line.contains(&gateway.to_string()), "{}", serve.line);
    World {
        gateway,
        mock,
        _processes: [mock_process, serve],
        _folder: folder,
    }
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
