//! The screen of one state at two sizes, by golden files.

use gatewright::diagnose::counts::Counts;
use gatewright::diagnose::log::{Line, parse};
use gatewright::report::screen::draw::draw;
use gatewright::report::screen::state::{Event, Key, Looked, Proved, Route, State, Told};
use gatewright::report::style::Look;
use gatewright::verify::check::Verdict;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const COLOURED: Look = Look {
    terminal: true,
    colour: true,
};
const PLAIN: Look = Look {
    terminal: true,
    colour: false,
};
const NOW: u64 = 1_764_126_000;

fn route(path: &str, model: &str) -> Route {
    let name = path.trim_matches('/').to_string();
    Route {
        key: format!("kgateway-system/{name}"),
        name,
        path: path.to_string(),
        model: model.to_string(),
    }
}

fn counts(requests: u64, errors: u64) -> Counts {
    let slow = requests / 10;
    Counts {
        requests,
        errors,
        input: requests * 9,
        output: requests * 21,
        buckets: vec![
            (0.25, requests - slow),
            (0.5, requests),
            (f64::INFINITY, requests),
        ],
    }
}

fn log() -> Vec<Line> {
    let line = |second: u32, path: &str, rest: &str| {
        parse(
            "proxy",
            &format!(
                "2026-11-25T10:00:{second:02}Z\tinfo\trequest route=kgateway-system{path} \
                 src.addr=10.0.0.1:1 http.method=POST http.host=localhost \
                 http.path={path}/v1/chat/completions {rest}"
            ),
        )
    };
    let good = "http.status=200 protocol=llm gen_ai.response.model=llama3.2 \
                gen_ai.usage.input_tokens=9 gen_ai.usage.output_tokens=21 duration=270ms";
    let bad = "http.status=503 error=\"upstream call failed: Connect: Connection refused (os error 111)\" \
               reason=UpstreamFailure duration=1ms";
    let asked = "http.status=403 error=\"CSRF validation failed\" reason=CSRF duration=0ms";
    let mut lines = vec![
        line(1, "/ollama", good),
        line(2, "/openai", bad),
        line(3, "/ollama", good),
    ];
    // A proof's own, which is to be refused.
    let own = line(4, "/ollama", asked);
    let host = |(name, value): (String, String)| match name.as_str() {
        "http.host" => (name, "p0123456789abcdef.localhost".to_string()),
        _ => (name, value),
    };
    lines.push(Line {
        fields: own.fields.into_iter().map(host).collect(),
        ..own
    });
    lines
}

fn looked(seconds: u64, requests: u64) -> Looked {
    let all = [
        ("kgateway-system/ollama", counts(requests, 1)),
        ("kgateway-system/openai", counts(20, 2)),
        ("unknown", counts(7, 7)),
    ];
    let all = all.map(|(key, counts)| (key.to_string(), counts));
    Looked {
        at: Duration::from_secs(seconds),
        answers: Ok(()),
        counts: Ok(BTreeMap::from(all)),
        log: Some(log()),
        routes: vec![
            route("/ollama", "llama3.2"),
            route("/openai", "gpt-4o-mini"),
            route("/模型-with-a-long-name", "claude-haiku-4-5-20251001"),
        ],
        base: "http://localhost:8080".to_string(),
        proof: Some(Proved {
            at: NOW - 90,
            passed: 12,
            failed: 1,
            routes: vec![("/模型-with-a-long-name".to_string(), Verdict::Fail)],
        }),
    }
}

fn state() -> State {
    let mut state = State::new("default", "kind/gatewright");
    state.take(Event::Looked(Box::new(looked(0, 12_340))));
    state.take(Event::Looked(Box::new(looked(2, 12_345))));
    let found = "GW021 the relay to Ollama runs: its process 4711 ended 3 minutes ago (signal 9)";
    state.take(Event::Found(vec![(Verdict::Fail, found.to_string())]));
    state
}

fn press(state: &mut State, keys: &[Key]) {
    for key in keys {
        state.take(Event::Key(*key));
    }
}

fn drawn(state: &State, width: u16, height: u16, look: Look) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw(state, &mut buffer, look, NOW);
    buffer
}

