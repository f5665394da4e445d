//! MCP servers that are programs: the bridge by itself, and behind an embedded gateway.

#[path = "support/home.rs"]
mod home;
#[path = "bridge/session.rs"]
mod session;

use home::{Home, Said, is_alive, said};

use gatewright::gateway::bridge::{Bridge, settings};
use serde_json::{Value, json};
use session::{Client, Talk, client};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A bridge in this process, with what it writes.
struct Running {
    base: String,
    log: Log,
    end: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Running {
    async fn start(command: &[&str], rest: Duration) -> Running {
        let told = json!({"logs": "gw logs bridge", "servers": [{
            "name": "small",
            "command": command,
            "env": {"PLAIN": "in the open"},
            "keys": {"TOKEN": "t-0123"},
        }]});
        let settings = settings::read(told.to_string().as_bytes());
        let settings = settings.unwrap_or_else(|why| panic!("{why}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let log = Log::default();
        let bridge = Bridge::new(settings, Box::new(log.clone())).resting(rest);
        let (end, ending) = oneshot::channel();
        let ended = tokio::spawn(async move {
            let ending = async { drop(ending.await) };
            bridge.serve(listener, ending).await.unwrap();
        });
        let end = Some(end);
        Running {
            base,
            log,
            end,
            ended,
        }
    }

    async fn small() -> Running {
        let rest = Duration::from_secs(60);
        Running::start(&["sh", &session::server()], rest).await
    }

    fn client(&self) -> Client {
        Client::new(format!("{}/mcp/small", self.base))
    }

    fn written(&self) -> String {
        String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap()
    }

    async fn end(mut self) {
        drop(self.end.take());
        self.ended.await.unwrap();
    }
}

fn text(answer: &Value) -> &str {
    answer
        .pointer("/result/content/0/text")
        .and_then(Value::as_str)
        .unwrap_or("")
}

fn pid(answer: &Value) -> i32 {
    text(answer).split(' ').next().unwrap().parse().unwrap()
}

/// Waits until a process has ended; it may be somebody else's zombie by then.
async fn gone(pid: i32) {
    let wait = async {
        while is_alive(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .expect("the program ends");
}

fn kill(pid: i32) {
    // SAFETY: kill has no memory effects; the process is one that this test started.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
}

#[tokio::test]
async fn each_session_has_a_program_of_its_own_which_ends_with_it() {
    let bridge = Running::small().await;
    let (one, other) = (bridge.client().begin().await, bridge.client().begin().await);
    let (first, second) = (one.call("who").await, other.call("who").await);
    assert_ne!(pid(&first), pid(&second));
    assert_eq!(
        text(&first).split_once(' ').unwrap().1,
        "t-0123 in the open"
    );
    assert_eq!(one.end().await, 200);
    gone(pid(&first)).await;
    assert_eq!(
        one.post(&json!({"jsonrpc": "2.0", "id": 9, "method": "ping"}))
            .await
            .status(),
        404
    );
    assert_eq!(pid(&other.call("who").await), pid(&second));
    bridge.end().await;
    gone(pid(&second)).await;
}

#[tokio::test]
async fn what_a_program_writes_to_stderr_is_in_the_log_and_its_keys_are_not() {
    let bridge = Running::small().await;
    bridge.client().begin().await.call("who").await;
    let written = bridge.written();
    assert!(written.contains("small: begun with …"), "{written}");
    assert!(
        written.contains("no message on stdout: a word on stdout"),
        "{written}"
    );
    assert!(!written.contains("t-0123"), "{written}");
    bridge.end().await;
}

#[tokio::test]
async fn a_program_that_is_killed_is_told_to_whoever_waits_and_a_new_session_starts_it_again() {
    let bridge = Running::small().await;
    let session = bridge.client().begin().await;
    let who = pid(&session.call("who").await);
    let waiting = session.ask("wait");
    let killing = async {
        while !bridge.written().contains("waiting") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kill(who);
    };
    let (answer, ()) = tokio::join!(waiting, killing);
    let said = answer["error"]["message"].as_str().unwrap();
    assert!(
        said.starts_with("MCP server small ended (signal 9)"),
        "{said}"
    );
    assert!(
        said.ends_with("a new session starts it again; see: gw logs bridge"),
        "{said}"
    );
    let after = session
        .post(&json!({"jsonrpc": "2.0", "id": 9, "method": "ping"}))
        .await;
    assert_eq!(after.status(), 404);
    let again = bridge.client().begin().await;
    assert_ne!(pid(&again.call("who").await), who);
    bridge.end().await;
}

#[tokio::test]
async fn a_program_that_ended_while_nobody_waited_is_told_once() {
    let bridge = Running::small().await;
    let session = bridge.client().begin().await;
    let who = pid(&session.call("who").await);
    kill(who);
    gone(who).await;
    let ping = json!({"jsonrpc": "2.0", "id": 9, "method": "ping"});
    let answer = session.answer(&ping).await;
    let said = answer["error"]["message"].as_str().unwrap();
    assert!(said.contains("ended (signal 9)"), "{said}");
    assert_eq!(session.post(&ping).await.status(), 404);
    bridge.end().await;
}

#[tokio::test]
async fn a_program_that_ends_says_why_in_its_last_words() {
    let bridge = Running::small().await;
    let answer = bridge.client().begin().await.call("die").await;
    let said = answer["error"]["message"].as_str().unwrap();
    assert!(
        said.contains("ended (exit code 3), and wrote last: told to die"),
        "{said}"
    );
    bridge.end().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_that_says_what_to_run() {
    let bridge = Running::start(&["/nowhere/at-all"], Duration::from_secs(60)).await;
    let reply = bridge.client().post(&session::hello()).await;
    assert_eq!(reply.status(), 200);
    let answer = session::read(reply, 1).await;
    let said = answer["error"]["message"].as_str().unwrap();
    assert!(said.contains("/nowhere/at-all can't be started"), "{said}");
    assert!(said.ends_with("run: gw up"), "{said}");
    bridge.end().await;
}

/// MCP 2025-06-18, Transports: a message that is about a request goes on that request's stream, any
/// other on the one that a GET opened.
#[tokio::test]
async fn progress_comes_with_the_answer_and_questions_come_on_the_stream_of_their_own() {
    let bridge = Running::small().await;
    let session = bridge.client().begin().await;
    let Talk { events, .. } = session.talk("tell", Some("t-2")).await;
    assert_eq!(events[0]["method"], "notifications/progress");
    assert_eq!(events[1]["id"], 2);
    let mut stream = session.listen().await;
    let asking = session.ask("ask");
    let answering = async {
        let question = session::next(&mut stream).await;
        assert_eq!(question["method"], "roots/list");
        let roots = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}});
        assert_eq!(session.post(&roots).await.status(), 202);
    };
    let (answer, ()) = tokio::join!(asking, answering);
    assert_eq!(text(&answer), "heard");
    bridge.end().await;
}

#[tokio::test]
async fn a_session_that_rests_too_long_ends_and_one_that_waits_does_not() {
    let bridge = Running::start(&["sh", &session::server()], Duration::from_millis(400)).await;
    let (resting, waiting) = (bridge.client().begin().await, bridge.client().begin().await);
    let who = pid(&resting.call("who").await);
    let other = pid(&waiting.call("who").await);
    let stream = waiting.listen().await;
    gone(who).await;
    assert_eq!(pid(&waiting.call("who").await), other);
    drop(stream);
    gone(other).await;
    bridge.end().await;
}

#[tokio::test]
async fn what_no_client_of_the_protocol_sends_starts_no_program() {
    let bridge = Running::small().await;
    let url = format!("{}/mcp/small", bridge.base);
    let both = "application/json, text/event-stream";
    let hello = session::hello().to_string();
    let port = bridge.base.rsplit(':').next().unwrap();
    let rebound = format!("evil.example:{port}");
    let table = [
        (&[("accept", both), ("content-type", "text/plain")][..], 415),
        (
            &[
                ("accept", "application/json"),
                ("content-type", "application/json"),
            ],
            406,
        ),
        (
            &[
                ("accept", both),
                ("content-type", "application/json"),
                ("host", &rebound),
            ],
            403,
        ),
    ];
    for (headers, expected) in table {
        let mut request = client().post(&url).body(hello.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        assert_eq!(
            request.send().await.unwrap().status(),
            expected,
            "{headers:?}"
        );
    }
    let elsewhere = Client::new(format!("{}/mcp/other", bridge.base));
    assert_eq!(elsewhere.post(&session::hello()).await.status(), 404);
    let small = bridge.client();
    assert_eq!(small.post(&json!({"no": "message"})).await.status(), 400);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    assert_eq!(small.post(&list).await.status(), 400);
    assert_eq!(bridge.written(), "");
    bridge.end().await;
}

fn profile(home: &Home, command: &str) -> String {
    let text = format!(
        "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: programs\nbackends:\n\
         - name: tools\n  mcp:\n  - name: small\n    command: {command}\n    \
         env: {{PLAIN: in the open, TOKEN: {{env: SMALL_TOKEN}}}}\n"
    );
    home.write("programs.yaml", &text)
}

fn up(home: &Home, token: &str) -> Said {
    let profile = profile(home, &format!("[sh, {}]", session::server()));
    let mut command = home.command(&["up", "--target", "embedded", "--profile", &profile]);
    command.env("SMALL_TOKEN", token);
    command.env("OTHER_TOKEN", "planted-elsewhere");
    said(command.output().unwrap())
}

#[tokio::test]
async fn up_proves_a_program_by_calling_its_tool_and_down_leaves_no_process() {
    let home = Home::new();
    let first = up(&home, "planted-0123");
    assert_eq!(first.code, 0, "{first:?}");
    let client = || Client::new(format!("{}/tools", home.base()));
    let (one, other) = (client().begin().await, client().begin().await);
    let (who, second) = (pid(&one.call("who").await), pid(&other.call("who").await));
    assert_ne!(who, second);
    assert!(text(&one.call("who").await).ends_with("planted-0123 in the open"));

    let waiting = one.ask("wait");
    let killing = async {
        while !home
            .gw(&["logs", "bridge"])
            .stdout
            .contains("small: waiting")
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kill(who);
    };
    let (answer, ()) = tokio::join!(waiting, killing);
    let told = answer["error"]["message"].as_str().unwrap();
    assert!(
        told.contains("ended (signal 9)") && told.ends_with("gw logs bridge"),
        "{told}"
    );
    let again = client().begin().await;
    assert_ne!(pid(&again.call("who").await), who);

    let status = home.gw(&["status"]);
    assert!(status.stdout.contains("bridge"), "{status:?}");
    let same = up(&home, "planted-0123");
    assert!(same.stdout.contains("nothing to change"), "{same:?}");
    assert_eq!(pid(&other.call("who").await), second);

    let rotated = up(&home, "planted-4567");
    assert_eq!(rotated.code, 0, "{rotated:?}");
    gone(second).await;
    let last = client().begin().await;
    assert!(text(&last.call("who").await).ends_with("planted-4567 in the open"));
    let logs = home.gw(&["logs"]);
    assert!(logs.stdout.contains("begun with …"), "{logs:?}");
    assert!(!logs.stdout.contains("not to get"), "{logs:?}");
    let debug = home.gw(&["debug"]);
    for said in [first, same, rotated, status, logs, debug] {
        assert!(!format!("{said:?}").contains("planted"), "{said:?}");
    }
    for file in std::fs::read_dir(home.environment()).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read(&path).map(|b| String::from_utf8_lossy(&b).into_owned());
        assert!(!text.unwrap_or_default().contains("planted"), "{path:?}");
    }

    // Its keys stand in a command's own environment only: without them nothing starts it again.
    home.kill("bridge");
    let fix = home.gw(&["debug", "--fix", "GW029", "--yes"]);
    assert_eq!(fix.code, 1, "{fix:?}");
    assert!(fix.stderr.trim_end().ends_with("-> gw up"), "{fix:?}");
    let mut with_keys = home.command(&["debug", "--fix", "GW029", "--yes"]);
    with_keys.env("SMALL_TOKEN", "planted-4567");
    let fix = said(with_keys.output().unwrap());
    assert_eq!(fix.code, 0, "{fix:?}");
    let last = client().begin().await;
    assert!(text(&last.call("who").await).ends_with("planted-4567 in the open"));

    home.kill("bridge");
    let test = home.gw(&["test"]);
    let words: Vec<&str> = test.stdout.split_whitespace().collect();
    let words = words.join(" ");
    assert!(words.contains("our process bridge has ended"), "{test:?}");
    assert_eq!(up(&home, "planted-4567").code, 0);
    let last = client().begin().await;

    let left = pid(&last.call("who").await);
    assert_eq!(home.gw(&["down"]).code, 0);
    gone(left).await;
    assert_eq!(home.processes(), Vec::<String>::new());
}

#[test]
fn a_program_that_is_not_on_path_is_said_before_anything_is_made() {
    let home = Home::new();
    let profile = profile(&home, "[no-such-program]");
    let mut command = home.command(&["up", "--target", "embedded", "--profile", &profile]);
    let said = said(command.env("SMALL_TOKEN", "x").output().unwrap());
    assert_eq!(said.code, 2, "{said:?}");
    let what = "MCP server small needs no-such-program, which is not on PATH";
    assert!(said.stderr.contains(what), "{said:?}");
    assert!(
        said.stderr.contains("command -v no-such-program"),
        "{said:?}"
    );
    assert!(!home.environment().join("ledger.jsonl").exists());
}

#[test]
fn a_program_that_does_not_start_well_is_a_failed_proof_in_its_own_words() {
    let home = Home::new();
    let command = "[sh, -c, \"echo no database given >&2; exit 7\"]";
    let profile = profile(&home, command);
    let mut command = home.command(&["up", "--target", "embedded", "--profile", &profile]);
    let said = said(command.env("SMALL_TOKEN", "planted-0123").output().unwrap());
    assert_eq!(said.code, 4, "{said:?}");
    let words: Vec<&str> = said.stdout.split_whitespace().collect();
    let expected =
        "initialize: MCP server tools-small ended (exit code 7), and wrote last: no database given";
    assert!(words.join(" ").contains(expected), "{said:?}");
    assert!(
        said.stdout.trim_end().ends_with("-> gw logs bridge"),
        "{said:?}"
    );
}

#[test]
fn a_program_for_every_request_is_refused() {
    let home = Home::new();
    let text = "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: p\nbackends:\n\
                - name: t\n  mcp: {stateless: true, targets: [{name: x, command: [a]}]}\n";
    let said = home.gw(&["profile", "validate", &home.write("p.yaml", text)]);
    assert_eq!(said.code, 2, "{said:?}");
    let words: Vec<&str> = said.stderr.split_whitespace().collect();
    let words = words.join(" ");
    assert!(
        words.contains("would start the program of `command` anew"),
        "{said:?}"
    );
}

#[test]
fn what_a_server_can_not_be_is_said_with_its_line() {
    let home = Home::new();
    let table = [
        (
            "{name: x, command: [a], address: \"http://h:1\"}",
            "has no meaning beside `address`",
        ),
        (
            "{name: x, command: \"npx -y x\"}",
            "is a string, not a list",
        ),
        ("{name: x, command: []}", "is empty"),
        ("{name: x, command: [./server]}", "is a path from nowhere"),
        (
            "{name: x, command: [a], key: {env: K}}",
            "has no meaning beside `command`",
        ),
        (
            "{name: x, mock: true, env: {A: b}}",
            "has no meaning without `command`",
        ),
        (
            "{name: x, selector: {app: a}, protocol: SSE}",
            "has no meaning beside `selector`",
        ),
        ("{name: x, selector: {}}", "picks nothing"),
        (
            "{name: x, mock: true, namespace: a}",
            "has no meaning without `selector`",
        ),
        (
            "{name: x, command: [a], env: {1A: b}}",
            "is not the name of a variable",
        ),
    ];
    for (server, expected) in table {
        let text = format!(
            "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: p\nbackends:\n\
             - name: t\n  mcp:\n  - {server}\n"
        );
        let said = home.gw(&["profile", "validate", &home.write("p.yaml", &text)]);
        assert_eq!(said.code, 2, "{server}: {said:?}");
        let words = [
            said.stdout.split_whitespace(),
            said.stderr.split_whitespace(),
        ];
        let all = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        assert!(
            all.contains(expected) && all.contains("p.yaml:7"),
            "{server}: {all}"
        );
    }
}
