//! Providers whose API is another than the client's, from the client's request to the access log.

use std::io::Write;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use gatewright::gateway::Gateway;
use gatewright::gateway::mock::serve_mock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::client::{Reply, call};
use crate::support::log::Lines;
use crate::support::model::{self, Said, Seen};
use crate::world::{LOCAL, PING, STREAM, recorded, start};

/// A backend `b` on `/b`, which keeps the client's path below it.
fn backend(provider: &str, upstream: SocketAddr, more: &str) -> String {
    let port = upstream.port();
    format!(
        r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: b, namespace: ns}}
spec:
  ai: {{provider: {{{provider}, host: 127.0.0.1, port: {port}}}}}
  policies: {{ai: {{routes: {{/v1/messages: Messages, /v1/responses: Responses, "/count-tokens": AnthropicTokenCount}}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: b, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules:
  - matches: [{{path: {{value: /b}}}}]
    filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /}}}}}}]
    backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: b}}]
---
{more}"#
    )
}

/// The mock as Bedrock; the verb of its path is the provider's, whatever the client's path is.
async fn bedrock(verb: &str, kind: &str) -> (Gateway, SocketAddr, Lines) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mock = listener.local_addr().unwrap();
    tokio::spawn(serve_mock(listener, std::future::pending()));
    let provider = format!("bedrock: {{model: m}}, path: /model/m/{verb}");
    let objects = backend(&provider, mock, "").replace(
        "/v1/messages: Messages, /v1/responses: Responses, \"/count-tokens\": AnthropicTokenCount",
        &format!("\"*\": {kind}"),
    );
    start(mock, &objects).await
}

async fn ask(address: SocketAddr, path: &str, body: &Value) -> Reply {
    call(address, "POST", path, &[LOCAL], body.to_string()).await
}

/// The data of every event, as JSON.
fn events(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    let data = reply
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn prompt(more: Value) -> Value {
    let mut body =
        json!({"model": "x", "messages": [{"role": "user", "content": "one two three"}]});
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

fn text(events: &[Value], path: &str) -> String {
    events
        .iter()
        .filter_map(|event| event.pointer(path)?.as_str())
        .collect()
}

#[tokio::test]
async fn bedrock_answers_a_completion_whole_and_streamed_with_the_same_text() {
    let (_whole, address, log) = bedrock("converse", "Completions").await;
    let whole = ask(address, "/b/v1/chat/completions", &prompt(json!({}))).await;
    let whole: Value = serde_json::from_str(&whole.body).unwrap();
    assert_eq!(whole["model"], "m");
    let line = log.find("http.path=/b/v1/chat/completions").await;
    let used = |field: &str| whole["usage"][field].to_string();
    assert!(
        line.contains(&format!(
            "gen_ai.usage.input_tokens={} ",
            used("prompt_tokens")
        )),
        "{line}"
    );
    assert!(line.contains("gen_ai.provider.name=aws.bedrock"), "{line}");

    let (_streamed, address, log) = bedrock("converse-stream", "Completions").await;
    let streamed = ask(
        address,
        "/b/v1/chat/completions",
        &prompt(json!({"stream": true})),
    )
    .await;
    let chunks = events(&streamed);
    let said = text(&chunks, "/choices/0/delta/content");
    assert_eq!(
        said,
        whole["choices"][0]["message"]["content"].as_str().unwrap()
    );
    assert_eq!(chunks.last().unwrap()["usage"], whole["usage"]);
    let line = log.find("http.path=/b/v1/chat/completions").await;
    assert!(
        line.contains(&format!(
            "gen_ai.usage.output_tokens={} ",
            used("completion_tokens")
        )),
        "{line}"
    );
}

#[tokio::test]
async fn bedrock_calls_a_tool_in_every_api() {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let function = json!({"name": "weather", "parameters": schema});
    let completion = prompt(
        json!({"tools": [{"type": "function", "function": function}], "tool_choice": "required"}),
    );
    let message = prompt(
        json!({"max_tokens": 50, "tools": [{"name": "weather", "input_schema": schema}], "tool_choice": {"type": "any"}}),
    );
    let response = json!({"model": "x", "input": "one two three", "tool_choice": "required",
        "tools": [{"type": "function", "name": "weather", "parameters": schema}]});
    let table = [
        (
            "Completions",
            completion,
            "/choices/0/message/tool_calls/0/function/name",
        ),
        ("Messages", message, "/content/0/name"),
        ("Responses", response, "/output/0/name"),
    ];
    for (kind, body, place) in table {
        let (_gateway, address, _log) = bedrock("converse", kind).await;
        let reply = ask(address, "/b", &body).await;
        let answer: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(
            answer.pointer(place),
            Some(&json!("weather")),
            "{kind}: {answer}"
        );
    }
}

#[tokio::test]
async fn bedrock_streams_to_clients_of_messages_and_responses() {
    let (_messages, address, _log) = bedrock("converse-stream", "Messages").await;
    let body = prompt(json!({"stream": true, "max_tokens": 50}));
    let said = events(&ask(address, "/b", &body).await);
    assert_eq!(said.first().unwrap()["type"], "message_start");
    assert!(!text(&said, "/delta/text").is_empty());
    assert_eq!(said.last().unwrap()["type"], "message_stop");

    let (_responses, address, _log) = bedrock("converse-stream", "Responses").await;
    let body = json!({"model": "x", "input": "one two three", "stream": true});
    let said = events(&ask(address, "/b", &body).await);
    assert_eq!(said.first().unwrap()["type"], "response.created");
    assert!(!text(&said, "/delta").is_empty());
    assert_eq!(said.last().unwrap()["type"], "response.completed");
}

#[tokio::test]
async fn an_error_that_is_not_anthropics_is_told_as_the_real_proxy_tells_it() {
    let (upstream, _) = recorded().await;
    let (_gateway, address, _) = start(upstream, &backend("anthropic: {}", upstream, "")).await;
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "FAIL500"}]});
    let reply = ask(address, "/b/v1/chat/completions", &body).await;
    let expected =
        "processing failed: failed to marshal response: missing field `type` at line 1 column 71";
    assert_eq!((reply.status, reply.body.as_str()), (503, expected));
}

