//! What a gateway tells of itself: readiness, counts, configuration, log lines; and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::gateway::{DoorPorts, Doors};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::support::client::{Reply, call, open};
use crate::world::{LOCAL, PING, SOON, STREAM, empty, recorded, start};

const ANY: DoorPorts = DoorPorts {
    ready: 0,
    metrics: 0,
    config: 0,
};

async fn ask(urls: &Value, door: &str, host: &str) -> Reply {
    let url: url::Url = urls[door].as_str().unwrap().parse().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], url.port().unwrap()));
    call(address, "GET", url.path(), &[("host", host)], "").await
}

#[tokio::test]
async fn a_gateway_is_ready_when_it_has_objects_and_until_it_ends() {
    let (gateway, _) = empty();
    let gateway = Arc::new(gateway);
    let doors = Doors::open(&gateway, ANY).await.unwrap();
    let urls = doors.urls();
    let before = ask(&urls, "ready", "localhost").await;
    assert_eq!(
        (before.status, before.body.as_str()),
        (500, "not ready, pending: state manager")
    );
    for object in crate::world::objects(SocketAddr::from(([127, 0, 0, 1], 1)), "") {
        gateway.apply(object).await.unwrap();
    }
    let ready = ask(&urls, "ready", "localhost").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready"));
    gateway.stop().await;
    assert_eq!(ask(&urls, "ready", "localhost").await.status, 500);
}

#[tokio::test]
async fn a_taken_port_is_no_failure_and_a_foreign_name_gets_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let gateway = Arc::new(empty().0);
    let doors = Doors::open(&gateway, DoorPorts { ready: port, ..ANY })
        .await
        .unwrap();
    let urls = doors.urls();
    assert!(
        !urls["ready"]
            .as_str()
            .unwrap()
            .contains(&format!(":{port}/")),
        "{urls}"
    );
    for door in ["ready", "metrics", "configDump"] {
        assert_eq!(ask(&urls, door, "evil.example").await.status, 421, "{door}");
    }
}

#[tokio::test]
async fn requests_and_tokens_are_counted_under_the_real_proxys_names() {
    let (upstream, _) = recorded().await;
    let (gateway, address, _) = start(upstream, "").await;
    for path in ["/ai/v1/chat/completions", "/nowhere"] {
        call(address, "POST", path, &[LOCAL], PING).await;
    }
    let gateway = Arc::new(gateway);
    let doors = Doors::open(&gateway, ANY).await.unwrap();
    let way = "bind=\"8080/ns/gw\",gateway=\"ns/gw\",listener=\"http\",route=\"ns/main\",route_rule=\"unknown\"";
    let expected = [
        format!("agentgateway_requests_total{{backend=\"{upstream}\",protocol=\"llm\",method=\"POST\",status=\"200\",reason=\"unknown\",{way}}} 1"),
        "agentgateway_requests_total{backend=\"unknown\",protocol=\"http\",method=\"POST\",status=\"404\",reason=\"NotFound\",bind=\"8080/ns/gw\",gateway=\"ns/gw\",listener=\"http\",route=\"unknown\",route_rule=\"unknown\"} 1".to_string(),
        format!("agentgateway_gen_ai_client_token_usage_sum{{gen_ai_token_type=\"input\",gen_ai_operation_name=\"chat\",gen_ai_system=\"openai\",gen_ai_request_model=\"m\",gen_ai_response_model=\"m\",{way}}} 9"),
        format!("agentgateway_gen_ai_server_request_duration_count{{gen_ai_operation_name=\"chat\",gen_ai_system=\"openai\",gen_ai_request_model=\"m\",gen_ai_response_model=\"m\",{way}}} 1"),
    ];
    let urls = doors.urls();
    counted(
        async || ask(&urls, "metrics", "localhost").await.body,
        &expected,
    )
    .await;
}

#[tokio::test]
async fn a_dump_of_the_configuration_has_every_object_and_no_key() {
    let (upstream, _) = recorded().await;
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: ns}\nstringData: {Authorization: sk-very-secret}\n---\napiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayBackend\nmetadata: {name: b, namespace: ns}\nspec: {ai: {provider: {openai: {}}}, policies: {auth: {key: sk-very-secret}}}\n";
    let (gateway, _, _) = start(upstream, secret).await;
    let gateway = Arc::new(gateway);
    let doors = Doors::open(&gateway, ANY).await.unwrap();
    let dump = ask(&doors.urls(), "configDump", "127.0.0.1").await.body;
    assert!(
        !dump.contains("very-secret") && !dump.contains("c2stdmVyeS1zZWNyZXQ"),
        "{dump}"
    );
    let dump: Value = serde_json::from_str(&dump).unwrap();
    assert_eq!(dump["objects"].as_array().unwrap().len(), 6);
    assert_eq!(dump["listeners"][0]["gateway"], "ns/gw");
}

