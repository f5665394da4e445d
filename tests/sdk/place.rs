//! The SDKs in a folder of their own, and checks run with them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command as AsyncCommand};
use tokio::time::timeout;

const CHECKS: Duration = Duration::from_secs(120);

fn scripts(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sdk")
        .join(language)
}

/// A folder that is kept between runs for as long as the versions in `pinned` are the same.
fn folder(name: &str, pinned: &Path, install: impl Fn(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let wanted = std::fs::read(pinned).unwrap();
    let mark = folder.join("installed");
    if std::fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    install(&folder);
    std::fs::write(mark, wanted).unwrap();
    folder
}

fn must(command: &mut Command) {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn python() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let pinned = scripts("python").join("requirements.txt");
        folder("sdk-python", &pinned, |folder| {
            must(Command::new("python3").args(["-m", "venv"]).arg(folder));
            must(
                Command::new(folder.join("bin/pip"))
                    .args(["install", "--quiet", "-r"])
                    .arg(&pinned),
            );
        })
    })
}

fn node() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let pinned = scripts("node").join("package.json");
        let folder = folder("sdk-node", &pinned, |folder| {
            std::fs::copy(&pinned, folder.join("package.json")).unwrap();
            must(
                Command::new("npm")
                    .args(["install", "--silent", "--no-package-lock"])
                    .current_dir(folder),
            );
        });
        // Modules are looked for beside the script that imports them.
        for script in std::fs::read_dir(scripts("node")).unwrap() {
            let script = script.unwrap();
            std::fs::copy(script.path(), folder.join(script.file_name())).unwrap();
        }
        folder
    })
}

/// Runs a script with its arguments and the names of checks; each must hold.
pub async fn check(script: &str, given: &[&str], checks: &[&str]) {
    run(script, given, &[], checks).await;
}

/// The same with variables instead of arguments.
pub async fn check_with(script: &str, variables: &[(String, String)], checks: &[&str]) {
    run(script, &[], variables, checks).await;
}

async fn run(script: &str, given: &[&str], variables: &[(String, String)], checks: &[&str]) {
    let mut command = match script.strip_suffix(".py") {
        Some(_) => {
            let mut command = AsyncCommand::new(python().join("bin/python"));
            command.arg(scripts("python").join(script));
            command
        }
        None => {
            let mut command = AsyncCommand::new("node");
            command.arg(node().join(script));
            command
        }
    };
    for proxy in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        command.env_remove(proxy);
    }
    let command = command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .args(given)
        .args(checks)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(CHECKS, command.output())
        .await
        .expect("the checks end")
        .unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let held: Vec<String> = checks.iter().map(|check| format!("ok {check}")).collect();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        output.status.success() && lines == held,
        "{script} {given:?}\n{said}\n{errors}"
    );
}

/// `gw` as a process of its own, ended with this value.
pub struct Gw {
    /// The first line it said.
    pub line: String,
    _process: Child,
}

impl Gw {
    pub async fn start(args: &[&str], environment: &[(&str, &str)]) -> Gw {
        let mut process = AsyncCommand::new(env!("CARGO_BIN_EXE_gw"))
            .args(args)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = timeout(CHECKS, lines.next_line()).await;
        let line = line.expect("it says that it is ready").unwrap();
        Gw {
            line: line.unwrap_or_else(|| panic!("gw {args:?} ended")),
            _process: process,
        }
    }

    /// A mock that takes one key.
    pub async fn mock(key: &str) -> (Gw, SocketAddr) {
        let args = ["mock", "--listen", "127.0.0.1:0"];
        let mock = Gw::start(&args, &[("GW_MOCK_KEYS", key)]).await;
        let address = mock.line.parse().unwrap();
        (mock, address)
    }
}
