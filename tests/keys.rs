//! Keys from outside: where they come from, where they go, and that nothing shows them.

#[path = "support/home.rs"]
mod home;
#[path = "support/provider.rs"]
mod provider;

use home::{Home, Said, said};
use provider::Provider;
use std::path::Path;
use std::process::Command;

const PLANTED: &str = "planted-key-7Qx2";
const ROTATED: &str = "rotated-key-9Zw4";

/// A profile of one provider at an address of its own, with a key from somewhere.
fn profile(home: &Home, provider: &Provider, key: &str) -> String {
    home.write(
        "keys.yaml",
        &format!(
            "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: keys\nbackends:\n\
             - name: openai\n  provider: openai\n  address: http://localhost:{}\n  key: {key}\n",
            provider.port
        ),
    )
}

fn with_key(home: &Home, key: &str, args: &[&str]) -> Said {
    let mut command = home.command(args);
    said(command.env("GW_TEST_KEY", key).output().unwrap())
}

fn holds(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    // Base64 of the keys, as a Secret has them.
    let encoded = ["cGxhbnRlZC1rZXktN1F4M", "cm90YXRlZC1rZXktOVp3N"];
    [PLANTED, ROTATED]
        .iter()
        .chain(&encoded)
        .any(|key| text.contains(key))
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path().is_dir() {
            true => files(&entry.path()),
            false => vec![entry.path()],
        })
        .collect()
}

/// Neither in a file that `gw` wrote nor in what a process of ours was started with.
fn assert_nothing_is_kept(home: &Home, own: &[&str]) {
    for file in files(home.path()) {
        let name = file.file_name().unwrap().to_string_lossy();
        let text = std::fs::read(&file).unwrap_or_default();
        assert!(own.contains(&name.as_ref()) || !holds(&text), "{file:?}");
    }
    let marker = home.path().to_string_lossy().into_owned();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(&marker) {
            assert!(!holds(&environment) && !holds(&line), "{process:?}");
        }
    }
}

