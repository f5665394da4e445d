//! The proof itself: it finds what is broken, and only that.

#[path = "support/admin.rs"]
mod admin;
#[path = "support/home.rs"]
mod home;

use admin::{admin, kept_object};
use home::{Home, free_port};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn delete_policy(home: &Home, name: &str) {
    let metadata = json!({"name": name, "namespace": "kgateway-system"});
    let gone = admin(
        home,
        "/delete",
        &json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayPolicy", "metadata": metadata}),
    );
    assert_eq!(gone["deleted"], true, "{name}");
}

fn failed(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    let failed = findings
        .iter()
        .filter(|finding| finding["verdict"] == "fail");
    failed
        .map(|finding| finding["id"].as_str().unwrap().to_string())
        .collect()
}

/// The shipped profile `limits`, with a port of its own for the mock.
fn limits() -> Home {
    let home = Home::new();
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/limits.yaml"))
            .unwrap();
    let mock = format!("provider: mock\n  port: {}", free_port());
    let profile = home.write("limits.yaml", &text.replace("provider: mock", &mock));
    let said = home.gw(&["up", "--profile", &profile]);
    assert_eq!(said.code, 0, "{said:?}");
    home
}

#[test]
fn every_policy_that_is_removed_turns_a_case_red_and_up_heals_it() {
    let home = limits();
    for name in [
        "same-site",
        "five-a-minute",
        "tokens-a-minute",
        "stage-key",
        "web-page",
        "patience",
    ] {
        delete_policy(&home, name);
        let (report, code) = home.json(&["test"]);
        assert_eq!(code, 4, "{name}");
        assert!(
            failed(&report).contains(&format!("object.AgentgatewayPolicy.{name}")),
            "{name}: {:?}",
            failed(&report)
        );
        assert_eq!(home.gw(&["up"]).code, 0, "{name}");
    }
    let mut backend = kept_object(&home, "AgentgatewayBackend", "guarded");
    backend["spec"].as_object_mut().unwrap().remove("policies");
    admin(&home, "/apply", &backend);
    let (report, code) = home.json(&["test"]);
    assert_eq!(code, 4);
    for case in [
        "route.guarded.guard.0.0",
        "route.guarded.guard.0.1",
        "route.guarded.guard.1.0",
    ] {
        assert!(
            failed(&report).contains(&case.to_string()),
            "{case}: {:?}",
            failed(&report)
        );
    }
}

#[test]
fn a_processor_that_is_passed_by_turns_a_case_red() {
    let home = Home::new();
    assert_eq!(home.gw(&["up", "--profile", "extproc"]).code, 0);
    delete_policy(&home, "process");
    let (report, code) = home.json(&["test"]);
    assert_eq!(code, 4);
    let red = failed(&report);
    let case = "object.AgentgatewayPolicy.process".to_string();
    assert!(red.contains(&case), "{red:?}");
    assert_eq!(home.gw(&["up"]).code, 0);
}

#[test]
fn a_policy_whose_absence_traffic_shows_is_found_by_traffic() {
    let home = limits();
    for (name, case) in [
        ("same-site", "policy.same-site.foreign-origin"),
        ("stage-key", "route.keys.no-key"),
        ("web-page", "policy.web-page.allowed-origin"),
    ] {
        delete_policy(&home, name);
        let (report, _) = home.json(&["test"]);
        assert!(
            failed(&report).contains(&case.to_string()),
            "{name}: {:?}",
            failed(&report)
        );
        assert_eq!(home.gw(&["up"]).code, 0);
    }
}

#[test]
fn a_healthy_gateway_raises_no_alarm_in_twenty_runs_and_nothing_is_left_beside_its_routes() {
    let home = limits();
    for run in 0..20 {
        let (report, code) = home.json(&["test"]);
        assert_eq!(code, 0, "run {run}: {:?}", failed(&report));
    }
    let (status, _) = home.json(&["status"]);
    let objects = status["status"]["objects"].as_array().unwrap();
    let left = objects
        .iter()
        .filter(|o| o["name"].as_str().unwrap().starts_with("proof-"));
    assert_eq!(left.count(), 0);
}

