//! The binary on a bare machine: no Docker, no cluster, no keys.

#[path = "support/follow.rs"]
mod follow;
#[path = "support/home.rs"]
mod home;

use follow::{Follow, post};
use home::{Home, free_port};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Instant;

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[test]
fn up_ends_with_a_proved_route_and_says_why_this_target() {
    let home = Home::new();
    let said = home.gw(&["up", "--profile", &home.profile()]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stderr
            .contains("target embedded: no cluster: Docker does not answer"),
        "{said:?}"
    );
    assert!(said.stderr.contains("using mock instead"), "{said:?}");
    assert!(
        said.stdout.contains("/mock  mock (no model)  200"),
        "{said:?}"
    );
    assert!(said.stdout.contains(&format!(
        "http://localhost:{} is ready: 1 route proved",
        home.port
    )));
    assert!(said.stdout.contains(&format!(
        "curl http://localhost:{}/mock/v1/chat/completions",
        home.port
    )));
}

#[tokio::test]
async fn the_gateway_that_up_leaves_answers_a_client() {
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    let url = format!("{}/mock/v1/chat/completions", home.base());
    let body = json!({"messages": [{"role": "user", "content": "ping"}]});
    let client = client();
    let answer = client.post(&url).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    assert!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .starts_with("mock: ")
    );

    let foreign = client
        .post(&url)
        .header("origin", "https://evil.example")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
    assert_eq!(foreign.text().await.unwrap(), "CSRF validation failed");
    let rebound = client
        .post(&url)
        .header("host", "evil.example")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(rebound.status(), 421);
    let nowhere = client
        .get(format!("{}/nowhere", home.base()))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            nowhere.status().as_u16(),
            nowhere.text().await.unwrap().as_str()
        ),
        (404, "route not found")
    );
}

