//! Day two on a real kind cluster: faults planted, found by the right rule first, repaired, undone.
//!
//! Needs what `kind.rs` needs, and an OpenAI that takes keys of the form `testbed-key-…`.

#[path = "kind/edge.rs"]
mod edge;
#[path = "support/follow.rs"]
mod follow;
#[path = "support/home.rs"]
mod home;
#[path = "support/kind.rs"]
mod kind;
#[path = "bridge/session.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod session;

use follow::{Follow, post};
use kind::Kind;
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

const KEY: &str = "testbed-key-PLANTED";
const PROFILE: &str = "\
apiVersion: gatewright.dev/v1alpha1
kind: Profile
name: debug
description: for a test of day two
release: {kgateway: false}
backends:
- name: ollama
  provider: ollama
- name: openai
  provider: openai
policies:
- name: limits
  routes: [ollama]
  limit: {requests: 500, per: minute}
";

fn debugged() -> Kind {
    let kind = Kind::new("debug");
    let profile = kind.home.write("debug.yaml", PROFILE);
    kind.set("GW_PROFILE", &profile).set("OPENAI_API_KEY", KEY)
}

impl Kind {
    /// What kubectl says of our namespace.
    fn near(&self, args: &[&str]) -> String {
        let said = self.kubectl(&[&["-n", "kgateway-system"], args].concat());
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.stdout
    }

    fn patch(&self, kind: &str, name: &str, patch: &Value) {
        self.near(&[
            "patch",
            kind,
            name,
            "--type",
            "merge",
            "-p",
            &patch.to_string(),
        ]);
    }

    /// Findings as `debug` tells them now: code, and codes of what each explains.
    fn findings(&self) -> Vec<(String, Vec<String>)> {
        let said = self.gw(&["debug", "-o", "json"]);
        let value: Value =
            serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        let code = |value: &Value| value["code"].as_str().unwrap_or("").to_string();
        let findings = value["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| {
                (
                    code(finding),
                    finding["explains"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(code)
                        .collect(),
                )
            })
            .collect()
    }

