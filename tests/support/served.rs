//! A running `gw serve`, ended with the test.

use super::home::Home;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

/// A Gateway on this port and a route that answers by itself with these words.
#[allow(dead_code, reason = "each test program uses a part of it")]
pub fn answering(port: u16, route: &str, path: &str, said: &str) -> String {
    format!(
        r#"apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw}}
spec: {{gatewayClassName: agentgateway, listeners: [{{name: http, protocol: HTTP, port: {port}}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {route}}}
spec:
  parentRefs: [{{name: gw}}]
  rules: [{{matches: [{{path: {{value: {path}}}}}]}}]
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayPolicy
metadata: {{name: said}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: {route}}}]
  traffic: {{directResponse: {{status: 200, body: {said}}}}}
"#
    )
}

pub struct Served {
    child: Child,
    out: BufReader<ChildStdout>,
}

#[allow(dead_code, reason = "each test program uses a part of it")]
impl Served {
    pub fn start(home: &Home, args: &[&str]) -> Served {
        let args: Vec<&str> = [&["serve"], args].concat();
        let mut command = home.command(&args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Served { child, out }
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: kill has no memory effects; the process is one that this test started.
        unsafe { libc::kill(pid, signal) };
    }

    /// Its exit code, when it has ended by itself, and what it wrote to stderr.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut err = self.child.stderr.take().unwrap();
        err.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }

    /// Asks it to end; its exit code and what it wrote to stderr.
    pub fn end(self) -> (Option<i32>, String) {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
