//! How the program reaches people, from outside: archive, installer, formula, and the steps of the
//! action in their order, as a runner would run them.

#[path = "support/home.rs"]
mod home;

use home::{Home, Said, said};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn platform() -> String {
    let system = if cfg!(target_os = "macos") {
        "darwin"
    } else {
        "linux"
    };
    let processor = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    format!("{system}-{processor}")
}

/// A folder like that of GitHub's releases, with one release of the program under test.
fn release(home: &Home) -> PathBuf {
    let releases = home.path().join("releases");
    let folder = releases.join("download/v0.1.0");
    let made = Command::new(root().join("dist/package"))
        .args([env!("CARGO_BIN_EXE_gw"), &platform()])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let latest = releases.join("latest");
    fs::create_dir_all(&latest).unwrap();
    std::os::unix::fs::symlink(&folder, latest.join("download")).unwrap();
    releases
}

fn installer(home: &Home, releases: &Path, version: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .arg(root().join("dist/install.sh"))
        .env("GW_RELEASES", releases)
        .env("GW_VERSION", version)
        .env("GW_INSTALL_DIR", home.path().join("bin"));
    command
}

fn install(home: &Home, releases: &Path, version: &str) -> Said {
    said(installer(home, releases, version).output().unwrap())
}

#[test]
fn the_installer_takes_a_release_whose_checksum_holds_and_no_other() {
    let home = Home::new();
    let releases = release(&home);
    for version in ["v0.1.0", "0.1.0", "latest"] {
        let done = install(&home, &releases, version);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.contains("gw 0.1.0 is in "), "{done:?}");
    }
    let archive = format!("gw-{}.tar.gz", platform());
    fs::write(releases.join("download/v0.1.0").join(&archive), "other").unwrap();
    let refused = install(&home, &releases, "v0.1.0");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("is not the file that its checksum is of"),
        "{refused:?}"
    );
    let missing = install(&home, &releases, "v9.9.9");
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(
        missing.stderr.contains("v9.9.9") && missing.stderr.contains("  -> "),
        "{missing:?}"
    );
    // What was installed before is still there, and whole.
    let version = Command::new(home.path().join("bin/gw"))
        .arg("--version")
        .output()
        .unwrap();
    assert!(version.status.success());
}

/// Programs of this machine in a folder of their own: a PATH with nothing else.
fn only(home: &Home, programs: &[&str]) -> PathBuf {
    let folder = home.path().join("only");
    fs::create_dir_all(&folder).unwrap();
    for program in programs {
        let found = which::which(program).unwrap();
        let _ = std::os::unix::fs::symlink(found, folder.join(program));
    }
    folder
}

/// An archive with this instead of gw, and its checksum.
fn release_of(home: &Home, gw: &[u8]) -> PathBuf {
    let name = format!("gw-{}", platform());
    let (releases, inside) = (home.path().join("others"), home.path().join(&name));
    let folder = releases.join("download/v0.1.0");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(&inside).unwrap();
    fs::write(inside.join("gw"), gw).unwrap();
    let script = format!(
        "tar -czf '{0}/{name}.tar.gz' {name} && cd '{0}' && (sha256sum {name}.tar.gz || shasum -a 256 {name}.tar.gz) >{name}.tar.gz.sha256sum",
        folder.display()
    );
    let mut made = Command::new("sh");
    made.args(["-c", &script]).current_dir(home.path());
    assert!(made.status().unwrap().success());
    releases
}

#[test]
fn what_the_installer_can_t_do_it_says_once_with_one_command_and_leaves_what_was_there() {
    let home = Home::new();
    let releases = release_of(&home, b"no program of any machine");
    let usual = ["uname", "mktemp", "cp", "cut", "rm", "mkdir"];
    let folder = home.path().join("bin");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("gw"), "from before").unwrap();
    let mut bare = installer(&home, &releases, "v0.1.0");
    bare.env("PATH", only(&home, &usual));
    let mut plain = installer(&home, Path::new("http://localhost"), "v0.1.0");
    let mut broken = installer(&home, &releases, "v0.1.0");
    let mut homeless = installer(&home, &releases, "v0.1.0");
    homeless.env_remove("GW_INSTALL_DIR").env_remove("HOME");
    let mut in_a_file = installer(&home, &releases, "v0.1.0");
    in_a_file.env("GW_INSTALL_DIR", folder.join("gw"));
    for (case, told) in [
        (&mut bare, "neither sha256sum nor shasum is on PATH"),
        (&mut plain, "neither an address with https nor a folder"),
        (&mut broken, "this machine can't run the gw of gw-"),
        (&mut homeless, "neither GW_INSTALL_DIR nor HOME is set"),
        (&mut in_a_file, "can't be written to"),
    ] {
        let refused = said(case.output().unwrap());
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(told), "{refused:?}");
        assert_eq!(refused.stderr.matches("\n  -> ").count(), 1, "{refused:?}");
    }
    let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(fs::read(folder.join("gw")).unwrap(), b"from before");
}

