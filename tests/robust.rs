//! The gateway under load while something happens to it: it is killed, given other objects, asked to
//! end, asked to share its port; and clients and upstreams that are slow or dead.

#[path = "support/home.rs"]
mod home;
#[path = "support/load.rs"]
mod load;
#[path = "support/served.rs"]
mod served;

use home::Home;
use load::{Asked, Load, Went, exchange};
use served::{Served, answering};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 8;
const SOON: Duration = Duration::from_secs(10);

/// A Gateway on this port, a route that answers by itself, and one to an upstream.
fn objects(port: u16, said: &str, upstream: u16) -> String {
    let answers = answering(port, "said", "/said", said);
    format!(
        r#"{answers}---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: upstream}}
spec: {{static: {{host: 127.0.0.1, port: {upstream}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: upstream}}
spec:
  parentRefs: [{{name: gw}}]
  rules: [{{matches: [{{path: {{value: /upstream}}}}], backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: upstream}}]}}]
"#
    )
}

/// A home with those objects in a file, served from it.
fn serving(upstream: u16) -> (Home, Served) {
    let home = home();
    home.write("gateway.yaml", &objects(home.port, "one", upstream));
    let served = serve(&home);
    (home, served)
}

/// Serves that file, when its line has said that it answers.
fn serve(home: &Home) -> Served {
    let file = home.path().join("gateway.yaml");
    let mut served = Served::start(home, &["-f", &file.to_string_lossy(), "-q"]);
    let line = served.line();
    assert!(line.contains("answers"), "{line}");
    served
}

/// The end of a load through which nobody was let down.
fn assert_none_failed(load: Load) -> Vec<Asked> {
    load.wait(Instant::now());
    let log = load.end();
    assert!(failures(&log).is_empty(), "{:?}", failures(&log)[0]);
    log
}

const SAID: &str = "GET /said HTTP/1.1\r\nhost: localhost\r\n\r\n";
const CHAT: &str = "POST /mock/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 45\r\n\r\n{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

/// A port that the system gives to no client of its own accord: one that asks for a port where nobody
/// listens may be given that very port for itself, and then has it.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 10;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn home() -> Home {
    let mut home = Home::new();
    home.port = port();
    home
}

/// Everything that did not come to a 200.
fn failures(log: &[Asked]) -> Vec<&Asked> {
    let failed = |asked: &&Asked| !matches!(asked.went, Went::Answered(200, _));
    log.iter().filter(failed).collect()
}

/// A gateway that dies answers nobody, but gives nobody a wrong answer either.
fn assert_only_broken(log: &[Asked]) {
    for asked in failures(log) {
        assert!(matches!(asked.went, Went::Broken(_)), "{asked:?}");
    }
}

/// No request that began at `since` or later failed.
fn assert_none_failed_after(log: &[Asked], since: Instant) {
    let late: Vec<Asked> = log.iter().filter(|a| a.at >= since).cloned().collect();
    assert!(!late.is_empty());
    assert!(failures(&late).is_empty(), "{:?}", failures(&late)[0]);
}

#[test]
fn a_gateway_in_the_background_that_is_killed_under_load_is_back_with_up_for_every_client() {
    let home = home();
    let profile = home.profile();
    assert_eq!(home.gw(&["up", "--profile", &profile]).code, 0);
    let load = Load::start(home.port, CLIENTS, CHAT);
    load.wait(Instant::now());
    for _ in 0..2 {
        home.kill("gateway");
        let up = home.gw(&["up", "--profile", &profile]);
        assert_eq!(up.code, 0, "{up:?}");
        let back = Instant::now();
        load.wait(back);
        assert_none_failed_after(&load.seen(), back);
    }
    let log = load.end();
    assert_only_broken(&log);
    assert!(!failures(&log).is_empty(), "nobody has noticed the deaths");
    let again = home.gw(&["up", "--profile", &profile]);
    assert!(again.stdout.contains("nothing to change"), "{again:?}");
}