fn parameters(spec: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: ns}}\nspec:\n  gatewayClassName: agentgateway\n  infrastructure: {{parametersRef: {{group: agentgateway.dev, kind: AgentgatewayParameters, name: p}}}}\n  listeners: [{{name: http, protocol: HTTP, port: 8080}}]\n---\napiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayParameters\nmetadata: {{name: p, namespace: ns}}\nspec: {spec}\n"
    )
}

#[tokio::test]
async fn the_log_has_the_form_and_the_level_that_parameters_ask_for() {
    let (upstream, _) = recorded().await;
    let (_gateway, address, log) = start(upstream, &parameters("{logging: {format: json}}")).await;
    call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
    let line: Value = serde_json::from_str(&log.find("\"scope\":\"request\"").await).unwrap();
    assert_eq!(
        (&line["level"], &line["http.status"]),
        (&"info".into(), &200.into())
    );
    assert_eq!(line["gen_ai.usage.input_tokens"], 9);
    assert_eq!(
        (&line["gateway"], &line["route"]),
        (&"ns/gw".into(), &"ns/main".into())
    );

    let (gateway, address, log) = start(upstream, &parameters("{logging: {level: warn}}")).await;
    call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], PING).await;
    gateway.stop().await;
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn a_requests_id_goes_through() {
    let (upstream, seen) = recorded().await;
    let (_gateway, address, _) = start(upstream, "").await;
    call(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &[LOCAL, ("x-request-id", "r-1")],
        PING,
    )
    .await;
    assert_eq!(seen.take()[0]["headers"]["x-request-id"], "r-1");
}

#[tokio::test]
async fn a_stream_without_end_is_cut_when_its_time_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let parameters = parameters("{shutdown: {min: 1, max: 1}}");
    let (gateway, address, _) = start(listener.local_addr().unwrap(), &parameters).await;
    let asked = tokio::spawn(open(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &[LOCAL],
        STREAM,
    ));
    let (mut upstream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let mut some = [0; 4096];
    assert!(upstream.read(&mut some).await.unwrap() > 0);
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let _answer = timeout(SOON, asked).await.unwrap().unwrap();
    let begin = Instant::now();
    timeout(SOON, gateway.stop()).await.expect("it stops");
    assert!(
        begin.elapsed() >= Duration::from_millis(900),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn a_gateway_that_is_to_go_on_for_a_while_lets_clients_in_until_then() {
    let (upstream, _) = recorded().await;
    let parameters = parameters("{shutdown: {min: 1, max: 2}}");
    let (gateway, address, _) = start(upstream, &parameters).await;
    let gateway = Arc::new(gateway);
    let begin = Instant::now();
    let ending = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.stop().await }
    });
    while gateway.is_ready().await {
        tokio::task::yield_now().await;
    }
    let reply = call(address, "GET", "/plain/v1/models", &[LOCAL], "").await;
    assert_eq!(reply.status, 200);
    timeout(SOON, ending).await.expect("it stops").unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(900));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

/// Waits until each of these lines is among the counts; a request is counted when its answer has left,
/// which its client may see first.
async fn counted(counts: impl AsyncFn() -> String, expected: &[String]) {
    let begin = Instant::now();
    loop {
        let counts = counts().await;
        let missing = expected
            .iter()
            .find(|line| !counts.lines().any(|known| known == *line));
        let Some(missing) = missing else {
            return;
        };
        assert!(begin.elapsed() < SOON, "{missing}\n{counts}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

// Names and labels are those of agentgateway's telemetry/metrics.rs.
#[tokio::test]
async fn streams_bytes_and_tries_are_counted_too() {
    let (upstream, _) = recorded().await;
    let retry = "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayPolicy\nmetadata: {name: again, namespace: ns}\nspec:\n  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: main}]\n  traffic: {retry: {attempts: 2, codes: [404]}}\n";
    let (gateway, address, _) = start(upstream, retry).await;
    call(address, "POST", "/ai/v1/chat/completions", &[LOCAL], STREAM).await;
    call(address, "GET", "/plain/gone", &[LOCAL], "").await;
    call(address, "GET", "/nowhere", &[LOCAL], "").await;
    let listener = "bind=\"8080/ns/gw\",gateway=\"ns/gw\",listener=\"http\"";
    let way = format!("{listener},route=\"ns/main\",route_rule=\"unknown\"");
    let model = format!(
        "gen_ai_operation_name=\"chat\",gen_ai_system=\"openai\",gen_ai_request_model=\"m\",gen_ai_response_model=\"m\",{way}"
    );
    let expected = [
        format!("agentgateway_gen_ai_server_time_to_first_token_count{{{model}}} 1"),
        format!("agentgateway_gen_ai_server_time_per_output_token_count{{{model}}} 1"),
        format!(
            "agentgateway_retries_total{{backend=\"{upstream}\",protocol=\"http\",method=\"GET\",status=\"404\",reason=\"unknown\",{way}}} 2"
        ),
        format!(
            "agentgateway_response_bytes_total{{backend=\"unknown\",protocol=\"http\",method=\"GET\",status=\"404\",reason=\"NotFound\",{listener},route=\"unknown\",route_rule=\"unknown\"}} 15"
        ),
    ];
    counted(async || gateway.metrics(), &expected).await;
}
