//! The real proxy's recordings against the embedded gateway: status, headers, body, what the
//! upstream saw, conditions and log lines. What is out of scope is found by the gateway's own word
//! (a backend or policy that it says it does not support), printed and counted.

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gatewright::gateway::{Gateway, Options, Ports, Rejection};
use http::HeaderMap;
use k8s_openapi::jiff::fmt::rfc2822;
use serde_json::{Value, json};

use support::client::{self, Reply};
use support::log::Lines;
use support::mcp;
use support::model::{self, Said, Seen};
use support::{mask, python, tls, yaml};

const UNSUPPORTED: &str = "UnsupportedByEmbeddedGateway";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The providers' own hosts, all at one address.
fn clouds(address: SocketAddr) -> HashMap<String, SocketAddr> {
    tls::NAMES
        .iter()
        .map(|name| (name.to_string(), address))
        .collect()
}

async fn gateway(
    resolve: HashMap<String, SocketAddr>,
    objects: Vec<Value>,
    now: Option<SystemTime>,
) -> Result<(Gateway, Lines), Rejection> {
    let log = Lines::default();
    let mut options = Options::new(Box::new(log.clone()));
    options.ports = Ports::Free;
    options.resolve = resolve;
    options.roots = Some(tls::roots());
    options.now = now;
    let gateway = Gateway::start(options).unwrap();
    for object in objects {
        gateway.apply(object).await?;
    }
    Ok((gateway, log))
}

/// When a case was recorded: its tokens were good then.
fn recorded_at(case: &Value) -> Option<SystemTime> {
    let date = case["responses"][0]["headers"]["date"].as_str()?;
    Some(rfc2822::parse(date).unwrap().timestamp().into())
}

/// What the gateway says of itself that it can't do, of the objects that these names stand for.
fn unsupported(objects: &[Value], names: &[&str]) -> Option<String> {
    let concerned = objects
        .iter()
        .filter(|o| names.contains(&o["metadata"]["name"].as_str().unwrap_or("")));
    concerned
        .flat_map(|object| conditions(&object["status"]))
        .find_map(|condition| {
            (condition["reason"] == UNSUPPORTED)
                .then(|| condition["message"].as_str().unwrap().to_string())
        })
}

/// Every condition of a status, of its parents and of its ancestors.
fn conditions(status: &Value) -> Vec<Value> {
    let own = status["conditions"].as_array().into_iter().flatten();
    let below = ["parents", "ancestors"]
        .into_iter()
        .flat_map(|field| status[field].as_array().into_iter().flatten());
    let nested = below.flat_map(|entry| entry["conditions"].as_array().into_iter().flatten());
    own.chain(nested).cloned().collect()
}

/// MCP sessions of the recordings, and ours.
#[derive(Default)]
struct Sessions(HashMap<String, String>);

impl Sessions {
    /// Ours for a recorded value of a header.
    fn ours<'a>(&'a self, recorded: &'a str) -> &'a str {
        self.0.get(recorded).map_or(recorded, String::as_str)
    }

    fn note(&mut self, recorded: &Value, reply: &Reply) {
        let recorded = recorded["headers"]["mcp-session-id"].as_str();
        if let (Some(recorded), Some(ours)) = (recorded, reply.headers.get("mcp-session-id")) {
            self.0.insert(recorded.to_string(), ours.clone());
        }
    }
}

async fn replay(
    address: SocketAddr,
    host: &str,
    request: &Value,
    extra: &[(&str, &str)],
    sessions: &Sessions,
) -> Reply {
    let mut headers: Vec<(&str, &str)> = vec![("host", host)];
    headers.extend(extra);
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        headers.push((name, sessions.ours(value.as_str().unwrap())));
    }
    let body = match &request["body"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => python::dumps(value),
    };
    client::call(
        address,
        request["method"].as_str().unwrap(),
        request["path"].as_str().unwrap(),
        &headers,
        body,
    )
    .await
}

