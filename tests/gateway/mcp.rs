//! MCP through the gateway: both transports on both sides, sessions, streams, refusals.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright::gateway::Gateway;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::client::{Reply, call, open};
use crate::support::log::Lines;
use crate::support::mcp::{Server, fast};
use crate::world::{LOCAL, SOON, start};

const TYPE: (&str, &str) = ("content-type", "application/json");
const BOTH: (&str, &str) = ("accept", "application/json, text/event-stream");
const EVENTS: (&str, &str) = ("accept", "text/event-stream");

/// One backend for each pair of name and `mcp` section, on the route `/<name>`; `/<name>/old` leads to
/// the transport of 2024.
fn backends(specs: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, spec) in specs {
        text.push_str(&format!(
            r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: {name}, namespace: ns}}
spec: {spec}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules:
  - matches: [{{path: {{value: /{name}}}}}]
    backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: {name}}}]
  - matches: [{{path: {{value: /{name}/old}}}}]
    filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /}}}}}}]
    backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: {name}}}]
---"#
        ));
    }
    text
}

fn target(name: &str, address: SocketAddr, protocol: &str) -> String {
    let port = address.port();
    format!("{{name: {name}, static: {{host: 127.0.0.1, port: {port}, protocol: {protocol}}}}}")
}

fn streamable(address: SocketAddr) -> String {
    format!(
        "{{mcp: {{targets: [{}]}}}}",
        target("alpha", address, "StreamableHTTP")
    )
}

fn legacy(address: SocketAddr) -> String {
    format!(
        "{{mcp: {{targets: [{}]}}}}",
        target("alpha", address, "SSE")
    )
}

async fn gateway(specs: &[(&str, String)]) -> (Gateway, SocketAddr, Lines) {
    start(([127, 0, 0, 1], 1).into(), &backends(specs)).await
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
        "capabilities": {"roots": {}}, "clientInfo": {"name": "test", "version": "0"}}})
}

