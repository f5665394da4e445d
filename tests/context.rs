//! The binary on clusters that somebody else has made: a fake API server, and a real kind cluster.
//!
//! The ignored tests need Docker, kind, helm and kubectl on PATH. GW_NODE_IMAGE may name the node image.

#[path = "support/home.rs"]
mod home;

use home::{Home, Said, free_port};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// An API server as a tunnel to production shows it: at a port of this machine, with nodes that are
/// elsewhere. It keeps what it is asked.
struct Tunnel {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    fn new(version: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut head = [0; 4096];
                let read = stream.read(&mut head).unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let line = head.lines().next().unwrap_or_default().to_string();
                let path = line.split(' ').nth(1).unwrap_or_default();
                let (status, body) = match path.split('?').next().unwrap_or_default() {
                    "/version" => (
                        "200 OK",
                        json!({"major": "1", "minor": "33", "gitVersion": version}),
                    ),
                    "/api/v1/nodes" => (
                        "200 OK",
                        json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": [
                            {"metadata": {"name": "ip-10-0-0-7.eu-west-1.compute.internal"}, "spec": {"providerID": "aws:///eu-west-1a/i-1"}}
                        ]}),
                    ),
                    _ => (
                        "404 Not Found",
                        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound", "message": "not found", "metadata": {}}),
                    ),
                };
                kept.lock().unwrap().push(line.clone());
                let body = body.to_string();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Tunnel { port, asked }
    }

    /// A kubeconfig with a context `prod` that leads there.
    fn kubeconfig(&self, home: &Home) {
        home.write(
            "kubeconfig",
            &format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: prod\n\
             clusters: [{{name: prod, cluster: {{server: 'http://127.0.0.1:{}'}}}}]\n\
             contexts: [{{name: prod, context: {{cluster: prod, user: prod}}}}]\n\
             users: [{{name: prod, user: {{token: planted-token}}}}]\n",
                self.port
            ),
        );
    }

    fn was_changed(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let changes = asked.iter().filter(|line| !line.starts_with("GET "));
        changes.cloned().collect()
    }
}

#[test]
fn a_tunnel_to_production_is_refused_until_it_is_named_and_confirmed() {
    let (home, tunnel) = (Home::new(), Tunnel::new("v1.33.2"));
    tunnel.kubeconfig(&home);
    let server = format!("http://127.0.0.1:{}", tunnel.port);
    let profile = home.profile();

    let by_sort = home.gw(&["up", "--profile", &profile, "--target", "context"]);
    assert_eq!(by_sort.code, 3, "{by_sort:?}");
    assert!(
        by_sort
            .stderr
            .contains("context/prod: neither nodes nor containers prove it local"),
        "{by_sort:?}"
    );

    let named = home.gw(&["up", "--profile", &profile, "--context", "prod"]);
    assert_eq!(named.code, 3, "{named:?}");
    assert!(
        named
            .stderr
            .contains(&format!("its API server is {server}")),
        "{named:?}"
    );
    let next = format!("-> gw up --context prod --yes --profile {profile}");
    assert!(named.stderr.contains(&next), "{named:?}");

    // Even so a service of this machine is not looked for elsewhere.
    let confirmed = home.gw(&["up", "--profile", &profile, "--context", "prod", "--yes"]);
    assert_eq!(confirmed.code, 3, "{confirmed:?}");
    assert!(
        confirmed
            .stderr
            .contains("can't use mock provider of this machine"),
        "{confirmed:?}"
    );
    assert_eq!(tunnel.was_changed(), Vec::<String>::new());
    assert_eq!(home.processes(), Vec::<String>::new());
    let all = format!("{by_sort:?}{named:?}{confirmed:?}");
    assert!(!all.contains("planted-token"), "{all}");
}