#[test]
fn a_key_reaches_its_provider_and_nothing_else() {
    let (home, provider) = (Home::new(), Provider::start(PLANTED));
    let profile = profile(&home, &provider, "{env: GW_TEST_KEY}");
    let up = with_key(&home, PLANTED, &["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    assert!(up.stdout.contains("/openai  gpt-4o-mini  200"), "{up:?}");
    let asked = provider.seen().into_iter();
    let asked: Vec<String> = asked.filter(|call| call.starts_with("POST")).collect();
    // Whole and streamed.
    assert_eq!(asked, ["POST /v1/chat/completions"; 2]);
    assert_nothing_is_kept(&home, &[]);
    let commands: [&[&str]; 21] = [
        &["env"],
        &["env", "-o", "json"],
        &["env", "--route", "openai", "--unset"],
        &["backend", "openai"],
        &["backend", "openai", "-o", "json"],
        &["backend", "openai", "--key", "env:GW_TEST_KEY", "--whole"],
        &["route", "openai"],
        &["route", "openai", "-o", "json"],
        &["profile", "validate", &profile],
        &["up"],
        &["up", "-o", "json"],
        &["up", "--progress", "json"],
        &["plan"],
        &["plan", "--yaml"],
        &["plan", "-o", "json"],
        &["status"],
        &["status", "-o", "json"],
        &["test", "-o", "json"],
        &["logs"],
        &["profile", "show", &profile],
        &["down", "-o", "json"],
    ];
    for args in commands {
        let said = with_key(&home, PLANTED, args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        assert!(!holds(said.stdout.as_bytes()), "{args:?}: {said:?}");
        assert!(!holds(said.stderr.as_bytes()), "{args:?}: {said:?}");
        assert_nothing_is_kept(&home, &[]);
    }
}

#[test]
fn up_rotates_a_key_without_a_restart() {
    let (home, provider) = (Home::new(), Provider::start(PLANTED));
    let profile = profile(&home, &provider, "{env: GW_TEST_KEY}");
    let up = with_key(&home, PLANTED, &["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    let gateway = home.processes();
    provider.take(ROTATED);
    let refused = with_key(&home, PLANTED, &["up"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(
        refused.stdout.contains("OpenAI does not take the key"),
        "{refused:?}"
    );
    assert!(!holds(refused.stdout.as_bytes()), "{refused:?}");
    let up = with_key(&home, ROTATED, &["up"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(home.processes(), gateway);
    assert_nothing_is_kept(&home, &[]);
}

#[test]
fn a_missing_key_is_told_with_the_command_that_gives_it() {
    let (home, provider) = (Home::new(), Provider::start(PLANTED));
    let profile = profile(&home, &provider, "{env: GW_TEST_NONE}");
    let said = home.gw(&["up", "--profile", &profile]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr
            .contains("no key for OpenAI: GW_TEST_NONE is not set"),
        "{said:?}"
    );
    let next = "read -rs GW_TEST_NONE && export GW_TEST_NONE && gw up";
    assert!(said.stderr.contains(next), "{said:?}");
    assert!(provider.seen().is_empty());
    assert!(home.processes().is_empty());
}

#[test]
fn a_key_comes_from_a_file_or_a_command_as_well() {
    let provider = Provider::start(PLANTED);
    for key in ["{file: ~/key}", "{command: [cat, key]}"] {
        let home = Home::new();
        home.write("key", &format!("{PLANTED}\n"));
        let profile = profile(&home, &provider, key);
        let up = home.gw(&["up", "--profile", &profile]);
        assert_eq!(up.code, 0, "{key}: {up:?}");
        assert_nothing_is_kept(&home, &["key"]);
    }
}

#[test]
fn a_key_that_is_written_into_a_profile_is_refused_and_not_repeated() {
    let (home, provider) = (Home::new(), Provider::start(PLANTED));
    for key in [PLANTED, "{env: planted-key-7Qx2}"] {
        let profile = profile(&home, &provider, key);
        for args in [["up", "--profile"], ["profile", "validate"]] {
            let said = home.gw(&[args.as_slice(), &[&profile]].concat());
            assert_eq!(said.code, 2, "{said:?}");
            assert!(!holds(said.stderr.as_bytes()), "{said:?}");
            assert!(!holds(said.stdout.as_bytes()), "{said:?}");
        }
    }
}

/// The environment wins, the file is told, and no child gets it.
#[test]
fn a_key_comes_from_the_env_file_of_the_folder_where_no_variable_says_it() {
    let (home, provider) = (Home::new(), Provider::start(PLANTED));
    let profile = profile(&home, &provider, "{env: GW_TEST_KEY}");
    home.write(
        ".env",
        &format!("# mine\nexport GW_TEST_KEY=\"{PLANTED}\"\n"),
    );
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_nothing_is_kept(&home, &[".env"]);
    let plan = home.gw(&["plan", "--yaml"]);
    assert!(plan.stdout.contains("GW_TEST_KEY of .env"), "{plan:?}");
    assert!(!holds(plan.stdout.as_bytes()), "{plan:?}");
    provider.take(ROTATED);
    let up = with_key(&home, ROTATED, &["up"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_nothing_is_kept(&home, &[".env"]);
}

/// A keychain of this test's own: the program that asks the system's is another one.
fn keychain(home: &Home, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let folder = home.path().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let name = if cfg!(target_os = "macos") {
        "security"
    } else {
        "secret-tool"
    };
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").unwrap_or_default()
    )
}

#[test]
fn a_key_comes_from_the_systems_keychain() {
    let (home, provider) = (Home::new(), Provider::start(PLANTED));
    let profile = profile(&home, &provider, "{keychain: work}");
    home.write("kept", PLANTED);
    let with = |script: &str, args: &[&str]| {
        let path = keychain(&home, script);
        said(home.command(args).env("PATH", path).output().unwrap())
    };
    let read = "case \"$*\" in *gatewright*work*) cat kept;; *) exit 1;; esac";
    let up = with(read, &["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_nothing_is_kept(&home, &["kept"]);
    let absent = with("exit 1", &["up"]);
    assert_eq!(absent.code, 2, "{absent:?}");
    assert!(
        absent.stderr.contains("the keychain has no entry work"),
        "{absent:?}"
    );
    // As secret-tool 0.20 does: silent of what is locked, and a search finds it.
    let locked = "[ $1 = search ] || exit 1; echo '[/1]'; echo 'secret-tool: Cannot get secret of a locked object' >&2";
    let macs =
        "echo 'security: SecKeychainSearchCopyNext: User interaction is not allowed.' >&2; exit 36";
    let locked = with(
        if cfg!(target_os = "macos") {
            macs
        } else {
            locked
        },
        &["up"],
    );
    assert_eq!(locked.code, 2, "{locked:?}");
    assert!(
        locked.stderr.contains("the keychain is locked"),
        "{locked:?}"
    );
    let none = with("echo Cannot autolaunch D-Bus >&2; exit 1", &["up"]);
    assert_eq!(none.code, 2, "{none:?}");
    assert!(
        none.stderr
            .contains("the system's keychain does not answer"),
        "{none:?}"
    );
    assert!(none.stderr.contains("Cannot autolaunch D-Bus"), "{none:?}");
}

/// On a bus and in a folder of its own: empty, with the key, and locked, where nobody can be asked to unlock it.
#[test]
#[ignore = "needs gnome-keyring-daemon, secret-tool, dbus-run-session and dbus-send on PATH"]
fn a_real_keyring_gives_its_key_while_it_is_unlocked() {
    let (home, provider) = (Home::new(), Provider::start(PLANTED));
    let profile = profile(&home, &provider, "{keychain: work}");
    home.write("kept", PLANTED);
    let script = r#"
        mkdir -m 700 run; export XDG_RUNTIME_DIR=$PWD/run XDG_DATA_HOME=$PWD/data
        echo password | gnome-keyring-daemon --unlock --components=secrets >/dev/null
        up() { echo "== $1"; "$GW" up --profile "$PROFILE" 2>&1; echo "code $?"; }
        up empty
        secret-tool store --label gatewright service gatewright account work <kept
        up there
        secrets=/org/freedesktop/secrets
        dbus-send --session --print-reply --dest=org.freedesktop.secrets $secrets \
            org.freedesktop.Secret.Service.Lock array:objpath:$secrets/collection/login >/dev/null
        up locked"#;
    let mut command = Command::new("dbus-run-session");
    let usual = home.command(&[]);
    let own = usual
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command.env_clear().envs(own);
    command.args(["--", "bash", "-c", script]);
    command.env("GW", env!("CARGO_BIN_EXE_gw"));
    command.env("PROFILE", &profile).current_dir(home.path());
    let all = said(command.output().unwrap());
    let parts: Vec<&str> = all.stdout.split("== ").skip(1).collect();
    let [empty, there, locked] = parts[..] else {
        panic!("{all:?}");
    };
    assert!(
        empty.contains("has no entry work") && empty.ends_with("code 2\n"),
        "{empty}"
    );
    assert!(
        there.contains("1 route proved") && there.ends_with("code 0\n"),
        "{there}"
    );
    assert!(
        locked.contains("the keychain is locked") && locked.ends_with("code 2\n"),
        "{locked}"
    );
    assert_nothing_is_kept(&home, &["kept"]);
}

#[test]
fn without_a_terminal_nobody_is_asked_for_a_key() {
    let (home, provider) = (Home::new(), Provider::start(PLANTED));
    let profile = profile(&home, &provider, "{prompt: the key of work}");
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 2, "{up:?}");
    let told = "there is no terminal on which to ask for the key of work";
    assert!(up.stderr.contains(told), "{up:?}");
}

/// When a token ends is kept and shown, and the token is not; `up` takes the next one.
#[test]
fn a_token_that_ends_is_shown_by_status_and_renewed_by_up() {
    // {"alg":"none"}, and {"exp":N} with no signature that anybody checks.
    let token = |exp: u64, end: &str| {
        use base64::Engine;
        let claims = format!("{{\"exp\":{exp}}}");
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        format!("eyJhbGciOiJub25lIn0.{claims}.{end}")
    };
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (old, new) = (token(now - 60, "old"), token(now + 3600, "new"));
    let (home, provider) = (Home::new(), Provider::start(&old));
    let profile = profile(&home, &provider, "{env: GW_TEST_KEY}");
    let up = with_key(&home, &old, &["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    let status = home.gw(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    assert!(status.stdout.contains("ended "), "{status:?}");
    assert!(status.stdout.contains("gw up"), "{status:?}");
    let record = std::fs::read_to_string(home.environment().join("environment.json")).unwrap();
    assert!(
        !record.contains(&old) && record.contains("expiries"),
        "{record}"
    );
    provider.take(&new);
    let up = with_key(&home, &new, &["up"]);
    assert_eq!(up.code, 0, "{up:?}");
    let status = home.gw(&["status"]);
    assert!(status.stdout.contains("ends in "), "{status:?}");
}