/// Differences between a recorded answer and ours; the recorder left out what each connection has of its own.
fn differences(recorded: &Value, reply: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, ours: Value, theirs: &Value| {
        if ours != *theirs {
            found.push(format!("{what}: ours {ours}, recorded {theirs}"));
        }
    };
    differ("status", json!(reply.status), &recorded["status"]);
    let theirs = match &recorded["body"] {
        Value::String(text) => text.clone(),
        value => python::dumps(value),
    };
    let (ours, theirs) = (
        mask::response(&json!(reply.headers), &reply.body),
        mask::response(&recorded["headers"], &theirs),
    );
    differ("headers", ours["headers"].clone(), &theirs["headers"]);
    let (body, recorded) = match &recorded["body"] {
        Value::String(_) => (ours["body"].clone(), theirs["body"].clone()),
        value => (
            mask::made(serde_json::from_str(&reply.body).unwrap_or(json!(reply.body))),
            mask::made(value.clone()),
        ),
    };
    // As text too where it can be: the order of fields is the real proxy's.
    let written = recorded.to_string();
    if written.len() == body.to_string().len() {
        differ("order", json!(body.to_string()), &json!(written));
    }
    differ("body", body, &recorded);
    found
}

/// The bodies of upstream requests as text, so that the order of fields counts.
fn bodies(upstream: &Value) -> Vec<String> {
    let requests = upstream.as_array().into_iter().flatten();
    requests
        .map(|request| request["body"].to_string())
        .collect()
}

/// The route that a recorded path belongs to.
fn route_of<'a>(objects: &'a [Value], path: &str) -> Option<&'a Value> {
    objects
        .iter()
        .filter(|object| object["kind"] == "HTTPRoute")
        .find(|route| {
            let prefix = route["spec"]["rules"][0]["matches"][0]["path"]["value"]
                .as_str()
                .unwrap_or("/");
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        })
}

fn why_skipped(objects: &[Value], path: &str) -> Option<String> {
    let route = route_of(objects, path)?;
    let name = route["metadata"]["name"].as_str()?;
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array();
    let mut names = vec![name];
    names.extend(
        backends
            .into_iter()
            .flatten()
            .filter_map(|b| b["name"].as_str()),
    );
    unsupported(objects, &names)
}

#[tokio::test]
async fn traffic_is_the_real_proxys() {
    let seen = Seen::default();
    let plain = model::start(model::recorded, None, seen.clone()).await;
    let secure = model::start(model::recorded, Some(tls::acceptor()), seen.clone()).await;
    let resources = std::fs::read_to_string(folder().join("resources.yaml")).unwrap();
    let mut resources = resources.replace("19001", &plain.port().to_string());
    for (port, name) in [("19101", "alpha"), ("19102", "beta")] {
        let server = mcp::Server::start(mcp::fast(name)).await;
        resources = resources.replace(port, &server.address.port().to_string());
    }
    let mut sessions = Sessions::default();
    let (gateway, _log) = gateway(clouds(secure), yaml::objects(&resources), None)
        .await
        .unwrap();
    let address = gateway.address(8080).await.unwrap();
    let objects = gateway.objects().await;

    let (mut replayed, mut skipped, mut failures) = (0, 0, Vec::new());
    for file in ["llm-host-override", "llm-cloud", "mcp"] {
        for record in read(&folder().join(file).with_extension("json"))
            .as_array()
            .unwrap()
        {
            let name = record["name"].as_str().unwrap();
            if let Some(reason) = why_skipped(&objects, record["request"]["path"].as_str().unwrap())
            {
                println!("skipped {name}: {reason}");
                skipped += 1;
                continue;
            }
            replayed += 1;
            seen.take();
            let reply = replay(
                address,
                "127.0.0.1:18080",
                &record["request"],
                &[("accept-encoding", "identity")],
                &sessions,
            )
            .await;
            sessions.note(&record["response"], &reply);
            let mut wrong = differences(&record["response"], &reply);
            let upstream = mask::signature(json!(seen.take()));
            // What an MCP server saw was not recorded.
            let recorded = record.get("upstream").cloned();
            let recorded = recorded.map(mask::signature);
            if let Some(recorded) = recorded
                && (upstream != recorded || bodies(&upstream) != bodies(&recorded))
            {
                wrong.push(format!("upstream saw {upstream}, recorded {recorded}"));
            }
            failures.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
        }
    }
    println!("{replayed} replayed, {skipped} skipped");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // Exact, so that nothing slips out of the replay unseen.
    assert_eq!((replayed, skipped), (REPLAYED, SKIPPED));
}

const REPLAYED: usize = 90;
const SKIPPED: usize = 0;