#[test]
fn a_profile_that_names_a_cluster_elsewhere_does_not_choose_it() {
    let (home, tunnel) = (Home::new(), Tunnel::new("v1.33.2"));
    tunnel.kubeconfig(&home);
    let text = std::fs::read_to_string(home.profile()).unwrap();
    let profile = home.write(
        "prod.yaml",
        &format!("{text}target: {{kind: context, context: prod}}\n"),
    );
    let said = home.gw(&["up", "--profile", &profile, "--yes"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("-> gw up --context prod"), "{said:?}");
    assert_eq!(tunnel.was_changed(), Vec::<String>::new());
}

#[test]
fn a_kubernetes_that_kgateway_does_not_support_is_refused_before_anything_changes() {
    let (home, tunnel) = (Home::new(), Tunnel::new("v1.29.4"));
    tunnel.kubeconfig(&home);
    let said = home.gw(&[
        "up",
        "--profile",
        &home.profile(),
        "--context",
        "prod",
        "--yes",
    ]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.stderr
            .contains("Kubernetes v1.29.4; kgateway v2.2 takes 1.31-1.35"),
        "{said:?}"
    );
    assert_eq!(tunnel.was_changed(), Vec::<String>::new());
}

#[test]
fn a_context_that_is_not_there_is_a_mistake_of_the_command_line() {
    let home = Home::new();
    let said = home.gw(&["up", "--profile", &home.profile(), "--context", "nowhere"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("there is no context `nowhere`"),
        "{said:?}"
    );
    assert!(
        !home.environment().exists(),
        "a failed up leaves nothing behind"
    );
}

/// A kind cluster that a person has made, with something of theirs in it.
struct Theirs {
    home: Home,
    cluster: String,
}

const THINGS: &str = "crds,clusterroles,clusterrolebindings,namespaces,configmaps,secrets,services,deployments,serviceaccounts,pods";

impl Theirs {
    fn new(name: &str) -> Self {
        let home = Home::new();
        let cluster = format!("gw-test-{name}-{}", std::process::id());
        let theirs = Theirs { home, cluster };
        let mut create = Command::new("kind");
        create.args([
            "create",
            "cluster",
            "--name",
            &theirs.cluster,
            "--wait",
            "120s",
            "--kubeconfig",
        ]);
        create.arg(theirs.home.path().join("kubeconfig"));
        if let Some(image) = std::env::var_os("GW_NODE_IMAGE") {
            create.arg("--image").arg(image);
        }
        let said = home::said(create.output().unwrap());
        assert_eq!(said.code, 0, "{said:?}");
        let made = theirs.kubectl(&["create", "configmap", "theirs", "--from-literal=a=b"]);
        assert_eq!(made.code, 0, "{made:?}");
        theirs
    }

    fn context(&self) -> String {
        format!("kind-{}", self.cluster)
    }

    fn gw(&self, args: &[&str]) -> Said {
        let mut command = self.home.command(args);
        command.env_remove("DOCKER_HOST");
        for name in [
            "SSL_CERT_FILE",
            "DOCKER_HOST",
            "KIND_EXPERIMENTAL_DOCKER_NETWORK",
        ] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        home::said(command.output().unwrap())
    }

    fn run(&self, program: &str, args: &[&str]) -> Said {
        let mut command = Command::new(program);
        command
            .args(args)
            .env("KUBECONFIG", self.home.path().join("kubeconfig"));
        home::said(command.output().unwrap())
    }

    fn kubectl(&self, args: &[&str]) -> Said {
        self.run("kubectl", args)
    }

    /// Everything in the cluster that lasts, by name: events and leases come and go by themselves, and
    /// a new cluster makes its own namespaces and what is in each at its leisure.
    fn everything(&self) -> Vec<String> {
        let all = self.kubectl(&[
            "get",
            THINGS,
            "-A",
            "--no-headers",
            "-o",
            "custom-columns=K:kind,S:metadata.namespace,N:metadata.name",
        ]);
        assert_eq!(all.code, 0, "{all:?}");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let clusters = ["kube-", "kubeadm:", "system:", "default default"];
        let all = all.stdout.lines().map(words);
        all.filter(|line| !clusters.iter().any(|own| line.contains(own)))
            .collect()
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        for env in ["two", "default"] {
            let _ = self.gw(&["down", "--env", env]);
        }
        let _ = self.run("kind", &["delete", "cluster", "--name", &self.cluster]);
    }
}

fn json_of(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"))
}

#[test]
#[ignore = "needs Docker, kind, helm and kubectl"]
fn two_environments_on_somebodys_cluster_and_nothing_of_theirs_is_touched() {
    let theirs = Theirs::new("context");
    let before = theirs.everything();
    let kubeconfig = std::fs::read_to_string(theirs.home.path().join("kubeconfig")).unwrap();
    let (context, profile) = (theirs.context(), theirs.home.profile());

    let up = theirs.gw(&["up", "--profile", &profile, "--context", &context]);
    assert_eq!(up.code, 0, "{up:?}");
    assert!(up.stderr.contains("through a relay"), "{up:?}");
    let again = theirs.gw(&["up"]);
    assert!(again.stdout.contains("nothing to change"), "{again:?}");

    let status = json_of(&theirs.gw(&["status", "-o", "json"]));
    assert_eq!(status["ok"], true, "{status:#}");
    assert_eq!(status["target"], format!("context/{context}"));
    for source in ["gateway", "controller", "forward"] {
        let logs = theirs.gw(&["logs", source]);
        assert_eq!(logs.code, 0, "{source}: {logs:?}");
    }

    the_way_is_shown_through_the_port_forward(&theirs);
    a_pod_that_is_replaced_is_followed(&theirs);
    a_lost_port_forward_is_told_and_started_again(&theirs);

    let port = free_port().to_string();
    let two = ["--env", "two"];
    let mock = free_port();
    let text = format!(
        "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: two\nbackends:\n- {{name: mock, provider: mock, port: {mock}}}\n"
    );
    let profile = theirs.home.write("two.yaml", &text);
    let up = theirs.gw(&[
        &[
            "up",
            "--profile",
            &profile,
            "--context",
            &context,
            "--port",
            &port,
        ],
        &two[..],
    ]
    .concat());
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(theirs.gw(&["test"]).code, 0);

    let down = theirs.gw(&["down"]);
    assert_eq!(down.code, 0, "{down:?}");
    assert!(
        !theirs.home.environment().exists(),
        "what stays is the other's: {down:?}"
    );
    let test = theirs.gw(&[&["test"], &two[..]].concat());
    assert_eq!(test.code, 0, "{test:?}");

    let down = theirs.gw(&[&["down"], &two[..]].concat());
    assert_eq!(down.code, 0, "{down:?}");
    assert_eq!(theirs.home.processes(), Vec::<String>::new());
    assert_eq!(theirs.everything(), before);
    let after = std::fs::read_to_string(theirs.home.path().join("kubeconfig")).unwrap();
    assert_eq!(after, kubeconfig);
}

fn the_way_is_shown_through_the_port_forward(theirs: &Theirs) {
    let reach = theirs.gw(&["reach"]);
    assert_eq!(reach.code, 0, "{reach:?}");
    assert!(reach.stdout.contains("the port-forward"), "{reach:?}");
    assert!(reach.stdout.contains("proxy pod"), "{reach:?}");
}

fn a_pod_that_is_replaced_is_followed(theirs: &Theirs) {
    let gone = theirs.kubectl(&[
        "delete",
        "pod",
        "-n",
        "kgateway-system",
        "-l",
        "gateway.networking.k8s.io/gateway-name=ai-gateway",
        "--wait=true",
    ]);
    assert_eq!(gone.code, 0, "{gone:?}");
    let test = theirs.gw(&["test"]);
    assert_eq!(test.code, 0, "{test:?}");
}

fn a_lost_port_forward_is_told_and_started_again(theirs: &Theirs) {
    theirs.home.kill("forward");
    let test = theirs.gw(&["test"]);
    assert_eq!(test.code, 4, "{test:?}");
    assert!(
        test.stdout.contains("our process forward has ended"),
        "{test:?}"
    );
    let up = theirs.gw(&["up"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(theirs.gw(&["test"]).code, 0);
}
