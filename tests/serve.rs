//! `gw serve` from outside: files in, answers out, and what is said of a bad file.

#[path = "support/home.rs"]
mod home;
#[path = "support/served.rs"]
mod served;

use home::{Home, free_port};
use serde_json::json;
use served::{Served, answering};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

fn objects(port: u16, said: &str) -> String {
    answering(port, "r", "/", said)
}

/// One request on an open connection; the answer's body, which has a length.
fn ask(stream: &mut TcpStream) -> String {
    write!(stream, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn the_objects_of_a_file_are_served_when_the_ready_line_is_there() {
    let home = Home::new();
    let file = home.write("gateway.yaml", &objects(home.port, "one"));
    let mut served = Served::start(&home, &["-f", &file]);
    let line = served.line();
    let expected = format!(
        "http://127.0.0.1:{} answers: 1 gateway, 1 route and 1 policy",
        home.port
    );
    assert!(line.contains(&expected), "{line}");
    let mut stream = TcpStream::connect(("127.0.0.1", home.port)).unwrap();
    assert_eq!(ask(&mut stream), "one");
    drop(stream);
    let (code, said) = served.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("route=default/r"), "{said}");
}

#[test]
fn a_new_version_of_the_file_is_served_on_the_same_connection_and_a_bad_one_is_not() {
    let home = Home::new();
    let file = home.write("gateway.yaml", &objects(home.port, "one"));
    let mut served = Served::start(&home, &["-f", &file, "-q"]);
    served.line();
    let mut stream = TcpStream::connect(("127.0.0.1", home.port)).unwrap();
    assert_eq!(ask(&mut stream), "one");
    home.write("gateway.yaml", &objects(home.port, "two"));
    let begin = Instant::now();
    while ask(&mut stream) != "two" {
        assert!(begin.elapsed() < SOON, "the new version is not served");
        std::thread::sleep(Duration::from_millis(20));
    }
    home.write("gateway.yaml", "kind: [");
    std::thread::sleep(Duration::from_millis(1000));
    assert_eq!(ask(&mut stream), "two");
    drop(stream);
    let (_, said) = served.end();
    assert!(
        said.contains("reloaded") && said.contains("the old objects go on"),
        "{said}"
    );
}

#[test]
fn what_an_api_server_would_refuse_does_not_start() {
    let home = Home::new();
    let text = objects(home.port, "one").replace("parentRefs", "parentRef");
    let file = home.write("gateway.yaml", &text);
    let said = home.gw(&["serve", "-f", &file]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("gateway.yaml:10:3"), "{said:?}");
    let words: Vec<&str> = said.stderr.split_whitespace().collect();
    assert!(
        words.join(" ").contains("unknown field \"spec.parentRef\""),
        "{said:?}"
    );
    assert!(
        said.stderr
            .contains(&format!("gw serve -f {file} --dry-run")),
        "{said:?}"
    );
}

#[test]
fn a_dry_run_shows_every_status_and_strict_refuses_what_is_left_aside() {
    let home = Home::new();
    let text = format!(
        "{}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\n",
        objects(free_port(), "one")
    );
    let file = home.write("gateway.yaml", &text);
    let (answer, code) = home.json(&["serve", "-f", &file, "--dry-run"]);
    assert_eq!(code, 0, "{answer}");
    let objects = answer["objects"].as_array().unwrap();
    let route = objects
        .iter()
        .find(|object| object["kind"] == "HTTPRoute")
        .unwrap();
    assert_eq!(
        route["status"]["parents"][0]["conditions"][0]["reason"],
        "Accepted"
    );
    let warned = &answer["warnings"][0];
    assert_eq!(
        (&warned["file"], &warned["line"]),
        (&json!(file), &json!(21))
    );
    assert_eq!(
        warned["what"],
        "Deployment of apps/v1 means nothing without a cluster"
    );
    let refused = home.gw(&["serve", "-f", &file, "--dry-run", "--strict"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let next = format!("${{EDITOR:-vi}} {file}");
    assert!(refused.stderr.contains(&next), "{refused:?}");
    let refused = home.gw(&["serve", "-f", &file, "--strict"]);
    let next = format!("gw serve -f {file} --strict --dry-run");
    assert!(refused.stderr.contains(&next), "{refused:?}");
}

#[test]
fn a_taken_port_is_named_and_another_can_be_given() {
    let home = Home::new();
    let holder = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = holder.local_addr().unwrap().port();
    let file = home.write("gateway.yaml", &objects(taken, "one"));
    let said = home.gw(&["serve", "-f", &file]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains(&format!("127.0.0.1:{taken}")),
        "{said:?}"
    );
    let last = said.stderr.lines().last().unwrap();
    let free: u16 = last.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(
        last.contains("--port") && free > taken && free - taken <= 200,
        "{last}"
    );
    let port = home.port.to_string();
    let mut served = Served::start(&home, &["-f", &file, "-q", "--port", &port]);
    assert!(served.line().contains(&format!("127.0.0.1:{port} answers")));
}

/// In a container no address but its own is reached from outside. macOS has no second loopback address.
#[test]
#[cfg(target_os = "linux")]
fn another_address_is_listened_on_when_it_is_asked_for() {
    let home = Home::new();
    let file = home.write("gateway.yaml", &objects(home.port, "one"));
    let mut served = Served::start(&home, &["-f", &file, "-q", "--address", "127.0.0.2"]);
    let line = served.line();
    assert!(line.contains(&format!("http://127.0.0.2:{} answers", home.port)));
    let mut stream = TcpStream::connect(("127.0.0.2", home.port)).unwrap();
    assert_eq!(ask(&mut stream), "one");
    assert!(TcpStream::connect(("127.0.0.1", home.port)).is_err());
}

#[test]
fn a_profile_is_refused_with_the_command_that_takes_it() {
    let home = Home::new();
    let profile = home.profile();
    for more in [&["--dry-run"][..], &[]] {
        let args = [&["serve", "-f", &profile][..], more].concat();
        let said = home.gw(&args);
        assert_eq!(said.code, 2, "{said:?}");
        let words: Vec<&str> = said.stderr.split_whitespace().collect();
        let words = words.join(" ");
        assert!(
            words.contains("Profile of gatewright.dev/v1alpha1 is no object of a cluster"),
            "{words}"
        );
        let next = said.stderr.lines().last().unwrap().trim();
        assert_eq!(next, format!("-> gw up --profile {profile}"));
    }
}

#[test]
fn up_sends_objects_of_a_cluster_to_serve() {
    let home = Home::new();
    let file = home.write("gateway.yaml", &objects(home.port, "one"));
    let said = home.gw(&["up", "--profile", &file]);
    assert_eq!(said.code, 2, "{said:?}");
    let next = said.stderr.lines().last().unwrap().trim();
    assert_eq!(next, format!("-> gw serve -f {file}"));
}