#[tokio::test]
async fn claude_on_vertex_streams_in_its_own_form() {
    let (upstream, seen) = recorded().await;
    let vertex =
        "vertexai: {model: anthropic/claude-x, projectId: p, region: r}, path: /v1/messages";
    let objects = backend(vertex, upstream, "").replace("/v1/messages: Messages", "/x: Messages");
    let (_gateway, address, _) = start(upstream, &objects).await;
    let reply = call(address, "POST", "/b/v1/chat/completions", &[LOCAL], STREAM).await;
    assert!(
        reply.body.starts_with("event: message_start\n"),
        "{}",
        reply.body
    );
    let sent = &seen.take()[0]["body"];
    assert_eq!(sent["anthropic_version"], "vertex-2023-10-16");
    assert_eq!(sent["model"], Value::Null);
}

#[tokio::test]
async fn a_streamed_answer_of_anthropics_costs_a_token_limit_nothing() {
    let (upstream, _) = recorded().await;
    let limit = r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {name: p, namespace: ns}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}]
  traffic: {rateLimit: {local: [{tokens: 5, unit: Hours}]}}
"#;
    let objects = backend("anthropic: {}, path: /v1/messages", upstream, limit);
    let objects = objects.replace("/v1/messages: Messages", "/x: Messages");
    let (_gateway, address, _) = start(upstream, &objects).await;
    let statuses = |path: &'static str, body: &'static str| async move {
        let mut found = Vec::new();
        for _ in 0..3 {
            found.push(call(address, "POST", path, &[LOCAL], body).await.status);
        }
        found
    };
    assert_eq!(statuses("/b", STREAM).await, [200, 200, 200]);
    // One whole answer costs 13, and the limit is used up for all.
    assert_eq!(statuses("/b", PING).await, [200, 429, 429]);
}

#[tokio::test]
async fn a_compressed_answer_is_understood() {
    let message = r#"{"id":"i","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"pong"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#;
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(message.as_bytes()).unwrap();
    let packed = zip.finish().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            packed.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&packed).await.unwrap();
    });
    let (_gateway, address, _) = start(upstream, &backend("anthropic: {}", upstream, "")).await;
    let headers = [LOCAL, ("accept-encoding", "gzip, br")];
    let reply = call(address, "POST", "/b/v1/chat/completions", &headers, PING).await;
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "pong");
    assert!(!reply.headers.contains_key("content-encoding"));
}

// From agentgateway's issue 1340 (fixed after 0.12), which tells what 0.12 does: the status goes through.
#[tokio::test]
async fn a_stream_that_does_not_begin_keeps_its_status_and_what_can_be_read_of_the_reason() {
    fn refuses(_: &str, _: &http::HeaderMap, body: &Value) -> Said {
        match body.to_string().contains("FAIL500") {
            true => Said::Text(500, "text/html", "<html>".to_string()),
            false => Said::Json(
                529,
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
            ),
        }
    }
    let upstream = model::start(refuses, None, Seen::default()).await;
    let (_gateway, address, _) = start(upstream, &backend("anthropic: {}", upstream, "")).await;
    for (said, status, expected) in [
        ("FAIL500", 500, ""),
        (
            "hi",
            529,
            r#"{"event_id":null,"error":{"type":"invalid_request_error","message":"busy"}}"#,
        ),
    ] {
        let body =
            json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": said}]});
        let reply = ask(address, "/b/v1/chat/completions", &body).await;
        assert_eq!((reply.status, reply.body.as_str()), (status, expected));
    }
}

// From agentgateway's llm/mod.rs, `process_response`: a count is read whatever its status is.
#[tokio::test]
async fn a_count_that_is_none_is_told_whatever_its_status() {
    fn refuses(_: &str, _: &http::HeaderMap, _: &Value) -> Said {
        Said::Json(401, json!({"error": "no"}))
    }
    let upstream = model::start(refuses, None, Seen::default()).await;
    let objects = backend("anthropic: {}", upstream, "").replace(
        "/v1/messages: Messages",
        "/count_tokens: AnthropicTokenCount",
    );
    let (_gateway, address, _) = start(upstream, &objects).await;
    let body = json!({"model": "m", "messages": []});
    let reply = ask(address, "/b/v1/messages/count_tokens", &body).await;
    let expected = "processing failed: failed to parse response: missing field `input_tokens` at line 1 column 15";
    assert_eq!((reply.status, reply.body.as_str()), (503, expected));
}
