//! Profiles that begin with others and bring objects of their own.

#[path = "support/home.rs"]
mod home;

use home::Home;
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Two that look for a port of the mock at the same moment find the same one.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

const HEAD: &str = "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\n";

fn write(home: &Home, name: &str, text: &str) -> String {
    home.write(name, &format!("{HEAD}{text}"))
}

#[test]
fn a_profile_extends_a_file_that_extends_a_shipped_one() {
    let _alone = alone();
    let home = Home::new();
    write(
        &home,
        "base.yaml",
        "name: base\nextends: ci\ntarget: {kind: embedded}\nbackends:\n- {name: second, provider: mock}\n",
    );
    let path = write(
        &home,
        "mine.yaml",
        "name: mine\nextends: ./base.yaml\nbackends:\n- {name: chat, provider: mock, model: my-model}\n",
    );
    let (answer, code) = home.json(&["up", "--profile", &path]);
    assert_eq!(code, 0, "{answer:#}");
    let findings = answer["findings"].as_array().unwrap().iter();
    let ids: Vec<&str> = findings.map(|f| f["id"].as_str().unwrap()).collect();
    // The routes of both, and the tests of the shipped one.
    for id in [
        "route.chat",
        "route.tools",
        "route.second",
        "test.chat-answers",
    ] {
        assert!(ids.contains(&id), "{id} of {ids:?}");
    }
    assert_eq!(answer["profile"], "mine");
    // From another folder the same profile is found again.
    let mut again = home.command(&["up", "-o", "json"]);
    let again = home::said(again.current_dir("/").output().unwrap());
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn a_mistake_in_a_base_is_shown_in_the_base() {
    let home = Home::new();
    let base = write(&home, "base.yaml", "name: base\ngateway: {prot: 8081}\n");
    let path = write(
        &home,
        "mine.yaml",
        "name: mine\nextends: base.yaml\nbackends:\n- {name: a, provider: mok}\n",
    );
    let said = home.gw(&["profile", "validate", &path]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("has 2 problems"), "{said:?}");
    let base = std::fs::canonicalize(base).unwrap();
    assert!(
        said.stderr.contains(&format!("{}:4:11", base.display())),
        "{said:?}"
    );
    assert!(said.stderr.contains(&format!("{path}:6:23")), "{said:?}");
    assert!(
        said.stderr.contains("4 | gateway: {prot: 8081}"),
        "{said:?}"
    );
}

#[test]
fn a_circle_and_a_path_from_nowhere_are_refused_with_their_line() {
    let home = Home::new();
    write(&home, "a.yaml", "name: a\nextends: ./b.yaml\n");
    let path = write(&home, "b.yaml", "name: b\nextends: ./a.yaml\n");
    let said = home.gw(&["profile", "validate", &path]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("leads back to itself"), "{said:?}");
    let mut command = home.command(&["profile", "validate", "-"]);
    let file = home.write("stdin", &format!("{HEAD}name: s\nextends: ./a.yaml\n"));
    let said = home::said(
        command
            .stdin(std::fs::File::open(file).unwrap())
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("is a path from nowhere"), "{said:?}");
}

/// An object of one's own is served, is in the ledger, and goes when the profile does not name it
/// any more.
#[test]
fn own_objects_are_applied_and_taken_back() {
    let _alone = alone();
    let home = Home::new();
    home.write(
        "hello.yaml",
        "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayPolicy\nmetadata: {name: hello}\n\
         spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: hello}], traffic: {directResponse: {status: 200, body: hello}}}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: hello}\n\
         spec: {parentRefs: [{name: ai-gateway}], rules: [{matches: [{path: {type: PathPrefix, value: /hello}}]}]}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: elsewhere}\nspec: {}\n",
    );
    let with = write(
        &home,
        "with.yaml",
        "name: own\nextends: ci\nmanifests: [hello.yaml]\n",
    );
    let up = home.gw(&["up", "--profile", &with]);
    assert_eq!(up.code, 0, "{up:?}");
    let note = "Deployment elsewhere is left out: it means nothing without a cluster";
    assert!(up.stderr.contains(note), "{up:?}");
    let hello = || {
        let ask = std::process::Command::new("curl")
            .args(["-s", "--noproxy", "*", &format!("{}/hello", home.base())])
            .output()
            .unwrap();
        String::from_utf8_lossy(&ask.stdout).into_owned()
    };
    assert_eq!(hello(), "hello");
    let ledger =
        std::fs::read_to_string(home.environment().join("ledger.jsonl")).unwrap_or_default();
    let status: Value = home.json(&["status"]).0;
    assert_eq!(status["ok"], true, "{status:#} {ledger}");
    let objects = status["status"]["objects"].as_array().unwrap().iter();
    let names: Vec<&str> = objects
        .filter_map(|object| object["name"].as_str())
        .collect();
    assert_eq!(names.iter().filter(|name| **name == "hello").count(), 2);
    let up = home.gw(&["up", "--profile", "ci"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(hello(), "route not found");
}

#[test]
fn a_manifest_that_is_not_there_or_holds_a_key_is_refused() {
    let _alone = alone();
    let home = Home::new();
    let path = write(
        &home,
        "p.yaml",
        "name: p\nextends: ci\nmanifests: [none.yaml]\n",
    );
    let said = home.gw(&["profile", "validate", &path]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("ls -l "), "{said:?}");
    home.write(
        "none.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: planted-1}\n",
    );
    let said = home.gw(&["up", "--profile", &path]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(!said.stderr.contains("planted-1"), "{said:?}");
    home.write("none.yaml", "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayBackend\nmetadata: {name: chat}\nspec: {static: {host: a, port: 1}}\n");
    let said = home.gw(&["up", "--profile", &path]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr
            .contains("AgentgatewayBackend chat is in the profile and in its manifests"),
        "{said:?}"
    );
}