#[test]
fn the_archive_holds_completions_and_a_page_for_every_command() {
    let home = Home::new();
    let releases = release(&home);
    let archive = releases.join(format!("download/v0.1.0/gw-{}.tar.gz", platform()));
    let listed = Command::new("tar")
        .arg("-tzf")
        .arg(archive)
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    for file in [
        "gw",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "man/gw.1",
        "man/gw-up.1",
        "man/gw-profile-show.1",
        "completions/gw.bash",
        "completions/_gw",
        "completions/gw.fish",
    ] {
        let path = format!("gw-{}/{file}\n", platform());
        assert!(names.contains(&path), "{path} is not in {names}");
    }
}

#[test]
fn completions_know_the_commands_and_are_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let text = home.gw(&["completions", shell]).stdout;
        assert!(
            text.contains("bundle") && text.contains("profile"),
            "{shell}"
        );
    }
    let script = home.write("gw.bash", &home.gw(&["completions", "bash"]).stdout);
    let checked = Command::new("bash").args(["-n", &script]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn the_formula_has_the_sums_of_all_four_archives() {
    let home = Home::new();
    let folder = home.path().join("out");
    fs::create_dir_all(&folder).unwrap();
    for (digit, platform) in ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"]
        .iter()
        .enumerate()
    {
        let sum = digit.to_string().repeat(64);
        let file = format!("gw-{platform}.tar.gz");
        fs::write(
            folder.join(format!("{file}.sha256sum")),
            format!("{sum}  {file}\n"),
        )
        .unwrap();
    }
    let made = Command::new(root().join("dist/formula"))
        .arg("v1.2.3")
        .arg(&folder)
        .output()
        .unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    assert!(
        made.status.success() && !text.contains('@') && text.contains("version \"1.2.3\""),
        "{text}"
    );
    for digit in 0..4 {
        assert!(text.contains(&digit.to_string().repeat(64)), "{text}");
    }
    fs::remove_file(folder.join("gw-darwin-amd64.tar.gz.sha256sum")).unwrap();
    let made = Command::new(root().join("dist/formula"))
        .arg("v1.2.3")
        .arg(&folder)
        .output()
        .unwrap();
    assert!(!made.status.success());
}

/// A runner's place: what GitHub gives a step, and what the steps before have added to PATH.
struct Runner {
    home: Home,
    path: String,
}

impl Runner {
    fn new() -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        Runner {
            home: Home::new(),
            path,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// One step of action.yml, with its variables.
    fn step(&mut self, script: &str, variables: &[(&str, &str)]) -> Said {
        let base = self.home.command(&[]);
        let mut command = Command::new("bash");
        command.arg(root().join(script)).env_clear();
        for (name, value) in base.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let output = command
            .env("PATH", &self.path)
            .env("RUNNER_TEMP", self.file("temp"))
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_PATH", self.file("path"))
            .env("GITHUB_OUTPUT", self.file("output"))
            .env("GITHUB_STEP_SUMMARY", self.file("summary"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let added = fs::read_to_string(self.file("path")).unwrap_or_default();
        let first: Vec<&str> = added.lines().collect();
        let usual = std::env::var("PATH").unwrap_or_default();
        self.path = format!("{}:{usual}", first.join(":"));
        said(output)
    }

    fn output(&self, name: &str) -> String {
        let text = fs::read_to_string(self.file("output")).unwrap_or_default();
        let line = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_default().to_string()
    }
}

#[test]
fn the_steps_of_the_action_end_in_a_proved_gateway_and_take_it_back() {
    let mut runner = Runner::new();
    let releases = release(&runner.home);
    let releases = releases.to_string_lossy().into_owned();
    let installed = runner.step(
        "dist/action/install",
        &[("GW_RELEASES", &releases), ("GW_VERSION", "v0.1.0")],
    );
    assert_eq!(installed.code, 0, "{installed:?}");
    let port = runner.home.port.to_string();
    let args = format!("--port {port}");
    let up = runner.step(
        "dist/action/up",
        &[
            ("GW_PROFILE", "ci"),
            ("GW_TARGET", "embedded"),
            ("GW_ARGS", &args),
        ],
    );
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(
        runner.output("base-url"),
        format!("http://localhost:{port}")
    );
    assert_eq!(runner.output("kubeconfig"), "");
    let report = PathBuf::from(runner.output("report"));
    let junit = fs::read_to_string(report.join("junit.xml")).unwrap();
    assert!(junit.contains("failures=\"0\""), "{junit}");
    let summary = fs::read_to_string(report.join("report.md")).unwrap();
    assert!(summary.contains("proved"), "{summary}");
    assert_eq!(fs::read_to_string(runner.file("summary")).unwrap(), summary);
    assert!(!up.stderr.contains("::error"), "{up:?}");
    let down = runner.step("dist/action/down", &[]);
    assert_eq!(down.code, 0, "{down:?}");
    assert_eq!(runner.home.processes(), Vec::<String>::new());
}

#[test]
fn a_step_that_fails_leaves_annotations_and_what_was_seen() {
    let mut runner = Runner::new();
    let releases = release(&runner.home);
    let releases = releases.to_string_lossy().into_owned();
    runner.step(
        "dist/action/install",
        &[("GW_RELEASES", &releases), ("GW_VERSION", "v0.1.0")],
    );
    let profile = runner.home.write(
        "wrong.yaml",
        "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: wrong\nbackends:\n- {name: chat, provider: mock}\n\
         tests:\n- {name: says-no, route: chat, path: /v1/chat/completions, body: {messages: [{role: user, content: ping}]}, expect: {contains: never}}\n",
    );
    let up = runner.step(
        "dist/action/up",
        &[
            ("GW_PROFILE", &profile),
            ("GW_TARGET", "embedded"),
            ("GW_ARGS", ""),
        ],
    );
    assert_eq!(up.code, 4, "{up:?}");
    assert!(up.stderr.contains("::error title="), "{up:?}");
    let left = PathBuf::from(runner.output("report"));
    assert!(left.join("debug.tar.gz").exists(), "{up:?}");
    let junit = fs::read_to_string(left.join("junit.xml")).unwrap();
    assert!(
        junit.contains("says-no") && junit.contains("failures=\"1\""),
        "{junit}"
    );
    // What ends before anything could be proved is told too.
    let up = runner.step(
        "dist/action/up",
        &[
            ("GW_PROFILE", "nonsense"),
            ("GW_TARGET", "embedded"),
            ("GW_ARGS", ""),
        ],
    );
    assert_eq!(up.code, 2, "{up:?}");
    assert!(up.stderr.contains("::error title=gw up::"), "{up:?}");
    assert_eq!(runner.step("dist/action/down", &[]).code, 0);
}

#[test]
fn the_action_runs_the_scripts_that_are_tested_here() {
    let text = fs::read_to_string(root().join("action.yml")).unwrap();
    let values: Vec<Value> = gatewright::yaml::read_values(&text).unwrap();
    let steps = values[0]["runs"]["steps"].as_array().unwrap().clone();
    let runs: Vec<&str> = steps
        .iter()
        .map(|step| step["run"].as_str().unwrap())
        .collect();
    assert_eq!(
        runs,
        [
            "bash \"$GW_ACTION/dist/action/install\"",
            "bash \"$GW_ACTION/dist/action/up\""
        ]
    );
}

#[test]
#[ignore = "needs actionlint and shellcheck on PATH"]
fn workflows_and_scripts_have_no_lint() {
    let lint = Command::new("actionlint")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(lint.status.success(), "{lint:?}");
    let scripts = [
        "dist/install.sh",
        "dist/package",
        "dist/formula",
        "dist/known-sums",
        "dist/action/install",
        "dist/action/up",
        "dist/action/down",
        ".github/scripts/lint",
        ".github/scripts/oldest-rust",
        ".github/scripts/publish",
        ".ci/run",
        "tests/bench/run",
    ];
    let lint = Command::new("shellcheck")
        .args(scripts)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        lint.status.success(),
        "{}",
        String::from_utf8_lossy(&lint.stdout)
    );
}