#[test]
fn the_bucket_that_people_use_is_full_after_a_proof() {
    let home = limits();
    assert_eq!(home.gw(&["test"]).code, 0);
    let url = format!("{}/requests/v1/chat/completions", home.base());
    let ask = || {
        let body = r#"{"messages":[{"role":"user","content":"ping"}]}"#;
        let said = std::process::Command::new("curl")
            .args([
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "--noproxy",
                "*",
                "-d",
                body,
                &url,
            ])
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap()
    };
    let answers: Vec<String> = (0..9).map(|_| ask()).collect();
    // Five and three more, as the profile says.
    assert_eq!(answers[..8], vec!["200"; 8]);
    assert_eq!(answers[8], "429");
}

#[test]
fn a_proof_that_is_killed_leaves_copies_in_the_ledger_and_the_next_takes_them_away() {
    let home = limits();
    let ledger = home.environment().join("ledger.jsonl");
    let before = std::fs::read_to_string(&ledger).unwrap().len();
    let mut child = home
        .command(&["test"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(&ledger).unwrap();
        if text[before..].contains("proof-") {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "no copy was ever made"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = home.gw(&["test"]);
    assert_eq!(said.code, 0, "{said:?}");
    let (status, _) = home.json(&["status"]);
    let objects = status["status"]["objects"].to_string();
    assert!(!objects.contains("proof-"), "{objects}");
}

#[test]
fn reports_are_written_by_the_ending_of_their_file() {
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    let at = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let (xml, md, json) = (at("out/p.xml"), at("out/p.md"), at("p.json"));
    let said = home.gw(&["test", "--report", &xml, "--report", &md, "--report", &json]);
    assert_eq!(said.code, 0, "{said:?}");
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert!(read(&xml).starts_with("<?xml") && read(&xml).contains("failures=\"0\""));
    assert!(read(&md).starts_with("### Gateway default: proved"));
    assert_eq!(
        serde_json::from_str::<Value>(&read(&json)).unwrap()["ok"],
        true
    );
    for verb in ["test", "up"] {
        let said = home.gw(&[verb, "--report", "p.doc"]);
        assert_eq!(said.code, 2, "{said:?}");
        let next = format!("gw {verb} --report proof.xml");
        assert!(said.stderr.contains(&next), "{said:?}");
    }
    // Nothing has changed, and what is reported is everything all the same.
    let again = at("again.json");
    let said = home.gw(&["up", "--report", &again]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("nothing to change"), "{said:?}");
    let titles = |path: &str| {
        let report: Value = serde_json::from_str(&read(path)).unwrap();
        let findings = report["findings"].as_array().unwrap().clone();
        let ids = findings.iter().map(|f| f["id"].to_string());
        ids.collect::<std::collections::BTreeSet<String>>()
    };
    assert_eq!(titles(&again), titles(&json));
    let said = home.gw(&["status", "-o", "junit"]);
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn only_skip_and_route_choose_and_a_name_that_nothing_has_is_a_mistake() {
    let home = limits();
    let ids = |args: &[&str]| {
        let (report, code) = home.json(args);
        assert_eq!(code, 0);
        let findings = report["findings"].as_array().unwrap().clone();
        let ids = findings
            .iter()
            .map(|f| f["id"].as_str().unwrap().to_string());
        ids.collect::<Vec<_>>()
    };
    let streams = ids(&["test", "--only", "stream", "--route", "/browser"]);
    assert_eq!(streams, ["gateway.answers", "route.browser.stream"]);
    let without = ids(&["test", "--skip", "limit"]);
    assert!(
        !without.iter().any(|id| id.contains("limit.")),
        "{without:?}"
    );
    assert_eq!(home.gw(&["test", "--route", "nowhere"]).code, 2);
    for objects in ["object", "objects", "object.AgentgatewayPolicy.same-site"] {
        assert_eq!(ids(&["test", "--only", objects]), ["gateway.answers"]);
    }
    let nobodys = home.gw(&["test", "--only", "object.AgentgatewayPolicy.nobodys"]);
    assert_eq!(nobodys.code, 2, "{nobodys:?}");
    delete_policy(&home, "same-site");
    let (report, code) = home.json(&["test", "--only", "object"]);
    assert_eq!(code, 4);
    assert_eq!(
        failed(&report),
        ["object.AgentgatewayPolicy.same-site"],
        "{report}"
    );
}

#[test]
fn an_up_that_changes_nothing_proves_all_unless_all_was_proved_before() {
    let home = limits();
    let proves_all = || {
        let (report, code) = home.json(&["up"]);
        assert_eq!(code, 0, "{report}");
        let findings = report["findings"].as_array().unwrap();
        findings.iter().any(|f| f["sort"] == "limit")
    };
    assert!(!proves_all());
    assert_eq!(home.gw(&["test", "--only", "answer"]).code, 0);
    assert!(proves_all());
    assert!(!proves_all());
    assert_eq!(home.gw(&["test", "--skip", "policy"]).code, 0);
    assert!(proves_all());
    let kept = home.environment().join("proof.json");
    let mut proof: Value = serde_json::from_str(&std::fs::read_to_string(&kept).unwrap()).unwrap();
    proof["findings"][0]["verdict"] = json!("fail");
    std::fs::write(&kept, proof.to_string()).unwrap();
    assert!(proves_all());
    assert!(!proves_all());
}

/// A server that repeats the key that it was shown, as some do in their errors.
fn parrot() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut bytes = [0; 16 << 10];
            let read = stream.read(&mut bytes).unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let key = text
                .lines()
                .find_map(|line| line.strip_prefix("authorization: Bearer "));
            let models = text.starts_with("GET ");
            let (status, body) = match models {
                true => ("200 OK", json!({"object": "list", "data": [{"id": "m"}]})),
                false => (
                    "401 Unauthorized",
                    json!({"error": {"message": format!("bad key {0}. Incorrect API key provided: {0}", key.unwrap_or(""))}}),
                ),
            };
            let body = body.to_string();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// Two backends whose provider repeats their keys, which look like no maker's and stand in no variable.
#[test]
fn a_key_that_a_provider_repeats_is_in_no_report() {
    const KEYS: [&str; 2] = ["Vogelbeere im November", "zwei/Apfelbaeume"];
    let home = Home::new();
    let port = parrot();
    let [from_file, from_command] = KEYS.map(|key| home.write(&key[..4], key));
    let backend = |name: &str, key: &str| {
        format!(
            "- {{name: {name}, provider: openai-compatible, address: \"http://127.0.0.1:{port}/v1\", model: m, key: {key}}}\n"
        )
    };
    let profile = home.write(
        "p.yaml",
        &format!(
            "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: p\nbackends:\n{}{}",
            backend("a", &format!("{{file: {from_file}}}")),
            backend("b", &format!("{{command: [cat, {from_command}]}}")),
        ),
    );
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 4, "{up:?}");
    let files = ["r.json", "r.xml", "r.md"]
        .map(|name| home.path().join(name).to_string_lossy().into_owned());
    let mut args = vec!["test"];
    files
        .iter()
        .for_each(|file| args.extend(["--report", file.as_str()]));
    let test = home.gw(&args);
    assert_eq!(test.code, 4, "{test:?}");
    let proof = std::fs::read_to_string(home.environment().join("proof.json")).unwrap();
    assert!(proof.contains("bad key …"), "{proof}");
    let reach = home.gw(&["reach"]);
    assert_eq!(reach.code, 4, "{reach:?}");
    let (report, _) = home.json(&["reach", "/b"]);
    let read = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    let said = [up, test, reach].into_iter();
    let said = said.flat_map(|said| [said.stdout, said.stderr]);
    for text in read.chain(said).chain([proof, report.to_string()]) {
        for key in KEYS.iter().copied().chain(["im November"]) {
            assert!(!text.contains(key), "{text}");
        }
    }
}

/// How long the slow one of fifty takes.
const SLOW: Duration = Duration::from_secs(3);

/// A model that thinks before it answers.
fn slow_model() -> u16 {
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2});
    let whole = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}]});
    let chunk = |delta: Value, end: Value, usage: Value| {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": end}]);
        let chunk = json!({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let events = chunk(
        json!({"role": "assistant", "content": "pong"}),
        Value::Null,
        Value::Null,
    ) + &chunk(json!({}), json!("stop"), usage.clone())
        + "data: [DONE]\n\n";
    let models = json!({"object": "list", "data": [{"id": "m"}]}).to_string();
    let (whole, events) = (whole.to_string(), events);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = move |mut stream: std::net::TcpStream| {
        let mut bytes = [0; 16 << 10];
        let read = stream.read(&mut bytes).unwrap_or(0);
        let asked = String::from_utf8_lossy(&bytes[..read]).into_owned();
        let (kind, body) = match asked.starts_with("POST ") {
            false => ("application/json", &models),
            true if asked.contains("\"stream\":true") => ("text/event-stream", &events),
            true => ("application/json", &whole),
        };
        if asked.starts_with("POST ") {
            std::thread::sleep(SLOW);
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all((head + body).as_bytes());
    };
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

#[test]
fn fifty_routes_take_at_most_twice_as_long_as_the_slowest_one() {
    let home = Home::new();
    let mut profile = format!(
        "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: fifty\nbackends:\n\
         - {{name: mock, provider: mock, port: {}}}\n\
         - {{name: slow, provider: openai-compatible, address: \"http://127.0.0.1:{}/v1\", model: m}}\n\
         routes:\n- {{name: slow, backend: slow}}\n",
        free_port(),
        slow_model()
    );
    (1..50).for_each(|n| profile += &format!("- {{name: r{n}, backend: mock}}\n"));
    let profile = home.write("fifty.yaml", &profile);
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    let start = Instant::now();
    let (report, code) = home.json(&["test"]);
    let took = start.elapsed();
    assert_eq!(code, 0, "{:?}", failed(&report));
    let findings = report["findings"].as_array().unwrap();
    let routes = findings.iter().filter(|f| f["route"].is_object());
    assert_eq!(routes.count(), 50);
    let seconds = findings.iter().map(|f| f["seconds"].as_f64().unwrap());
    let slowest = Duration::from_secs_f64(seconds.fold(0.0, f64::max));
    assert!(
        slowest >= SLOW && took < slowest * 2,
        "{took:?} where the slowest took {slowest:?}"
    );
}

#[test]
fn status_says_what_of_a_proof_was_a_part() {
    let home = limits();
    let said = |home: &Home| home.gw(&["status"]).stdout;
    assert!(!said(&home).contains("of a part"));
    assert_eq!(
        home.gw(&["test", "--only", "answer", "--route", "/browser"])
            .code,
        0
    );
    let part = said(&home);
    assert!(
        part.contains("of a part alone: gw test --route /browser --only answer"),
        "{part}"
    );
    let (status, _) = home.json(&["status"]);
    assert_eq!(status["lastProofOf"], "--route /browser --only answer");
    assert_eq!(home.gw(&["test"]).code, 0);
    assert!(!said(&home).contains("of a part"));
}

#[test]
fn rounds_of_watch_are_a_blank_line_apart() {
    let home = Home::new();
    assert_eq!(home.gw(&["up", "--profile", &home.profile()]).code, 0);
    let mut command = home.command(&["test", "--watch", "5"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(lines).map_while(Result::ok);
    let head = |line: &String| line.trim_start().starts_with("route ");
    lines.find(head).unwrap();
    let first: Vec<String> = lines.by_ref().take_while(|line| !head(line)).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(first.last().unwrap(), "", "{first:?}");
    assert_ne!(first[first.len() - 2], "", "{first:?}");
}

#[test]
fn a_mock_of_tools_that_has_ended_is_the_cause_and_no_json_is() {
    let home = Home::new();
    let head = "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: tools\nbackends:\n";
    let tools = "- {name: tools, mcp: [{name: one, mock: true}]}\n";
    let profile = home.write("tools.yaml", &format!("{head}{tools}"));
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    home.kill("mock");
    let (report, code) = home.json(&["test", "--route", "/tools"]);
    assert_eq!(code, 4);
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|f| f["id"] == "route.tools").unwrap();
    assert_eq!(
        finding["summary"],
        "initialize: 500 from the proxy, nothing reached the MCP server"
    );
    let cause = json!(["cause", "our process mock has ended"]);
    assert_eq!(finding["facts"].as_array().unwrap().last(), Some(&cause));
    let next = finding["next"].as_str().unwrap();
    assert!(next.starts_with("gw up"), "{finding}");
    assert_eq!(home.gw(&["up"]).code, 0);
    assert_eq!(home.gw(&["test"]).code, 0);
}
