//! `gw backend` and `gw route`: printed, piped, and made.

#[path = "support/home.rs"]
mod home;
#[path = "support/provider.rs"]
mod provider;

use home::{Home, free_port, said};
use provider::Provider;
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;

fn objects(text: &str) -> Vec<Value> {
    let text: String = text
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| format!("{l}\n"))
        .collect();
    gatewright::yaml::read_values(&text).unwrap()
}

#[test]
fn a_backend_is_printed_for_the_environment_at_hand_without_a_key() {
    let home = Home::new();
    let mut command = home.command(&["backend", "openai", "--model", "gpt-4o"]);
    let printed = said(
        command
            .env("OPENAI_API_KEY", "planted-key-5")
            .output()
            .unwrap(),
    );
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(!printed.stdout.contains("planted-key-5"), "{printed:?}");
    let line = "#   kubectl create secret generic openai-key -n kgateway-system \
                --from-file=Authorization=<(printenv OPENAI_API_KEY) --dry-run=client -o yaml | kubectl apply -f -";
    assert!(printed.stdout.contains(line), "{printed:?}");
    let objects = objects(&printed.stdout);
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["metadata"]["namespace"], "kgateway-system");
    let spec = &objects[0]["spec"];
    assert_eq!(spec["ai"]["provider"]["openai"]["model"], "gpt-4o");
    assert_eq!(spec["policies"]["auth"]["secretRef"]["name"], "openai-key");
    assert!(objects[0]["metadata"]["labels"].is_null(), "{printed:?}");
}

#[test]
fn every_provider_prints_what_an_api_server_takes() {
    use gatewright::gateway::input::{Input, Source, Weight};
    let home = Home::new();
    let azure = ["--endpoint", "a.openai.azure.com", "--deployment", "d"];
    let table: [(&str, &[&str]); 9] = [
        ("openai", &[]),
        ("anthropic", &["--key", "file:~/key"]),
        ("gemini", &["--key", "command:op read op://a/b"]),
        ("azureopenai", &azure),
        ("vertexai", &["--project", "p"]),
        ("bedrock", &["--region", "eu-west-1"]),
        ("ollama", &["--host", "host.docker.internal"]),
        (
            "openai-compatible",
            &["--address", "https://llm.example/v1", "--model", "m"],
        ),
        (
            "mcp",
            &[
                "--address",
                "http://localhost:3001/mcp",
                "--host",
                "10.0.0.9",
            ],
        ),
    ];
    for (name, flags) in table {
        let printed = home.gw(&[&["backend", name], flags].concat());
        assert_eq!(printed.code, 0, "{name}: {printed:?}");
        let source = Source {
            origin: name.to_string(),
            text: printed.stdout.clone(),
        };
        let input = Input::read(vec![source], "default");
        assert_eq!(
            input.lines(Weight::Refused),
            Vec::<String>::new(),
            "{printed:?}"
        );
        assert!(!input.objects.is_empty(), "{printed:?}");
        assert!(!printed.stdout.contains("{host."), "{printed:?}");
        // Behind a `=` no shell knows what `~/` is.
        assert!(!printed.stdout.contains("=~/"), "{printed:?}");
    }
}

#[test]
fn what_it_prints_whole_is_served() {
    let home = Home::new();
    let port = free_port().to_string();
    let printed = home.gw(&["backend", "mock", "--whole", "--port", &port]);
    assert_eq!(printed.code, 0, "{printed:?}");
    let mut serve = home.command(&["serve", "-f", "-", "--dry-run", "--strict"]);
    let mut child = serve
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(printed.stdout.as_bytes())
        .unwrap();
    let served = said(child.wait_with_output().unwrap());
    assert_eq!(served.code, 0, "{served:?} {printed:?}");
    assert!(served.stdout.contains("1 gateway, 1 route"), "{served:?}");
}

#[test]
fn what_is_not_known_is_told_with_what_is() {
    let home = Home::new();
    let said = home.gw(&["backend", "opnai"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("gw backend openai"), "{said:?}");
    let said = home.gw(&["backend", "openai", "--key", "sk-planted-9"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(!said.stderr.contains("sk-planted-9"), "{said:?}");
    let said = home.gw(&["backend", "mcp"]);
    assert_eq!(said.code, 2, "{said:?}");
    for wrong in [
        &["backend", "mcp", "--command", "sh server.sh"][..],
        &["backend", "openai", "--command", "sh server.sh", "--apply"],
    ] {
        let said = home.gw(wrong);
        assert_eq!(said.code, 2, "{said:?}");
    }
    let said = home.gw(&["route", "nowhere"]);
    assert_eq!(said.code, 2, "{said:?}");
}

/// The environment goes on with it: `up` makes it again, another profile leaves it.
#[test]
fn what_is_applied_is_proved_and_stays() {
    const KEY: &str = "planted-key-6";
    let home = Home::new();
    let provider = Provider::start(KEY);
    let profile = home.write(
        "mine.yaml",
        &format!(
            "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: mine\nbackends:\n\
             - {{name: mock, provider: mock, port: {}}}\npolicies:\n- {{name: same-site, csrf: {{}}}}\n",
            free_port()
        ),
    );
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    let address = format!("http://localhost:{}", provider.port);
    let key = |args: &[&str]| {
        let mut command = home.command(args);
        said(command.env("GW_TEST_KEY", KEY).output().unwrap())
    };
    let apply = [
        "backend",
        "openai",
        "--address",
        &address,
        "--key",
        "env:GW_TEST_KEY",
        "--apply",
    ];
    let added = key(&apply);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(added.stdout.contains("/openai"), "{added:?}");
    assert!(added.stdout.contains("/mock"), "{added:?}");
    assert!(
        !(added.stdout.clone() + &added.stderr).contains(KEY),
        "{added:?}"
    );
    let route = [
        "route",
        "chat",
        "--backend",
        "openai",
        "--path",
        "/v2/chat",
        "--apply",
    ];
    let routed = key(&route);
    assert_eq!(routed.code, 0, "{routed:?}");
    let up = key(&["up", "-o", "json"]);
    let answer: Value = serde_json::from_str(&up.stdout).unwrap();
    let findings = answer["findings"].as_array().unwrap().iter();
    let mut paths: Vec<&str> = findings
        .filter_map(|f| f["route"]["path"].as_str())
        .collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/mock", "/openai", "/v2/chat"]);
    let printed = key(&["route", "chat", "--backend", "openai"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert_eq!(
        objects(&printed.stdout)[0]["spec"]["rules"][0]["backendRefs"][0]["name"],
        "openai"
    );
    let server = format!("sh {}/tests/bridge/server.sh", env!("CARGO_MANIFEST_DIR"));
    let program = key(&[
        "backend",
        "mcp",
        "--command",
        &server,
        "--name",
        "small",
        "--apply",
    ]);
    assert_eq!(program.code, 0, "{program:?}");
    assert!(program.stdout.contains("/small"), "{program:?}");
    // What can't be is not kept.
    let wrong = key(&[
        "backend",
        "anthropic",
        "--key",
        "env:GW_TEST_NONE",
        "--apply",
    ]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let up = key(&["up"]);
    assert_eq!(up.code, 0, "{up:?}");
    let back = home.gw(&["up", "--profile", &profile]);
    assert_eq!(back.code, 0, "{back:?}");
    assert!(!back.stdout.contains("/openai"), "{back:?}");
}
