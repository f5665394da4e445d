//! `gw status --watch`: its screen by golden files, and on a real pseudo-terminal against a gateway.
//!
//! `GW_UPDATE=1 cargo test --test watch` writes the screens anew.

#[path = "support/home.rs"]
mod home;
#[path = "support/terminal.rs"]
mod terminal;

#[path = "watch/screen.rs"]
mod screen;

use gatewright::apply::ledger::Ledger;
use home::Home;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};
use terminal::Terminal;

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// A home whose gateway runs, with the mock alone behind it.
fn up() -> Home {
    let home = Home::new();
    let said = home.gw(&["up", "--profile", &home.profile()]);
    assert_eq!(said.code, 0, "{said:?}");
    home
}

fn watch(home: &Home, rows: u16, columns: u16) -> Terminal {
    let mut command = home.command(&["status", "--watch"]);
    command.env_remove("GW_PROGRESS");
    Terminal::start(command, rows, columns)
}

/// A client's request to a route, and what it was answered.
fn ask(home: &Home, path: &str) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = json!({"messages": [{"role": "user", "content": "ping"}]});
        let sent = client.post(format!("{}{path}", home.base())).json(&body);
        sent.send().await.unwrap().status().as_u16()
    })
}

/// Requests, tokens in, tokens out and errors of a route, as its row has them.
fn numbers(terminal: &Terminal, path: &str) -> Option<[u64; 4]> {
    let screen = terminal.screen();
    let row = screen.lines().find(|line| line.contains(path))?;
    let (_, cells) = row.split_once("mock  ").or(row.split_once("mock "))?;
    // Times have their unit beside them, and no number before it.
    let words: Vec<&str> = cells.split_whitespace().collect();
    let words: Vec<u64> = words
        .iter()
        .enumerate()
        .filter(|(place, _)| !["ms", "s"].contains(words.get(place + 1).unwrap_or(&"")))
        .filter_map(|(_, word)| word.parse().ok())
        .collect();
    match words[..] {
        [requests, .., input, output, errors] => Some([requests, input, output, errors]),
        _ => None,
    }
}

/// Waits until a route's row says so.
fn wait_for_numbers(terminal: &mut Terminal, path: &str, wanted: impl Fn([u64; 4]) -> bool) {
    let what = format!("the numbers of {path}");
    terminal.wait_until(&what, |terminal| {
        numbers(terminal, path).is_some_and(&wanted)
    });
}

#[test]
fn requests_of_a_client_stand_in_their_row_and_keys_test_show_the_log_and_walk() {
    let home = up();
    let mut terminal = watch(&home, ROWS, COLUMNS);
    terminal.wait_for("answers");
    terminal.wait_for("nothing is wrong");
    assert!(terminal.is_whole());
    let [before, input, output, errors] = numbers(&terminal, "/mock").unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&home, "/mock/v1/chat/completions"), 200);
    }
    wait_for_numbers(&mut terminal, "/mock", |[requests, i, o, e]| {
        requests == before + 3 && i > input && o > output && e == errors
    });
    // What a caller did wrong is told with its reason.
    assert_eq!(ask(&home, "/mock/v1/no-such?key=planted-key-3Hd8"), 404);
    wait_for_numbers(&mut terminal, "/mock", |[.., e]| e == errors + 1);
    terminal.wait_for("last error of /mock: 404");

    terminal.press("\u{1b}[B");
    terminal.wait_for("> ✗ /mock");
    terminal.press("l");
    terminal.wait_for("log of /mock");
    terminal.wait_for("/mock/v1/no-such");
    ask(&home, "/mock/v1/another-one");
    terminal.wait_for("/mock/v1/another-one");

    terminal.press("t");
    terminal.wait_for("test of /mock");
    terminal.wait_for("mock: pong");
    terminal.wait_for("last proof just now");
    terminal.press("r");
    terminal.wait_for("reach of /mock");
    terminal.wait_for("✓ backend");
    terminal.wait_for("✓ model");
    terminal.press("?");
    terminal.wait_for("walk its way hop by hop");

    terminal.resize(60, 200);
    terminal.wait_for("last error");
    terminal.press("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.written);
    assert!(terminal.is_sane() && !terminal.is_whole());
    assert!(!terminal.written.contains("planted-key-3Hd8"));
}