/// The Ollama of the recorded cluster.
fn ollama(path: &str, headers: &HeaderMap, body: &Value) -> Said {
    match path {
        // It has an origin check of its own (facts 17.3).
        _ if headers.contains_key("origin") => Said::Empty(403),
        // One model was pulled (facts 15.11).
        "/v1/chat/completions" if body["model"] != "llama3.2" => {
            let message = format!("model {} not found, try pulling it first", body["model"]);
            let error =
                json!({"message": message, "type": "api_error", "param": null, "code": null});
            let text = format!("{}\n", json!({"error": error}));
            Said::Text(404, "application/json", text)
        }
        "/v1/chat/completions" => Said::Text(200, "application/json", ANSWER.to_string()),
        _ => Said::Text(404, "text/plain", "404 page not found".to_string()),
    }
}

/// The provider of the recorded cluster.
fn cloud(path: &str, headers: &HeaderMap, body: &Value) -> Said {
    match model::recorded(path, headers, body) {
        Said::Json(status, mut answer) => {
            answer["id"] = json!("chatcmpl-1");
            Said::Json(status, answer)
        }
        other => other,
    }
}

const ANSWER: &str = r#"{"id":"chatcmpl-189","object":"chat.completion","created":1795459051,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":" blap ex enim sint bar fugiat in foo sunt baz bar in id ipsum ipsum ut"},"finish_reason":"length"}],"usage":{"prompt_tokens":6,"completion_tokens":16,"total_tokens":22}}"#;

