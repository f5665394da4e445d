//! The binary from outside, in a home of its own: temporary folders, free ports, and everything
//! that was started is ended when the test ends.

use serde_json::Value;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[allow(dead_code, reason = "each test program uses a part of it")]
pub struct Home {
    folder: tempfile::TempDir,
    pub port: u16,
}

/// What one command said.
#[derive(Debug)]
#[allow(dead_code, reason = "each test program uses a part of it")]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

#[allow(dead_code, reason = "each test program uses a part of it")]
impl Home {
    pub fn new() -> Self {
        Home {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn environment(&self) -> PathBuf {
        self.path().join("state/gatewright/environments/default")
    }

    /// `gw` with these arguments, nothing of the tester's own environment but PATH, no Docker, and
    /// no Ollama unless a test gives one.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gw"));
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env("KUBECONFIG", self.path().join("kubeconfig"))
            .env(
                "DOCKER_HOST",
                format!("unix://{}/no-docker.sock", self.path().display()),
            )
            .env("GW_PORT", self.port.to_string())
            .env("GW_PROGRESS", "plain")
            .stdin(Stdio::null())
            .current_dir(self.path());
        command
    }

    pub fn gw(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// `gw` with `-o json`, and its answer.
    pub fn json(&self, args: &[&str]) -> (Value, i32) {
        let said = self.gw(&[args, &["-o", "json"]].concat());
        let value = serde_json::from_str(&said.stdout);
        (value.unwrap_or_else(|e| panic!("{e}: {said:?}")), said.code)
    }

    /// A profile whose Ollama is at a port where there is none, so that a test does not depend on
    /// what this machine has.
    pub fn profile(&self) -> String {
        self.write("profile.yaml", &format!(
            "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: test\ndescription: for tests\nbackends:\n\
             - name: ollama\n  provider: ollama\n  port: {}\n  required: false\n\
             - name: mock\n  provider: mock\n  port: {}\n  fallback: true\n\
             policies:\n- name: same-site\n  csrf: {{}}\n",
            free_port(),
            free_port(),
        ))
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Kills a background process and waits until it is gone: until then its sockets are open.
    pub fn kill(&self, role: &str) {
        let file = self.environment().join(format!("{role}.process.json"));
        let identity: Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let pid = i32::try_from(identity["pid"].as_i64().unwrap()).unwrap();
        // SAFETY: kill has no memory effects; the process is one that this test started.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        // Its first thread may have ended before the last one that holds the sockets.
        let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
        while is_alive(pid) || threads() > 1 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Processes of this home that are alive, by their command lines.
    pub fn processes(&self) -> Vec<String> {
        let marker = self.path().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if String::from_utf8_lossy(&environment).contains(&marker) && line.contains("gw") {
                found.push(line.trim().to_string());
            }
        }
        found
    }

    /// That no file which gw keeps has these words in it.
    pub fn keeps_no(&self, words: &str) {
        let kept = files(&self.path().join("state"));
        assert!(kept.iter().any(|file| file.ends_with("environment.json")));
        for file in kept {
            // A socket has nothing to be read.
            let text = std::fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(words), "{words} is in {}", file.display());
        }
    }
}

/// Every file of a folder and of those in it.
#[allow(dead_code, reason = "each test program uses a part of it")]
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(files(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.command(&["down", "--yes"]).output();
    }
}

/// Whether a process runs: a zombie does not.
#[allow(dead_code, reason = "each test program uses a part of it")]
pub fn is_alive(pid: i32) -> bool {
    let state = if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').map(|(_, rest)| rest.to_string())
    } else {
        let told = Command::new("ps")
            .args(["-o", "stat=", "-p", &pid.to_string()])
            .output();
        told.ok()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let state = state.as_deref().map_or("", str::trim_start);
    !state.is_empty() && !state.starts_with('Z')
}

pub fn said(output: Output) -> Said {
    Said {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}

#[allow(dead_code, reason = "each test program uses a part of it")]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