#[test]
fn however_it_ends_the_terminal_is_as_it_was() {
    let home = up();
    let keys = [("q", 0), ("\u{1b}", 0), ("\u{3}", 130)];
    for (key, code) in keys {
        let mut terminal = watch(&home, ROWS, COLUMNS);
        terminal.wait_for("answers");
        assert!(!terminal.is_sane());
        terminal.press(key);
        assert_eq!(terminal.end(), code, "{key:?}: {}", terminal.written);
        assert!(terminal.is_sane() && !terminal.is_whole(), "{key:?}");
    }
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        let mut terminal = watch(&home, ROWS, COLUMNS);
        terminal.wait_for("answers");
        terminal.signal(signal);
        assert_eq!(terminal.end(), 128 + signal, "{}", terminal.written);
        assert!(terminal.is_sane() && !terminal.is_whole(), "{signal}");
    }
}

#[test]
fn a_gateway_that_goes_away_is_shown_and_one_that_comes_back_too() {
    let home = up();
    let mut terminal = watch(&home, ROWS, COLUMNS);
    terminal.wait_for("   answers");
    home.kill("gateway");
    terminal.wait_for("connection refused");
    terminal.wait_for("counts can't be read");
    assert_eq!(home.gw(&["up", "--profile", &home.profile()]).code, 0);
    terminal.wait_for("   answers");
    assert_eq!(home.gw(&["down", "--yes"]).code, 0);
    terminal.wait_for("is not there");
    terminal.press("t");
    terminal.wait_for("→ gw up");
    terminal.press("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.written);
    assert!(terminal.is_sane());
}

#[test]
fn without_colour_marks_are_enough() {
    let home = up();
    let mut command = home.command(&["status", "--watch"]);
    command.env_remove("GW_PROGRESS").env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command, ROWS, COLUMNS);
    terminal.wait_for("✓ /mock");
    terminal.press("q");
    assert_eq!(terminal.end(), 0);
    for colour in ["\u{1b}[3", "\u{1b}[38", "\u{1b}[1m", "\u{1b}[2m"] {
        let coloured = terminal.written.contains(colour);
        assert!(!coloured, "{colour:?}: {:?}", terminal.written);
    }
}

#[test]
fn a_terminal_of_ci_and_a_pipe_get_lines() {
    let home = up();
    let mut command = home.command(&["status", "--watch"]);
    command.env("CI", "true");
    let mut terminal = Terminal::start(command, ROWS, COLUMNS);
    terminal.wait_for("last proof");
    assert!(!terminal.is_whole() && terminal.is_sane());
    terminal.signal(libc::SIGTERM);
    assert_eq!(terminal.end(), 143);

    let mut command = home.command(&["status", "--watch"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut first).unwrap();
    assert_eq!(first, "environment default, profile test\n");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_test_that_is_left_half_way_leaves_nothing_beside_the_routes() {
    let home = Home::new();
    let said = home.gw(&["up", "--profile", "limits"]);
    assert_eq!(said.code, 0, "{said:?}");
    let there = || {
        let things = Ledger::peek(&home.environment().join("ledger.jsonl"));
        let mut names: Vec<String> = things.iter().map(|thing| thing.title()).collect();
        names.sort();
        names
    };
    let before = there();
    let mut terminal = watch(&home, ROWS, COLUMNS);
    terminal.wait_for("   answers");
    terminal.press("t");
    // Its copies of routes, without their limits, are written down before they are made.
    let start = Instant::now();
    while there() == before {
        assert!(start.elapsed().as_secs() < 30, "no copy was made");
        std::thread::sleep(Duration::from_millis(1));
    }
    terminal.press("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.written);
    assert!(terminal.is_sane());
    assert_eq!(there(), before);
}