/// What a person reads; a wide character fills the cell after it too.
fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let (mut line, mut hidden) = (String::new(), 0);
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if hidden == 0 {
                line.push_str(symbol);
                hidden = console::measure_text_width(symbol).max(1);
            }
            hidden -= 1;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn golden(name: &str, state: &State) {
    let mut said = String::new();
    for (width, height) in [(80, 24), (200, 60)] {
        let text = text(&drawn(state, width, height, PLAIN));
        said.push_str(&format!("-- {width}x{height}\n{}\n", text.trim_end()));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/watch");
    let file = folder.join(format!("{name}.txt"));
    if std::env::var_os("GW_UPDATE").is_some() {
        std::fs::write(&file, &said).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(kept, said, "GW_UPDATE=1 cargo test --test watch");
}

#[test]
fn routes_and_what_is_wrong() {
    golden("now", &state());
}

#[test]
fn the_log_of_the_chosen_route() {
    let mut state = state();
    press(&mut state, &[Key::Down, Key::Letter('l')]);
    golden("log", &state);
}

#[test]
fn what_a_walk_came_to() {
    let mut state = state();
    press(&mut state, &[Key::Down, Key::Down, Key::Letter('r')]);
    let hops = "✓ this machine  http://localhost:8080\n✗ host service: \
                172.18.0.1:11434 refuses from pods; 127.0.0.1:11434 answers here\n    \
                cause  Ollama listens on 127.0.0.1 only, and the relay that carried pods to it has ended\n  → gw up";
    state.take(Event::Told(Told {
        title: "reach of /openai".to_string(),
        lines: hops.lines().map(str::to_string).collect(),
    }));
    golden("reach", &state);
}

#[test]
fn the_keys() {
    let mut state = state();
    press(&mut state, &[Key::Letter('?')]);
    golden("keys", &state);
}

#[test]
fn a_gateway_that_went_away() {
    let mut state = state();
    let silent = "connection refused".to_string();
    state.take(Event::Looked(Box::new(Looked {
        answers: Err(silent.clone()),
        counts: Err(silent),
        log: None,
        ..looked(4, 0)
    })));
    golden("gone", &state);
}

#[test]
fn what_a_proxy_does_not_count_of_a_route_is_read_in_its_log() {
    let mut looked = looked(4, 12_345);
    let bare = Counts {
        requests: 2,
        ..Counts::default()
    };
    let counts = [("kgateway-system/ollama".to_string(), bare)];
    looked.counts = Ok(BTreeMap::from(counts));
    let mut state = State::new("default", "kind/gatewright");
    state.take(Event::Looked(Box::new(looked)));
    let text = text(&drawn(&state, 80, 24, PLAIN));
    let row = text.lines().find(|line| line.contains("/ollama")).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    // Two answers of 9 and 21 tokens, and a refusal in no time.
    let wanted = ["2", "-", "0.27", "s", "0.27", "s", "18", "42", "0"];
    assert_eq!(words[words.len() - 9..], wanted, "{text}");
}

#[test]
fn before_anything_was_seen() {
    golden("first", &State::new("default", "embedded"));
}

#[test]
fn no_size_is_too_small_and_the_chosen_row_is_always_there() {
    let mut state = state();
    press(&mut state, &[Key::Down, Key::Down, Key::Down]);
    for (width, height) in [(0, 0), (1, 1), (5, 3), (20, 8), (79, 5), (300, 2)] {
        drawn(&state, width, height, COLOURED);
    }
    for height in 6..24 {
        let text = text(&drawn(&state, 80, height, PLAIN));
        assert!(text.contains("> ✗ /模型"), "{height}:\n{text}");
    }
}

#[test]
fn without_colour_no_cell_has_a_style() {
    let state = state();
    let styled = |look| {
        let buffer = drawn(&state, 80, 24, look);
        let mut cells = buffer.content().iter();
        cells.any(|cell| cell.fg != Color::Reset || !cell.modifier.is_empty())
    };
    assert!(styled(COLOURED));
    assert!(!styled(PLAIN));
}

#[test]
fn what_a_client_sent_moves_no_cursor() {
    let mut state = state();
    let mut looked = looked(4, 12_345);
    let line = Line {
        message: "a\u{1b}[2Jb\r\n\u{7}c".to_string(),
        ..log().remove(0)
    };
    looked.log = Some(vec![Line {
        fields: Vec::new(),
        ..line
    }]);
    state.take(Event::Looked(Box::new(looked)));
    press(&mut state, &[Key::Letter('l')]);
    for cell in drawn(&state, 80, 24, COLOURED).content() {
        assert!(!cell.symbol().contains(char::is_control));
    }
}