#[test]
fn a_served_gateway_that_is_killed_under_load_takes_its_port_again_at_once() {
    let (home, mut served) = serving(1);
    let load = Load::start(home.port, CLIENTS, SAID);
    for _ in 0..3 {
        load.wait(Instant::now());
        served.kill();
        served = serve(&home);
        let back = Instant::now();
        load.wait(back);
        assert_none_failed_after(&load.seen(), back);
    }
    assert_only_broken(&load.end());
}

#[test]
fn new_objects_under_load_cost_no_request_and_no_connection() {
    let home = home();
    home.write("gateway.yaml", &objects(home.port, "v0", 1));
    let _served = serve(&home);
    let load = Load::start(home.port, CLIENTS, SAID);
    for version in 1..4 {
        let said = format!("v{version}");
        home.write("gateway.yaml", &objects(home.port, &said, version));
        let begin = Instant::now();
        let is_new =
            |asked: &Asked| matches!(&asked.went, Went::Answered(200, body) if *body == said);
        while !load.seen().iter().any(is_new) {
            assert!(begin.elapsed() < SOON, "{said} is not served");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    // Every client asks once more: one that had no turn until now has seen the last of the old.
    load.wait(Instant::now());
    let log = load.end();
    assert!(failures(&log).is_empty(), "{:?}", failures(&log)[0]);
    assert!(log.iter().all(|asked| asked.connections == 1));
    // No client sees an old version after a new one.
    for client in 0..CLIENTS {
        let bodies = log.iter().filter(|asked| asked.client == client);
        let bodies: Vec<&str> = bodies
            .filter_map(|asked| match &asked.went {
                Went::Answered(_, body) => Some(body.as_str()),
                Went::Broken(_) => None,
            })
            .collect();
        assert!(bodies.is_sorted(), "client {client}");
        assert_eq!(bodies.last(), Some(&"v3"), "client {client}");
    }
}

#[test]
fn a_changed_profile_under_load_costs_no_request_and_no_connection() {
    let home = home();
    let profile = home.profile();
    assert_eq!(home.gw(&["up", "--profile", &profile]).code, 0);
    let load = Load::start(home.port, CLIENTS, CHAT);
    load.wait(Instant::now());
    let text = std::fs::read_to_string(&profile).unwrap();
    for name in ["first", "second"] {
        let more = format!(
            "routes:\n- {{name: mock, path: /mock, backend: mock}}\n- {{name: {name}, path: /{name}, backend: mock}}\npolicies:"
        );
        std::fs::write(&profile, text.replace("policies:", &more)).unwrap();
        let up = home.gw(&["up", "--profile", &profile]);
        assert_eq!(up.code, 0, "{up:?}");
        load.wait(Instant::now());
    }
    let log = load.end();
    assert!(failures(&log).is_empty(), "{:?}", failures(&log)[0]);
    assert!(log.iter().all(|asked| asked.connections == 1));
}

/// An upstream whose answer is a stream that goes on until it is told to end.
struct Stream {
    upstream: TcpStream,
    client: BufReader<TcpStream>,
}

impl Stream {
    fn open(listener: &TcpListener, port: u16) -> Stream {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.set_read_timeout(Some(SOON)).unwrap();
        write!(client, "GET /upstream HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let (mut upstream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        assert!(upstream.read(&mut head).unwrap() > 0);
        upstream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        let mut stream = Stream {
            upstream,
            client: BufReader::new(client),
        };
        stream.event("first");
        stream
    }

    /// Sends an event and waits until the client has it.
    fn event(&mut self, data: &str) {
        let event = format!("data: {data}\n\n");
        write!(self.upstream, "{:x}\r\n{event}\r\n", event.len()).unwrap();
        let wanted = format!("data: {data}\n");
        let mut line = String::new();
        while line != wanted {
            line.clear();
            let read = self.client.read_line(&mut line).unwrap();
            assert!(read > 0, "the stream was cut before {data}");
        }
    }

    /// Ends the stream properly and sees the client get its end.
    fn end(mut self) {
        self.upstream.write_all(b"0\r\n\r\n").unwrap();
        let mut rest = String::new();
        self.client.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
    }
}

fn wait_until_refused(port: u16) {
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(begin.elapsed() < SOON, "new clients are still let in");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_lets_streams_end_and_nobody_new_in() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let upstream = listener.local_addr().unwrap().port();
    let (home, served) = serving(upstream);
    let mut stream = Stream::open(&listener, home.port);
    served.signal(libc::SIGTERM);
    wait_until_refused(home.port);
    stream.event("second");
    stream.end();
    let (code, said) = served.wait();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_second_signal_ends_streams_at_once() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let upstream = listener.local_addr().unwrap().port();
    let (home, served) = serving(upstream);
    let _stream = Stream::open(&listener, home.port);
    served.signal(libc::SIGTERM);
    wait_until_refused(home.port);
    let begin = Instant::now();
    let (code, said) = served.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_second_serve_on_a_taken_port_is_refused_and_costs_the_first_nothing() {
    let (home, _served) = serving(1);
    let load = Load::start(home.port, CLIENTS, SAID);
    let other = home.write("other.yaml", &objects(home.port, "two", 1));
    let said = home.gw(&["serve", "-f", &other]);
    assert_eq!(said.code, 1, "{said:?}");
    let log = assert_none_failed(load);
    for asked in &log {
        assert!(
            matches!(&asked.went, Went::Answered(_, body) if body == "one"),
            "{asked:?}"
        );
    }
}

#[test]
fn clients_that_stall_and_upstreams_that_say_nothing_hold_up_nobody() {
    // It takes connections, as far as its queue goes, and never answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let upstream = silent.local_addr().unwrap().port();
    let (home, _served) = serving(upstream);
    let stalled: Vec<TcpStream> = [
        "GET /said HTTP/1.1\r\nho",
        "",
        "GET /upstream HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ]
    .iter()
    .cycle()
    .take(240)
    .map(|begun| {
        let mut stream = TcpStream::connect(("127.0.0.1", home.port)).unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        stream
    })
    .collect();
    let load = Load::start(home.port, CLIENTS, SAID);
    let log = assert_none_failed(load);
    let slowest = log.iter().map(|asked| asked.took).max().unwrap();
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    drop(stalled);
}

#[test]
fn a_dead_upstream_is_told_at_once_and_is_used_again_when_it_is_back() {
    let home = home();
    let upstream = port();
    let file = home.write("gateway.yaml", &objects(home.port, "one", upstream));
    let mut served = Served::start(&home, &["-f", &file, "-q"]);
    served.line();
    let stream = TcpStream::connect(("127.0.0.1", home.port)).unwrap();
    let mut stream = BufReader::new(stream);
    let ask = b"GET /upstream HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for _ in 0..2 {
        let begin = Instant::now();
        let (status, body) = exchange(&mut stream, ask).unwrap();
        assert_eq!(status, 503, "{body}");
        assert!(body.contains("Connection refused"), "{body}");
        assert!(begin.elapsed() < Duration::from_secs(1));
        let listener = TcpListener::bind(("127.0.0.1", upstream)).unwrap();
        let alive = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            assert!(client.read(&mut head).unwrap() > 0);
            client
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nback")
                .unwrap();
            // It dies with the connection that the gateway keeps open.
        });
        let answer = exchange(&mut stream, ask).unwrap();
        assert_eq!(answer, (200, "back".to_string()));
        alive.join().unwrap();
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    let home = home();
    let file = home.write("gateway.yaml", &objects(home.port, "one", 1));
    // Its lines go to a pipe that this test does not read.
    let mut served = Served::start(&home, &["-f", &file]);
    served.line();
    let load = Load::start(home.port, 2, SAID);
    let begin = Instant::now();
    // More lines than wait to be written, and the pipe is full long before.
    while load.seen().len() < 8_000 {
        assert!(begin.elapsed() < SOON, "only {} answers", load.seen().len());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_none_failed(load);
}