    /// Waits until `debug` says what is expected of the first finding: a change reaches the proxy in its
    /// own time.
    fn until_first(&self, expected: Option<&str>, effect: Option<&str>) {
        let start = Instant::now();
        loop {
            let findings = self.findings();
            let first = findings.first();
            let found = first.map(|(code, _)| code.as_str()) == expected;
            let explained = effect.is_none_or(|effect| {
                first.is_some_and(|(_, effects)| effects.iter().any(|e| e == effect))
            });
            if found && explained {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "expected {expected:?}: {findings:?}"
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn fixed(&self, code: &str) {
        let said = self.gw(&["debug", "--fix", code, "--yes"]);
        assert_eq!(said.code, 0, "{code}: {said:?}");
        assert!(
            !said.stdout.contains(KEY) && !said.stderr.contains(KEY),
            "{said:?}"
        );
    }

    /// What is ours of an object: spec, labels and annotations.
    fn ours(&self, kind: &str, name: &str) -> String {
        let live: Value =
            serde_json::from_str(&self.near(&["get", kind, name, "-o", "json"])).unwrap();
        json!([
            live["spec"],
            live["metadata"]["labels"],
            live["metadata"]["annotations"]
        ])
        .to_string()
    }
}

impl Kind {
    /// The log of a proxy whose pod is taken away, and of the one that comes for it, each line once.
    fn follow(&self) {
        let mut log = Follow::start(self.command(&["logs", "proxy", "--follow"]));
        let port = self.home.port;
        log.until("POST /ollama/v1/chat/completions 200");
        assert!(post(port, "/ollama/v1/chat/completions?n=last"));
        // Until it is gone.
        self.near(&["delete", "pod", "-l", "app.kubernetes.io/name=ai-gateway"]);
        let start = Instant::now();
        let first = |n: u64| format!("/ollama/v1/chat/completions?n=first-{n}-");
        let mut tries = 0;
        // One of these is the first that the new pod takes.
        while !post(port, &first(tries)) {
            tries += 1;
            assert!(start.elapsed() < Duration::from_secs(60), "no pod came");
            std::thread::sleep(Duration::from_millis(100));
        }
        log.until(&first(tries));
        assert_eq!(log.count("n=last "), 1, "{:#?}", log.seen);
        assert_eq!(log.count(&first(tries)), 1, "{:#?}", log.seen);
        assert_eq!(log.end(libc::SIGINT), (Some(130), String::new()));
    }
}

#[test]
#[ignore = "needs Docker, kind, helm, kubectl, Ollama on loopback and the test bed's OpenAI"]
fn planted_faults_are_found_first_repaired_and_given_back() {
    let kind = debugged();
    let up = kind.gw(&["up"]);
    assert_eq!(up.code, 0, "{up:?}");
    kind.until_first(None, None);
    kind.follow();

    // A wrong parent; and the way back is exact.
    kind.patch(
        "httproute",
        "ollama",
        &json!({"spec": {"parentRefs": [{"name": "no-such-gateway"}]}}),
    );
    kind.until_first(Some("GW041"), Some("GW040"));
    let broken = kind.ours("httproute", "ollama");
    kind.fixed("GW041");
    kind.until_first(None, None);
    assert_eq!(kind.gw(&["undo", "--yes"]).code, 0);
    assert_eq!(kind.ours("httproute", "ollama"), broken);
    kind.until_first(Some("GW041"), Some("GW040"));
    kind.fixed("GW041");

    // What is wrong in one field, each with a rule of its own.
    let refs = "/spec/parentRefs/0/sectionName";
    let (to, host) = ("/spec/rules/0/backendRefs/0/name", "/spec/ai/provider/host");
    let (port, target) = ("/spec/ai/provider/port", "/spec/targetRefs/0/name");
    for (sort, name, path, value, code) in [
        ("httproute", "ollama", refs, json!("https"), "GW042"),
        ("httproute", "ollama", to, json!("nope"), "GW043"),
        (
            "agentgatewaybackend",
            "ollama",
            host,
            json!("host.docker.internal"),
            "GW034",
        ),
        ("agentgatewaybackend", "ollama", port, json!(11999), "GW038"),
        (
            "agentgatewaypolicy",
            "limits",
            target,
            json!("nope"),
            "GW010",
        ),
    ] {
        let patch = json!([{"op": "replace", "path": path, "value": value}]).to_string();
        kind.near(&["patch", sort, name, "--type", "json", "-p", &patch]);
        kind.until_first(Some(code), Some("GW008"));
        kind.fixed(code);
    }
    kind.near(&["delete", "httproute", "ollama"]);
    kind.until_first(Some("GW007"), Some("GW010"));
    kind.fixed("GW007");

    // A Secret that is gone, one with an entry of another name, one with another key.
    kind.near(&["delete", "secret", "openai-key"]);
    kind.until_first(Some("GW030"), Some("GW040"));
    kind.fixed("GW030");
    kind.patch(
        "secret",
        "openai-key",
        &json!({"data": {"Authorization": null, "api-key": "dGVzdA=="}}),
    );
    kind.until_first(Some("GW031"), Some("GW040"));
    kind.fixed("GW031");
    kind.patch(
        "secret",
        "openai-key",
        &json!({"data": {"Authorization": "d3Jvbmc="}}),
    );
    kind.until_first(Some("GW032"), Some("GW040"));
    kind.fixed("GW032");

    // The relay killed, the prefix kept, a model that is not there.
    kind.home.kill("relay-ollama");
    kind.until_first(Some("GW021"), Some("GW040"));
    let broken = kind.ours("agentgatewaybackend", "ollama");
    kind.fixed("GW021");
    assert_eq!(kind.gw(&["undo", "--yes"]).code, 0);
    assert_eq!(kind.ours("agentgatewaybackend", "ollama"), broken);
    kind.until_first(Some("GW021"), Some("GW040"));
    kind.fixed("GW021");
    kind.near(&[
        "patch",
        "httproute",
        "ollama",
        "--type",
        "json",
        "-p",
        r#"[{"op": "remove", "path": "/spec/rules/0/filters"}]"#,
    ]);
    kind.until_first(Some("GW045"), Some("GW040"));
    kind.fixed("GW045");
    kind.patch(
        "agentgatewaybackend",
        "ollama",
        &json!({"spec": {"ai": {"provider": {"openai": {"model": "no-such-model"}}}}}),
    );
    kind.until_first(Some("GW025"), Some("GW040"));
    kind.fixed("GW025");

    // A host in whose name Ollama takes no request; a proxy that no node has room for, and one that has
    // too little memory.
    kind.patch(
        "agentgatewaybackend",
        "ollama",
        &json!({"spec": {"ai": {"provider": {"host": "host-ollama.kgateway-system.svc"}}}}),
    );
    kind.until_first(Some("GW023"), Some("GW040"));
    kind.fixed("GW023");
    for (resources, code) in [
        (json!({"requests": {"memory": "900Gi"}}), "GW063"),
        (json!({"limits": {"memory": "6Mi"}}), "GW064"),
    ] {
        kind.patch(
            "agentgatewayparameters",
            "ai-gateway",
            &json!({"spec": {"resources": resources}}),
        );
        kind.until_first(Some(code), Some("GW008"));
        kind.fixed(code);
        kind.until_first(None, None);
    }

    // A key without a maker's shape in a field of ours.
    let inline = json!({"spec": {"policies": {"auth": {"key": "PLANTED"}}}});
    kind.patch("agentgatewaybackend", "ollama", &inline);
    kind.until_first(Some("GW008"), None);
    for args in [&["debug"][..], &["status"], &["plan", "--diff"], &["test"]] {
        for form in ["text", "json"] {
            let said = kind.gw(&[args, &["-o", form]].concat());
            assert!(
                !said.stdout.contains("PLANTED") && !said.stderr.contains("PLANTED"),
                "{said:?}"
            );
        }
    }
    kind.fixed("GW008");
    let back = kind.gw(&["undo", "--yes"]);
    assert!(
        back.stdout
            .contains("but for its key at /spec/policies/auth/key")
            && back.stdout.contains("edit agentgatewaybackend ollama"),
        "{back:?}"
    );
    kind.until_first(None, None);

    // A limit that does nothing, a controller that is scaled away, a proxy without its image.
    let limits = json!([{"requests": 500, "unit": "Minutes"}, {"tokens": 9, "unit": "Minutes"}]);
    kind.patch(
        "agentgatewaypolicy",
        "limits",
        &json!({"spec": {"traffic": {"rateLimit": {"local": limits}}}}),
    );
    kind.until_first(Some("GW014"), None);
    kind.fixed("GW014");
    kind.near(&["scale", "deployment", "agentgateway", "--replicas", "0"]);
    kind.until_first(Some("GW051"), None);
    kind.fixed("GW051");
    kind.patch(
        "agentgatewayparameters",
        "ai-gateway",
        &json!({"spec": {"image": {"tag": "no-such-tag"}}}),
    );
    kind.until_first(Some("GW061"), Some("GW008"));
    kind.fixed("GW061");
    kind.until_first(None, None);

    // Nothing that is kept, nor what a colleague gets, has a key in it.
    kind.home.keeps_no("PLANTED");
    kind.home.keeps_no("dGVzdGJlZC1rZXk");
    let file = kind.home.path().join("bundle.tar.gz");
    let bundle = kind.gw(&["debug", "--bundle", &file.to_string_lossy()]);
    assert_eq!(bundle.code, 0, "{bundle:?}");
    let output = Command::new("tar")
        .args(["-xzOf"])
        .arg(&file)
        .output()
        .unwrap();
    let whole = String::from_utf8_lossy(&output.stdout);
    assert!(
        whole.contains("HTTPRoute")
            && !whole.contains("PLANTED")
            && !whole.contains("dGVzdGJlZC1rZXk"),
        "{whole}"
    );

    edge::both_sides_answer(&kind);
}