fn request(id: u64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

async fn post(address: SocketAddr, path: &str, session: Option<&str>, message: &Value) -> Reply {
    let mut headers = vec![LOCAL, TYPE, BOTH];
    headers.extend(session.map(|id| ("mcp-session-id", id)));
    call(address, "POST", path, &headers, message.to_string()).await
}

async fn begin(address: SocketAddr, path: &str) -> String {
    let reply = post(address, path, None, &initialize()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let id = reply.headers["mcp-session-id"].clone();
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(
        post(address, path, Some(&id), &initialized).await.status,
        202
    );
    id
}

/// The message in the one event of an answer.
fn message(reply: &Reply) -> Value {
    let data = reply.body.strip_prefix("data: ").expect("an event");
    serde_json::from_str(data).unwrap()
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, wait).await.expect(what);
}

async fn next(body: &mut Incoming) -> String {
    let frame = timeout(SOON, body.frame()).await.expect("the next event");
    let data = frame.unwrap().unwrap().into_data().unwrap();
    String::from_utf8(data.to_vec()).unwrap()
}

#[tokio::test]
async fn a_delete_ends_the_session_at_its_server() {
    let server = Server::start(fast("alpha")).await;
    let (_gateway, address, _log) = gateway(&[("m", streamable(server.address))]).await;
    let id = begin(address, "/m").await;
    assert_eq!(server.sessions().len(), 1);
    for _ in 0..2 {
        let headers = [LOCAL, ("mcp-session-id", id.as_str())];
        let reply = call(address, "DELETE", "/m", &headers, "").await;
        assert_eq!((reply.status, reply.body.as_str()), (202, ""));
    }
    assert_eq!(server.sessions().len(), 0);
}

#[tokio::test]
async fn a_session_outlives_the_gateway_that_began_it() {
    let server = Server::start(fast("alpha")).await;
    let specs = [("m", streamable(server.address))];
    let (first, address, _log) = gateway(&specs).await;
    let id = begin(address, "/m").await;
    first.stop().await;
    let (_second, address, _log) = gateway(&specs).await;
    let said = request(
        2,
        "tools/call",
        json!({"name": "echo", "arguments": {"text": "hi"}}),
    );
    let reply = post(address, "/m", Some(&id), &said).await;
    assert_eq!(message(&reply)["result"]["content"][0]["text"], "alpha: hi");
}

#[tokio::test]
async fn an_id_leads_to_no_address_but_the_servers_own() {
    let (server, other) = (
        Server::start(fast("alpha")).await,
        Server::start(fast("evil")).await,
    );
    let (_gateway, address, _log) = gateway(&[("m", streamable(server.address))]).await;
    let blob = json!({"t": "mcp", "s": [{"s": "x", "b": other.address.to_string()}]});
    let id = URL_SAFE_NO_PAD.encode(blob.to_string());
    post(
        address,
        "/m",
        Some(&id),
        &request(1, "tools/list", json!({})),
    )
    .await;
    assert!(other.seen().is_empty());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_session_is_for_the_servers_that_it_was_begun_with() {
    let (one, two) = (
        Server::start(fast("alpha")).await,
        Server::start(fast("alpha")).await,
    );
    let specs = [("one", legacy(one.address)), ("two", legacy(two.address))];
    let (_gateway, address, _log) = gateway(&specs).await;
    let id = begin(address, "/one").await;
    let reply = post(
        address,
        "/two",
        Some(&id),
        &request(2, "tools/list", json!({})),
    )
    .await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (404, "mcp: session not found")
    );
}

#[tokio::test]
async fn what_a_server_says_of_its_own_accord_reaches_the_client_at_once() {
    for make in [streamable, legacy] {
        let server = Server::start(fast("alpha")).await;
        let (_gateway, address, _log) = gateway(&[("m", make(server.address))]).await;
        let id = begin(address, "/m").await;
        let headers = [LOCAL, EVENTS, ("mcp-session-id", id.as_str())];
        let answer = open(address, "GET", "/m", &headers, "").await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut body = answer.into_body();
        for number in 0..3 {
            let said = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"n": number}});
            server.say(&said);
            assert_eq!(next(&mut body).await, format!("data: {said}\n\n"));
        }
        assert_eq!(server.streams(), 1);
        drop(body);
        if server.seen().iter().any(|seen| seen["path"] == "/mcp") {
            eventually("a client that leaves closes the stream", || {
                server.streams() == 0
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_client_of_the_transport_of_2024_is_served_by_servers_of_either() {
    for make in [streamable, legacy] {
        let server = Server::start(fast("alpha")).await;
        let (_gateway, address, _log) = gateway(&[("m", make(server.address))]).await;
        let answer = open(address, "GET", "/m/old/sse?key=1", &[LOCAL, EVENTS], "").await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut body = answer.into_body();
        let first = next(&mut body).await;
        let path = first
            .strip_prefix("event: endpoint\ndata: ")
            .unwrap()
            .trim_end();
        assert!(path.starts_with("/m/old/sse?key=1&sessionId="), "{path}");
        for (sent, found) in [
            (initialize(), "\"serverInfo\":{\"name\":\"alpha\""),
            (request(2, "tools/list", json!({})), "\"name\":\"echo\""),
        ] {
            let reply = call(address, "POST", path, &[LOCAL, TYPE], sent.to_string()).await;
            assert_eq!((reply.status, reply.body.as_str()), (202, ""));
            let event = next(&mut body).await;
            assert!(
                event.starts_with("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":"),
                "{event}"
            );
            assert!(event.contains(found), "{event}");
        }
        drop(body);
        eventually("the session ends with its stream", || {
            server.sessions().is_empty() && server.streams() == 0
        })
        .await;
        let reply = call(
            address,
            "POST",
            path,
            &[LOCAL, TYPE],
            initialize().to_string(),
        )
        .await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (404, "mcp: session not found")
        );
    }
}

#[tokio::test]
async fn several_servers_are_one_with_prefixed_names() {
    let (one, two) = (
        Server::start(fast("alpha")).await,
        Server::start(fast("beta")).await,
    );
    let targets = [
        target("alpha", one.address, "StreamableHTTP"),
        target("beta", two.address, "SSE"),
    ];
    let spec = format!("{{mcp: {{targets: [{}]}}}}", targets.join(", "));
    let (_gateway, address, log) = gateway(&[("m", spec)]).await;
    let id = begin(address, "/m").await;
    assert_eq!(
        one.seen()[0]["body"]["params"]["capabilities"],
        json!({}),
        "no roots"
    );
    let session = id.clone();
    let id = Some(id.as_str());
    let prompts = post(address, "/m", id, &request(2, "prompts/list", json!({}))).await;
    assert_eq!(
        message(&prompts)["result"],
        json!({"prompts": [{"name": "alpha_greet"}, {"name": "beta_greet"}]})
    );
    let failed = |text: &str| json!({"code": -32603, "message": format!("failed to send message: send error: {text}")});
    let table = [
        (
            "tools/call",
            json!({"name": "echo"}),
            "invalid request: invalid resource name",
        ),
        (
            "tools/call",
            json!({"name": "gamma_echo"}),
            "invalid request: unknown service gamma",
        ),
        (
            "resources/list",
            json!({}),
            "method resources/list is unsupported with multiplexing",
        ),
        (
            "resources/templates/list",
            json!({}),
            "method resources/templates/list is unsupported with multiplexing",
        ),
        (
            "resources/read",
            json!({"uri": "memo://r"}),
            "method resources/read is unsupported with multiplexing",
        ),
        (
            "completion/complete",
            json!({}),
            "unsupported method: completion/complete",
        ),
        (
            "resources/subscribe",
            json!({}),
            "unsupported method: resources/subscribe",
        ),
    ];
    for (method, params, text) in table {
        let reply = post(address, "/m", id, &request(7, method, params)).await;
        assert_eq!(
            (reply.status, reply.headers["content-type"].as_str()),
            (500, "application/json")
        );
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(
            body,
            json!({"jsonrpc": "2.0", "id": 7, "error": failed(text)}),
            "{method}"
        );
    }
    let ping = post(address, "/m", id, &request(8, "ping", json!({}))).await;
    assert_eq!(
        message(&ping),
        json!({"jsonrpc": "2.0", "id": 8, "result": {}})
    );
    let called = request(
        9,
        "tools/call",
        json!({"name": "beta_echo", "arguments": {"text": "x"}}),
    );
    post(address, "/m", id, &called).await;
    let line = log.find("mcp.resource.name=echo").await;
    let expected = format!(
        "protocol=mcp mcp.method=tools/call mcp.target=alpha mcp.resource.type=tool mcp.resource.name=echo mcp.session.id={} ",
        session
    );
    assert!(line.contains(&expected.replace("alpha", "gamma")), "{line}");
    let line = log.find("mcp.target=beta").await;
    assert!(line.contains(&expected.replace("alpha", "beta")), "{line}");
}

#[tokio::test]
async fn refusals_are_the_real_proxys() {
    let server = Server::start(fast("alpha")).await;
    let (_gateway, address, log) = gateway(&[("m", streamable(server.address))]).await;
    let list = request(1, "tools/list", json!({})).to_string();
    let (id, none) = (("mcp-session-id", "unknown"), "");
    let accept = "mcp: client must accept both application/json and text/event-stream";
    let deserialize = "mcp: fail to deserialize request body: ";
    let unmatched =
        format!("{deserialize}data did not match any variant of untagged enum JsonRpcMessage");
    let eof = format!("{deserialize}EOF while parsing a value at line 1 column 0");
    let method = "mcp: method not allowed; must be GET, POST, or DELETE";
    let missing = "mcp: session header is required for non-initialize requests";
    let query = "mcp: failed to process session_id query parameter";
    type Row<'a> = (
        &'a str,
        &'a str,
        &'a [(&'static str, &'a str)],
        &'a str,
        u16,
        &'a str,
    );
    let table: [Row<'_>; 13] = [
        ("POST", "/m", &[TYPE, EVENTS], &list, 406, accept),
        (
            "POST",
            "/m",
            &[BOTH],
            &list,
            415,
            "mcp: client must send application/json",
        ),
        ("POST", "/m", &[BOTH, TYPE], none, 400, &eof),
        ("POST", "/m", &[BOTH, TYPE], "[]", 400, &unmatched),
        ("POST", "/m", &[BOTH, TYPE], &list, 422, missing),
        (
            "POST",
            "/m",
            &[BOTH, TYPE, id],
            &list,
            404,
            "mcp: session not found",
        ),
        ("GET", "/m", &[], none, 406, accept),
        (
            "GET",
            "/m",
            &[EVENTS],
            none,
            422,
            "mcp: session ID is required",
        ),
        (
            "GET",
            "/m",
            &[EVENTS, id],
            none,
            404,
            "mcp: session not found",
        ),
        (
            "DELETE",
            "/m",
            &[],
            none,
            422,
            "mcp: session ID is required",
        ),
        ("PUT", "/m", &[], none, 405, method),
        ("POST", "/m/old/sse", &[TYPE], &list, 422, query),
        ("DELETE", "/m/old/sse", &[], none, 405, method),
    ];
    for (verb, path, headers, body, status, text) in table {
        let headers = [&[LOCAL], headers].concat();
        let reply = call(address, verb, path, &headers, body.to_string()).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (status, text),
            "{verb} {path}"
        );
        assert_eq!(reply.headers["content-type"], "text/plain");
    }
    let line = log.find("http.status=415").await;
    assert!(
        line.contains(r#"error="mcp: client must send application/json" reason=MCP"#),
        "{line}"
    );
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_server_that_can_not_be_reached_or_refuses_is_told_of() {
    let server = Server::start(fast("alpha")).await;
    let gone: SocketAddr = ([127, 0, 0, 1], 1).into();
    let specs = [
        ("m", streamable(server.address)),
        ("gone", streamable(gone)),
    ];
    let (_gateway, address, _log) = gateway(&specs).await;
    let reply = post(address, "/gone", None, &initialize()).await;
    assert_eq!(reply.status, 500);
    let text = "failed to send message: send error: http upstream error: http request failed: upstream call failed: Connect: Connection refused (os error 111)";
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body["error"], json!({"code": -32603, "message": text}));
    assert!(!reply.headers.contains_key("mcp-session-id"));
    let id = begin(address, "/m").await;
    let headers = [LOCAL, ("mcp-session-id", id.as_str())];
    call(address, "DELETE", "/m", &headers, "").await;
    let reply = post(
        address,
        "/m",
        Some(&id),
        &request(2, "tools/list", json!({})),
    )
    .await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (404, "mcp: upstream error: 404 Not Found")
    );
}

#[tokio::test]
async fn without_sessions_each_message_has_its_own() {
    let server = Server::start(fast("alpha")).await;
    let spec = streamable(server.address).replace("{mcp: {", "{mcp: {sessionRouting: Stateless, ");
    let (_gateway, address, _log) = gateway(&[("m", spec)]).await;
    let reply = post(address, "/m", None, &request(5, "tools/list", json!({}))).await;
    assert_eq!(message(&reply)["id"], 5);
    assert!(!reply.headers.contains_key("mcp-session-id"));
    let methods = |server: &Server| {
        let seen = server.seen();
        let method = |seen: &Value| seen["body"]["method"].as_str().unwrap_or("").to_string();
        seen.iter().map(method).collect::<Vec<_>>()
    };
    assert_eq!(
        methods(&server)[..3],
        ["initialize", "notifications/initialized", "tools/list"]
    );
    eventually("its session is ended", || server.sessions().is_empty()).await;
    for verb in ["GET", "DELETE"] {
        let reply = call(address, verb, "/m", &[LOCAL, EVENTS], "").await;
        assert_eq!(reply.status, 405, "{verb}");
    }
}

#[tokio::test]
async fn services_are_selected_by_label_and_by_what_their_ports_speak() {
    let (one, two) = (
        Server::start(fast("alpha")).await,
        Server::start(fast("beta")).await,
    );
    let service = |name: &str, port: &str, server: &Server| {
        let number = server.address.port();
        format!(
            r#"
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: ns, labels: {{app: tools}}}}
spec: {{ports: [{{{port}, port: 80}}, {{name: other, port: 81}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, namespace: ns, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{{slice}port: {number}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
---"#,
            slice = if port.contains("name") {
                "name: http, "
            } else {
                ""
            },
        )
    };
    let selector = |label: &str| {
        format!(
            "{{mcp: {{targets: [{{name: t, selector: {{services: {{matchLabels: {{app: {label}}}}}}}}}]}}}}"
        )
    };
    let services = [
        service("one", "name: http, appProtocol: kgateway.dev/mcp", &one),
        service("two", "appProtocol: kgateway.dev/mcp-sse", &two),
    ];
    let specs = backends(&[("m", selector("tools")), ("none", selector("nothing"))]);
    let unused: SocketAddr = ([127, 0, 0, 1], 1).into();
    let (_gateway, address, _log) = start(unused, &(services.concat() + &specs)).await;
    let id = begin(address, "/m").await;
    let reply = post(
        address,
        "/m",
        Some(&id),
        &request(2, "tools/list", json!({})),
    )
    .await;
    let tools = message(&reply)["result"]["tools"].clone();
    let names: Vec<&str> = tools
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["one-http_echo", "one-http_add", "two-80_echo", "two-80_add"]
    );
    // None selected is no mistake, and no tools (facts 9.8).
    let id = begin(address, "/none").await;
    let reply = post(
        address,
        "/none",
        Some(&id),
        &request(2, "tools/list", json!({})),
    )
    .await;
    assert_eq!(message(&reply)["result"], json!({"tools": []}));
}

async fn names(address: SocketAddr, path: &str, id: &str) -> Vec<String> {
    let reply = post(
        address,
        path,
        Some(id),
        &request(2, "tools/list", json!({})),
    )
    .await;
    let tools = message(&reply)["result"]["tools"].clone();
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_string();
    tools.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_client_sees_what_the_rules_let_it_see() {
    let server = Server::start(fast("alpha")).await;
    let rules = |rule: &str| {
        format!(r#"{{mcp: {{authorization: {{policy: {{matchExpressions: ['{rule}']}}}}}}}}"#)
    };
    let inline = rules(r#"mcp.tool.name != "" && mcp.tool.target == "alpha""#);
    let deny = r#"{mcp: {authorization: {action: Deny, policy: {matchExpressions: ['mcp.tool.name == "add"']}}}}"#;
    let with = |policies: &str| {
        streamable(server.address).replacen('{', &format!("{{policies: {policies}, "), 1)
    };
    let policy = |name: &str, kind: &str, target: &str, backend: &str| {
        let group = match kind {
            "AgentgatewayBackend" => "agentgateway.dev",
            _ => "gateway.networking.k8s.io",
        };
        format!(
            r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {{name: {name}, namespace: ns}}
spec:
  targetRefs: [{{group: {group}, kind: {kind}, name: {target}}}]
  backend: {backend}
---"#
        )
    };
    let plain = || streamable(server.address);
    let specs = [
        ("inline", with(&inline)),
        ("attached", plain()),
        ("routed", plain()),
        ("closed", plain()),
        ("open", plain()),
    ];
    let login =
        "{mcp: {authentication: {jwks: {backendRef: {name: idp, port: 80}, jwksPath: keys}}}}";
    let add = rules(r#"mcp.tool.name == "add" || has(mcp.prompt)"#);
    let text = policy("a", "AgentgatewayBackend", "attached", &add)
        + &policy("b", "HTTPRoute", "routed", &add)
        // What a backend allows itself can still be denied on the way to it.
        + &policy("c", "HTTPRoute", "inline", deny)
        + &policy("d", "AgentgatewayBackend", "closed", login)
        + &backends(&specs);
    let unused: SocketAddr = ([127, 0, 0, 1], 1).into();
    let (_gateway, address, _log) = start(unused, &text).await;
    for (path, seen, hidden) in [
        ("/inline", "echo", "add"),
        ("/attached", "add", "echo"),
        ("/routed", "add", "echo"),
    ] {
        let id = begin(address, path).await;
        assert_eq!(names(address, path, &id).await, [seen], "{path}");
        let called = request(
            3,
            "tools/call",
            json!({"name": hidden, "arguments": {"text": "x"}}),
        );
        let before = server.seen().len();
        let reply = post(address, path, Some(&id), &called).await;
        assert_eq!(
            (reply.status, reply.headers["content-type"].as_str()),
            (500, "application/json")
        );
        assert_eq!(
            reply.body,
            format!(
                r#"{{"jsonrpc":"2.0","id":3,"error":{{"code":-32602,"message":"Unknown tool: {hidden}"}}}}"#
            )
        );
        assert_eq!(server.seen().len(), before, "the server is not asked");
    }
    let id = begin(address, "/open").await;
    assert_eq!(names(address, "/open", &id).await, ["echo", "add"]);
    let reply = post(address, "/closed", None, &initialize()).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (500, "service not found")
    );
}

// Names and labels are those of agentgateway's telemetry/metrics.rs.
#[tokio::test]
async fn messages_are_counted_by_what_they_ask_for() {
    let server = Server::start(fast("alpha")).await;
    let (gateway, address, _log) = gateway(&[("m", streamable(server.address))]).await;
    let id = begin(address, "/m").await;
    let said = request(
        2,
        "tools/call",
        json!({"name": "echo", "arguments": {"text": "hi"}}),
    );
    assert_eq!(post(address, "/m", Some(&id), &said).await.status, 200);
    let labels = "method=\"tools/call\",resource_type=\"tool\",server=\"alpha\",resource=\"echo\"";
    let line = format!("agentgateway_mcp_requests_total{{{labels},bind=\"8080/ns/gw\"");
    eventually("the call is counted", || {
        let counts = gateway.metrics();
        counts
            .lines()
            .any(|known| known.starts_with(&line) && known.ends_with(" 1"))
    })
    .await;
}