#[test]
fn a_second_up_changes_nothing_and_says_so() {
    let home = Home::new();
    let profile = home.profile();
    home.gw(&["up", "--profile", &profile]);
    let ledger = std::fs::read(home.environment().join("ledger.jsonl")).unwrap();
    let again = home.gw(&["up", "--profile", &profile]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(
        again
            .stdout
            .contains("nothing to change: 4 objects as planned"),
        "{again:?}"
    );
    assert_eq!(
        std::fs::read(home.environment().join("ledger.jsonl")).unwrap(),
        ledger
    );
}

#[test]
fn every_day_two_command_works_from_any_folder_and_down_leaves_nothing() {
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    let elsewhere = tempfile::tempdir().unwrap();
    let there = |args: &[&str]| {
        home::said(
            home.command(args)
                .current_dir(elsewhere.path())
                .output()
                .unwrap(),
        )
    };

    let status = there(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(
        status.stdout.contains("route    mock") && status.stdout.contains("/mock to mock"),
        "{status:?}"
    );
    let test = there(&["test"]);
    assert_eq!(test.code, 0, "{test:?}");
    let logs = there(&["logs"]);
    assert!(
        logs.stdout.contains("POST /mock/v1/chat/completions 200"),
        "{logs:?}"
    );
    assert_eq!(there(&["down"]).code, 0);
    assert!(!home.environment().exists());
    assert_eq!(home.processes(), Vec::<String>::new());
    let again = there(&["down"]);
    assert_eq!(again.code, 0);
    assert!(again.stdout.contains("nothing to take back"), "{again:?}");
}

#[test]
fn no_rule_finds_anything_where_a_shipped_profile_has_just_been_proved() {
    let home = Home::new();
    for profile in ["default", "ci", "limits", "mcp", "extproc", "mock"] {
        let up = home.gw(&["up", "--profile", profile]);
        assert_eq!(up.code, 0, "{profile}: {up:?}");
        let (told, code) = home.json(&["debug"]);
        assert_eq!(told["findings"], json!([]), "{profile}: {told}");
        assert_eq!(code, 0);
    }
}

#[test]
fn a_followed_log_tells_each_request_once_and_ends_without_a_word() {
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    let mut all = Follow::start(home.command(&["logs", "--follow"]));
    let mut wrong = Follow::start(home.command(&["logs", "/mock", "--errors", "--follow"]));
    all.until("POST /mock/v1/chat/completions 200");
    for number in 0..5 {
        post(
            home.port,
            &format!("/mock/v1/chat/completions?good={number}"),
        );
        post(home.port, &format!("/nothing?bad={number}"));
        post(home.port, &format!("/mock/v1/nothing?bad={number}"));
    }
    all.until("bad=4");
    wrong.until("bad=4");
    for number in 0..5 {
        let good = format!("gateway POST /mock/v1/chat/completions?good={number} 200");
        assert_eq!(all.count(&good), 1, "{:#?}", all.seen);
        assert_eq!(
            wrong.count(&format!("bad={number}")),
            1,
            "{:#?}",
            wrong.seen
        );
    }
    assert_eq!(wrong.count(" 200 "), 0, "{:#?}", wrong.seen);
    assert_eq!(all.end(libc::SIGINT), (Some(130), String::new()));
    assert_eq!(wrong.end(libc::SIGTERM), (Some(143), String::new()));

    // Whoever reads has gone away; and the environment that is followed.
    let mut unread = home.command(&["logs", "--follow"]);
    let mut unread = unread
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(unread.stdout.take());
    assert_eq!(unread.wait_with_output().unwrap().status.code(), Some(0));
    let mut last = Follow::start(home.command(&["logs", "--follow"]));
    last.until("good=4");
    home.gw(&["down"]);
    assert_eq!(last.end(0).0, Some(0));
}

#[test]
fn a_taken_port_is_named_with_its_owner_and_the_next_free_one_is_offered() {
    let home = Home::new();
    let _holder = TcpListener::bind(("127.0.0.1", home.port)).unwrap();
    let said = home.gw(&["up", "--profile", &home.profile()]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.stderr
            .contains(&format!("(pid {})", std::process::id())),
        "{said:?}"
    );
    let next = said
        .stderr
        .lines()
        .last()
        .unwrap()
        .trim()
        .trim_start_matches("-> gw ")
        .to_string();
    let arguments: Vec<&str> = next.split_whitespace().collect();
    assert_eq!(arguments[..2], ["up", "--port"], "{next}");
    let then = home.gw(&arguments);
    assert_eq!(then.code, 0, "{then:?}");
}

#[test]
fn a_gateway_that_was_killed_is_back_after_the_next_up() {
    let home = Home::new();
    let profile = home.profile();
    home.gw(&["up", "--profile", &profile]);
    for role in ["gateway", "mock"] {
        home.kill(role);
    }
    let status = home.gw(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(home.gw(&["test"]).code, 0);
}

#[test]
fn killed_at_any_step_up_goes_on_and_down_takes_everything_back() {
    let probe = Home::new();
    let (plan, _) = probe.json(&[
        "plan",
        "--profile",
        &probe.profile(),
        "--target",
        "embedded",
    ]);
    let steps: Vec<String> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["id"].as_str().unwrap().to_string())
        .collect();
    assert!(steps.len() >= 6, "{steps:?}");
    for step in steps
        .iter()
        .flat_map(|step| [step.clone(), format!("{step}:after")])
    {
        for then in ["up", "down"] {
            let home = Home::new();
            let profile = home.profile();
            killed_at(&home, &profile, &step);
            if then == "up" {
                let said = home.gw(&["up", "--profile", &profile]);
                assert_eq!(said.code, 0, "after a kill at {step}: {said:?}");
            }
            let down = home.gw(&["down"]);
            assert_eq!(down.code, 0, "after a kill at {step}: {down:?}");
            assert!(!home.environment().exists(), "after a kill at {step}");
            assert_eq!(
                home.processes(),
                Vec::<String>::new(),
                "after a kill at {step}"
            );
        }
    }
}

/// Starts `up`, waits until it has stopped itself at the step, and kills it there.
fn killed_at(home: &Home, profile: &str, step: &str) {
    let mut command = home.command(&["up", "--profile", profile, "--target", "embedded"]);
    let mut child = command
        .env("GATEWRIGHT_STOP_AT", step)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut status = 0;
    // SAFETY: waitpid writes to a valid integer; the process is our own child.
    let changed = unsafe { libc::waitpid(pid, &mut status, libc::WUNTRACED) };
    assert_eq!(changed, pid);
    assert!(
        libc::WIFSTOPPED(status),
        "up ended before it came to {step}"
    );
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
}

#[test]
fn an_interrupt_says_how_to_go_on_and_leaves_a_state_that_up_takes_over() {
    let home = Home::new();
    let profile = home.profile();
    let mut command = home.command(&["up", "--profile", &profile, "--target", "embedded"]);
    let child = command
        .env("GATEWRIGHT_STOP_AT", "gateway.answers")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut status = 0;
    // SAFETY: as above.
    unsafe {
        libc::waitpid(pid, &mut status, libc::WUNTRACED);
        libc::kill(pid, libc::SIGINT);
        libc::kill(pid, libc::SIGCONT);
    }
    let said = home::said(child.wait_with_output().unwrap());
    assert_eq!(said.code, 130, "{said:?}");
    let next = said.stderr.lines().last().unwrap();
    let next = next.trim().trim_start_matches("-> gw ").to_string();
    let arguments: Vec<&str> = next.split_whitespace().collect();
    assert_eq!(arguments[0], "up", "{said:?}");
    assert_eq!(home.gw(&arguments).code, 0, "{next}");
}

#[test]
fn two_ups_at_once_do_not_meet() {
    let home = Home::new();
    let profile = home.profile();
    let up = || {
        home.command(&["up", "--profile", &profile])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let (first, second) = (up(), up());
    for child in [first, second] {
        let said = home::said(child.wait_with_output().unwrap());
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(
        home.processes()
            .iter()
            .filter(|line| line.contains("gw gateway"))
            .count(),
        1
    );
}

#[test]
fn two_environments_live_side_by_side() {
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    let port = free_port().to_string();
    let other = home.gw(&[
        "up",
        "--env",
        "demo",
        "--port",
        &port,
        "--profile",
        &home.profile(),
    ]);
    assert_eq!(other.code, 0, "{other:?}");
    assert_eq!(home.gw(&["test"]).code, 0);
    assert_eq!(home.gw(&["test", "--env", "demo"]).code, 0);
    assert_eq!(home.gw(&["down", "--env", "demo"]).code, 0);
    assert_eq!(home.gw(&["test"]).code, 0);
}

#[test]
fn a_plain_up_takes_the_profile_that_was_last_asked_for() {
    let home = Home::new();
    assert_eq!(home.gw(&["up", "--profile", &home.profile()]).code, 0);
    let again = home.gw(&["up"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("nothing to change"), "{again:?}");
    assert!(home.gw(&["status"]).stdout.contains("profile test"));
}

#[test]
fn a_state_that_cannot_be_read_is_not_thrown_away() {
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    let record = home.environment().join("environment.json");
    let good = std::fs::read(&record).unwrap();
    std::fs::write(&record, "{ half").unwrap();
    for command in ["up", "down", "status", "test"] {
        let said = home.gw(&[command]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            said.stderr.contains("environment.json can't be read"),
            "{said:?}"
        );
    }
    std::fs::write(&record, good).unwrap();
    assert_eq!(home.gw(&["down"]).code, 0);
    assert_eq!(home.processes(), Vec::<String>::new());
}

#[test]
fn status_is_not_green_while_a_process_of_ours_is_gone() {
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    home.kill("mock");
    let status = home.gw(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    assert!(status.stdout.contains("not running"), "{status:?}");
    let test = home.gw(&["test"]);
    assert!(
        test.stdout.contains("our process mock has ended"),
        "{test:?}"
    );
}

#[test]
fn the_json_of_up_status_test_and_plan_has_one_shape() {
    let home = Home::new();
    let profile = home.profile();
    for args in [
        vec!["plan", "--profile", &profile],
        vec!["up", "--profile", &profile],
        vec!["status"],
        vec!["test"],
        vec!["down"],
    ] {
        let (value, code) = home.json(&args);
        assert_eq!(code, 0, "{value}");
        assert_eq!(value["apiVersion"], "gatewright.dev/v1alpha1");
        assert_eq!(value["kind"], "Report");
        assert_eq!(value["command"], args[0]);
        assert_eq!(value["environment"], "default");
        assert_eq!(
            (&value["ok"], &value["exitCode"]),
            (&json!(true), &json!(0))
        );
    }
    let (error, code) = home.json(&["test"]);
    assert_eq!(
        (code, &error["exitCode"], &error["ok"]),
        (1, &json!(1), &json!(false))
    );
    assert_eq!(error["error"]["next"], "gw up");
}

#[test]
fn a_route_that_fails_its_proof_is_exit_code_4() {
    let home = Home::new();
    let profile = home.profile();
    home.gw(&["up", "--profile", &profile]);
    home.kill("mock");
    let said = home.gw(&["test"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(
        said.stdout
            .contains("503 from the proxy, nothing reached mock provider"),
        "{said:?}"
    );
    assert!(
        said.stdout
            .contains("upstream call failed: Connect: Connection refused"),
        "{said:?}"
    );
    assert!(said.stdout.trim_end().ends_with("-> gw up"), "{said:?}");
}

#[test]
fn what_is_written_down_of_an_environment_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    for name in ["environment.json", "applied.json", "proof.json"] {
        let file = home.environment().join(name);
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

#[test]
fn own_tests_of_a_profile_are_part_of_the_proof() {
    let home = Home::new();
    let text = std::fs::read_to_string(home.profile()).unwrap();
    let tests = "tests:\n- name: get-is-refused\n  route: mock\n  method: GET\n  path: /v1/chat/completions\n  expect: {status: 503, contains: EOF}\n";
    let good = home.write("good.yaml", &format!("{text}{tests}"));
    let said = home.gw(&["up", "--profile", &good]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("own test get-is-refused"), "{said:?}");
    let bad = home.write(
        "bad.yaml",
        &format!("{text}{}", tests.replace("503", "200")),
    );
    let said = home.gw(&["up", "--profile", &bad]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(
        said.stdout.contains("503 where 200 was expected"),
        "{said:?}"
    );
}

#[test]
fn up_is_fast_and_the_program_starts_at_once() {
    let home = Home::new();
    let start = Instant::now();
    assert_eq!(home.gw(&["up", "--profile", &home.profile()]).code, 0);
    let up = start.elapsed();
    // A bound with room for a busy machine; the README's figure is measured on the release build.
    assert!(up.as_secs_f64() < 2.0, "{up:?}");
}

#[test]
fn a_plan_touches_nothing_and_a_wrong_profile_is_exit_code_2() {
    let home = Home::new();
    let plan = home.gw(&["plan", "--profile", &home.profile()]);
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(!home.path().join("state").exists());
    let wrong = home.write("wrong.yaml", "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: x\nbackends:\n- name: a\n  provider: olama\n");
    let said = home.gw(&["up", "--profile", &wrong]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("6:13") && said.stderr.contains("did you mean `ollama`"),
        "{said:?}"
    );
}

/// One request on an open connection, and its status line.
fn ask(stream: &mut std::net::TcpStream, path: &str) -> String {
    use std::io::{BufRead, BufReader, Read, Write};
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(
            reader.read_line(&mut line).unwrap() > 0,
            "the connection was closed"
        );
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.to_lowercase());
    }
    let length = lines
        .iter()
        .find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.unwrap_or("0").trim().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    lines[0].trim().to_string()
}

#[test]
fn a_changed_profile_is_served_on_a_connection_that_was_open_before() {
    let home = Home::new();
    let profile = home.profile();
    assert_eq!(home.gw(&["up", "--profile", &profile]).code, 0);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", home.port)).unwrap();
    assert_eq!(ask(&mut stream, "/new/v1/models"), "http/1.1 404 not found");
    let text = std::fs::read_to_string(&profile).unwrap();
    let more = text.replace(
        "policies:",
        "routes:\n- {name: new, path: /new, backend: mock}\n- {name: mock, path: /mock, backend: mock}\npolicies:",
    );
    std::fs::write(&profile, more).unwrap();
    let again = home.gw(&["up", "--profile", &profile]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_ne!(ask(&mut stream, "/new/v1/models"), "http/1.1 404 not found");
}

#[tokio::test]
async fn status_tells_where_tools_of_operation_ask_and_they_answer() {
    let home = Home::new();
    home.gw(&["up", "--profile", &home.profile()]);
    let (status, _) = home.json(&["status"]);
    let parts = status["status"]["parts"].as_array().unwrap();
    let doors: Vec<&str> = parts
        .iter()
        .filter(|part| part["sort"] == "door")
        .filter_map(|part| part["name"].as_str())
        .collect();
    assert_eq!(doors.len(), 3, "{status}");
    for (door, expected) in doors
        .iter()
        .zip(["ready", "# HELP agentgateway_build", "{"])
    {
        let answer = client().get(*door).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{door}");
        let text = answer.text().await.unwrap();
        assert!(text.starts_with(expected), "{door}: {text}");
    }
}