/// The objects that were there before each case: the Gateway, and Ollama on the host (facts 15.9).
fn surroundings(ollama: SocketAddr) -> Vec<Value> {
    yaml::objects(&format!(
        r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: ai-gateway, namespace: kgateway-system}}
spec:
  gatewayClassName: agentgateway
  listeners: [{{name: http, protocol: HTTP, port: 8080, allowedRoutes: {{namespaces: {{from: All}}}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: host-ollama, namespace: kgateway-system}}
spec: {{ports: [{{port: 11434}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: host-ollama-1, namespace: kgateway-system, labels: {{kubernetes.io/service-name: host-ollama}}}}
addressType: IPv4
ports: [{{port: {}}}]
endpoints: [{{addresses: ["{}"]}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: cloud, namespace: kgateway-system}}
stringData: {{Authorization: k}}
"#,
        ollama.port(),
        ollama.ip()
    ))
}

/// Puts a server in the place of the one that a case's EndpointSlice leads to: it answers each MCP
/// method as the recorded one did.
async fn serve_mcp(case: &Value, objects: &mut [Value]) {
    let mut results = HashMap::new();
    for response in case["responses"].as_array().into_iter().flatten() {
        let body = response["body"].as_str().unwrap_or("");
        let data = body
            .strip_prefix("data: ")
            .map(serde_json::from_str::<Value>);
        if let (Some(method), Some(Ok(data))) =
            (response["request"]["body"]["method"].as_str(), data)
        {
            results.insert(method.to_string(), data["result"].clone());
        }
    }
    for slice in objects.iter_mut().filter(|o| o["kind"] == "EndpointSlice") {
        let server = mcp::Server::start(mcp::once(results.clone())).await;
        slice["ports"][0]["port"] = json!(server.address.port());
        slice["endpoints"][0]["addresses"][0] = json!(server.address.ip().to_string());
    }
}

#[tokio::test]
async fn conditions_answers_and_log_lines_are_those_of_the_real_cluster() {
    let ollama = model::start(ollama, None, Seen::default()).await;
    let seen = Seen::default();
    let cloud = model::start(cloud, Some(tls::acceptor()), seen.clone()).await;
    let mut files: Vec<PathBuf> = ["cluster", "policies"]
        .iter()
        .flat_map(|part| std::fs::read_dir(folder().join(part)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut compared, mut skipped, mut failures) = (0, 0, Vec::new());
    for file in files {
        let case = read(&file);
        let name = file.file_stem().unwrap().to_str().unwrap().to_string();
        let mut applied = yaml::objects(case["applied"].as_str().unwrap());
        serve_mcp(&case, &mut applied).await;
        let mut sessions = Sessions::default();
        let mut objects = surroundings(ollama);
        objects.extend(applied.clone());
        let (gateway, log) = match gateway(clouds(cloud), objects, recorded_at(&case)).await {
            Ok(started) => started,
            Err(rejection) => {
                println!("skipped {name}: {rejection:?}");
                skipped += 1;
                continue;
            }
        };
        let ours = gateway.objects().await;
        let names: Vec<&str> = applied
            .iter()
            .filter_map(|o| o["metadata"]["name"].as_str())
            .collect();
        if let Some(reason) = unsupported(&ours, &names) {
            println!("skipped {name}: {reason}");
            skipped += 1;
            continue;
        }
        compared += 1;
        seen.take();
        let mut wrong = statuses(&case, &ours);
        let address = gateway.address(8080).await.unwrap();
        let responses = case["responses"].as_array().map_or(&[][..], Vec::as_slice);
        for (index, response) in responses.iter().enumerate() {
            let host = "172.18.0.2:30080";
            let reply = replay(address, host, &response["request"], &[], &sessions).await;
            sessions.note(response, &reply);
            wrong.extend(differences(response, &reply));
            if let Some(recorded) = case["proxy_log"][index].as_str() {
                let path = format!(
                    "http.path={} ",
                    response["request"]["path"].as_str().unwrap()
                );
                let asked = |r: &&Value| r["request"]["path"] == response["request"]["path"];
                let earlier = responses[..index].iter().filter(asked).count();
                let ours = stable(&log.find_after(earlier, &path).await);
                let recorded = stable(recorded);
                if ours != recorded {
                    wrong.push(format!("log:\n  ours     {ours}\n  recorded {recorded}"));
                }
            }
        }
        if let Some(recorded) = case.get("provider_saw").map(mask::requests) {
            let ours = mask::requests(&json!(seen.take()));
            if ours != recorded {
                wrong.push(format!("upstream saw {ours:?}, recorded {recorded:?}"));
            }
        }
        failures.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    println!("{compared} compared, {skipped} skipped");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!((compared, skipped), (COMPARED, LEFT_OUT));
}

const COMPARED: usize = 28;
const LEFT_OUT: usize = 1;

/// Differences between the recorded conditions and ours, of every kind that the embedded gateway has.
fn statuses(case: &Value, ours: &[Value]) -> Vec<String> {
    let same = |a: &Value, b: &Value| {
        a["kind"] == b["kind"]
            && ["name", "namespace"]
                .iter()
                .all(|f| a["metadata"][f] == b["metadata"][f])
    };
    let mut found = Vec::new();
    for recorded in case["objects"].as_array().into_iter().flatten() {
        let Some(our) = ours.iter().find(|our| same(our, recorded)) else {
            continue;
        };
        let (a, b) = (timeless(&our["status"]), timeless(&recorded["status"]));
        if a != b {
            found.push(format!(
                "{} status:\n  ours     {a}\n  recorded {b}",
                recorded["kind"]
            ));
        }
    }
    for recorded in case["conditions"].as_array().into_iter().flatten() {
        let named = |o: &&Value| o["kind"] == recorded[0] && o["metadata"]["name"] == recorded[1];
        let our = ours.iter().find(named);
        let our = our
            .map(|our| conditions(&our["status"]))
            .unwrap_or_default();
        let fields = ["type", "status", "reason", "message"];
        let is_same = |c: &Value| fields.iter().zip(2..).all(|(f, i)| c[*f] == recorded[i]);
        if !our.iter().any(is_same) {
            found.push(format!("conditions {our:?}, recorded {recorded}"));
        }
    }
    found
}

/// A status without what only a cluster has: times, generations, addresses.
fn timeless(status: &Value) -> Value {
    match status {
        Value::Object(fields) => {
            let dropped = [
                "lastTransitionTime",
                "observedGeneration",
                "addresses",
                "listeners",
            ];
            let kept = fields
                .iter()
                .filter(|(name, _)| !dropped.contains(&name.as_str()));
            kept.map(|(name, value)| (name.clone(), timeless(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(timeless).collect(),
        other => other.clone(),
    }
}

/// A log line without what differs from run to run.
fn stable(line: &str) -> String {
    let (_, line) = line.split_once('\t').unwrap();
    let words = line
        .split(' ')
        .filter(|word| !word.starts_with("src.addr=") && !word.starts_with("duration="));
    words.collect::<Vec<_>>().join(" ")
}
