//! What answers on both sides of a cluster's edge: an MCP server that is a program of this machine, one
//! that a selector finds in the cluster, and our processor in the cluster.

use super::kind::Kind;
use super::session::Client;
use serde_json::{Value, json};

const OUTSIDE: &str = "\
apiVersion: gatewright.dev/v1alpha1
kind: Profile
name: edge
description: for a test of both sides of the edge
release: {kgateway: false}
backends:
- name: outside
  mcp: [{name: small, command: [sh, SERVER], env: {PLAIN: in the open}}]
- name: chat
  provider: mock
policies:
- name: process
  routes: [chat]
  extProc: {demo: true, in: cluster}
manifests: [inside.yaml]
";
const INSIDE: &str = "\
- name: inside
  mcp: [{name: pod, selector: {app: inside}}]
";
/// The mock of ours, as somebody's own server.
const SERVER: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: inside}
spec:
  selector: {matchLabels: {app: inside}}
  template:
    metadata: {labels: {app: inside}}
    spec:
      containers:
      - {name: mock, image: 'ghcr.io/gatewright/gatewright:vVERSION', args: [mock, --listen, '0.0.0.0:8000']}
---
apiVersion: v1
kind: Service
metadata: {name: inside, labels: {app: inside}}
spec:
  selector: {app: inside}
  ports: [{name: mcp, port: 8000, appProtocol: kgateway.dev/mcp}]
";

fn tools(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array();
    let tools = tools.unwrap_or_else(|| panic!("{answer}"));
    tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect()
}

/// The tools of a route, and what a call of one of them says.
fn asked(url: String, tool: &str, arguments: &Value) -> (Vec<String>, String) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let session = Client::new(url).begin().await;
        let list = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"});
        let listed = session.answer(&list).await;
        let params = json!({"name": tool, "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": params});
        let called = session.answer(&call).await;
        let said = called
            .pointer("/result/content/0/text")
            .and_then(Value::as_str);
        let said = said.unwrap_or_else(|| panic!("{called}")).to_string();
        session.end().await;
        (
            tools(&listed).iter().map(ToString::to_string).collect(),
            said,
        )
    })
}

impl Kind {
    fn is_processed(&self) -> bool {
        let said = self.gw(&["test", "-o", "json"]);
        let answer: Value = serde_json::from_str(&said.stdout).unwrap();
        let findings = answer["findings"].as_array().unwrap();
        let processed = findings
            .iter()
            .find(|f| f["title"] == "/chat passes its processor");
        processed.is_some_and(|finding| finding["verdict"] == "pass")
    }

    fn asked_outside(&self) {
        let url = format!("{}/outside", self.home.base());
        let (tools, said) = asked(url, "who", &json!({}));
        assert!(tools.contains(&"who".to_string()), "{tools:?}");
        assert!(said.ends_with("in the open"), "{said}");
    }
}

/// On a cluster of the kind that is up.
pub fn both_sides_answer(kind: &Kind) {
    let server = format!("{}/tests/bridge/server.sh", env!("CARGO_MANIFEST_DIR"));
    let manifest = SERVER.replace("VERSION", env!("CARGO_PKG_VERSION"));
    kind.home.write("inside.yaml", &manifest);
    let profile = OUTSIDE.replace("SERVER", &server);
    let profile = kind.home.write("edge.yaml", &profile);
    let up = kind.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    assert!(
        up.stderr.contains("taking this program into the node"),
        "{up:?}"
    );
    let again = kind.gw(&["up", "--profile", &profile]);
    assert!(again.stdout.contains("nothing to change"), "{again:?}");

    // The header that the processor is told to set arrives behind the gateway, and a tool's answer here.
    assert!(kind.is_processed());
    kind.asked_outside();

    let rollout = [
        "-n",
        "kgateway-system",
        "rollout",
        "status",
        "deployment/inside",
    ];
    let said = kind.kubectl(&rollout);
    assert_eq!(said.code, 0, "{said:?}");
    let text = std::fs::read_to_string(&profile).unwrap();
    let whole = text.replace("policies:", &format!("{INSIDE}policies:"));
    kind.home.write("edge.yaml", &whole);
    let up = kind.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    let url = format!("{}/inside", kind.home.base());
    let (tools, said) = asked(url, "echo", &json!({"message": "from inside"}));
    assert!(tools.contains(&"echo".to_string()), "{tools:?}");
    assert!(said.contains("from inside"), "{said}");

    // Behind our back: the processor's Deployment, and the bridge.
    let delete = [
        "-n",
        "kgateway-system",
        "delete",
        "deployment",
        "processor-process",
    ];
    assert_eq!(kind.kubectl(&delete).code, 0);
    let test = kind.gw(&["test"]);
    let claim = "Deployment processor-process is as applied: it is not there";
    assert!(test.stdout.contains(claim), "{test:?}");
    kind.until_first(Some("GW007"), Some("GW040"));
    kind.fixed("GW007");
    kind.until_first(None, None);
    assert!(kind.is_processed());
    kind.home.kill("bridge");
    kind.until_first(Some("GW029"), None);
    kind.fixed("GW029");
    kind.until_first(None, None);
    kind.asked_outside();

    // A profile without all of it takes it away.
    let up = kind.gw(&["up", "--profile", "mock"]);
    assert_eq!(up.code, 0, "{up:?}");
    let ours = "app.kubernetes.io/managed-by=gatewright";
    let left = [
        "-n",
        "kgateway-system",
        "get",
        "deployments",
        "-l",
        ours,
        "-o",
        "name",
    ];
    assert_eq!(kind.kubectl(&left).stdout, "");
}
