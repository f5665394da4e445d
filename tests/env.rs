//! `gw env`, taken by real shells.

#[path = "support/home.rs"]
mod home;

use home::{Home, said};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Two routes of the mock: one that anybody may ask, one that wants a key that gw makes.
fn profile(home: &Home) -> String {
    home.write("env.yaml", "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: env\nbackends:\n\
             - {name: open, provider: mock}\n\
             - {name: tools, mcp: [{name: one, mock: true}]}\n\
             routes:\n- {name: open, backend: open}\n- {name: keyed, backend: open}\n- {name: tools, backend: tools}\n\
             policies:\n- {name: callers, routes: [keyed], apiKeys: {keys: {ann: {generate: true}}}}\n")
}

/// Two that look for a port of the mock at the same moment find the same one.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn up() -> Home {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let home = Home::new();
    let profile = profile(&home);
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    home
}

/// What a shell of this name says at the end of a script.
fn shell(home: &Home, program: &str, script: &str) -> Option<String> {
    which::which(program).ok()?;
    let gw = env!("CARGO_BIN_EXE_gw");
    let folder = std::path::Path::new(gw).parent()?.to_str()?;
    let usual = home.command(&[]);
    let mut command = Command::new(program);
    let own = usual
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    command
        .args(["-c", script])
        .env_clear()
        .envs(own)
        .env("PATH", path);
    let output = said(command.current_dir(home.path()).output().unwrap());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{script}");
    Some(output.stdout)
}

#[test]
fn shells_take_what_it_prints_and_give_it_back() {
    let home = up();
    let base = home.base().replace("127.0.0.1", "localhost");
    let script = "eval \"$(gw env --shell bash)\"; echo \"$OPENAI_BASE_URL $OPENAI_API_KEY\"; \
                  eval \"$(gw env --shell bash --unset)\"; echo \"${OPENAI_BASE_URL-none} ${OPENAI_API_KEY-none}\"";
    let wanted = format!("{base}/open/v1 gw-no-key-needed\nnone none\n");
    assert_eq!(shell(&home, "bash", script), Some(wanted.clone()));
    if let Some(said) = shell(&home, "zsh", &script.replace("bash", "zsh")) {
        assert_eq!(said, wanted);
    }
    let script = "gw env --shell fish | source; echo \"$OPENAI_BASE_URL $OPENAI_API_KEY\"; \
                  gw env --shell fish --unset | source; set -q OPENAI_BASE_URL; or echo none none";
    if let Some(said) = shell(&home, "fish", script) {
        assert_eq!(said, wanted);
    }
    // It reads the files it sources before it runs a line of them.
    let script = "gw env --shell nu | save gw.nu; gw env --shell nu --unset | save back.nu";
    if shell(&home, "nu", script).is_some() {
        let script = "source gw.nu; print $'($env.OPENAI_BASE_URL) ($env.OPENAI_API_KEY)'; \
                      source back.nu; print $'($env.OPENAI_BASE_URL? | default none) none'";
        assert_eq!(shell(&home, "nu", script), Some(wanted));
    }
}

#[test]
fn a_callers_key_is_fetched_by_the_shell_and_never_printed() {
    let home = up();
    let key = std::fs::read_to_string(home.environment().join("keys/callers.ann")).unwrap();
    let printed = home.gw(&["env", "--route", "keyed", "--shell", "bash"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(!printed.stdout.contains(&key), "{printed:?}");
    let script = "eval \"$(gw env --route keyed --shell bash)\"; printf %s \"$OPENAI_API_KEY\"";
    assert_eq!(shell(&home, "bash", script), Some(key.clone()));
    if let Some(said) = shell(
        &home,
        "fish",
        "gw env --route keyed --shell fish | source; printf %s $OPENAI_API_KEY",
    ) {
        assert_eq!(said, key);
    }
    let (answer, code) = home.json(&["env", "--route", "keyed"]);
    assert_eq!(code, 0);
    let file = home.environment().join("keys/callers.ann");
    let by_name = |name: &str| {
        let variables = answer["variables"].as_array().unwrap().iter();
        let mut named = variables.filter(|variable| variable["name"] == name);
        named.next().cloned().unwrap_or(Value::Null)
    };
    assert_eq!(by_name("OPENAI_API_KEY")["file"], json!(file));
    assert!(!answer.to_string().contains(&key));
}

#[test]
fn a_route_that_is_not_there_is_told_with_those_that_are() {
    let home = up();
    let said = home.gw(&["env", "--route", "opne"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("there are: open, keyed, tools"),
        "{said:?}"
    );
    assert!(said.stderr.contains("gw env --route open"), "{said:?}");
    let said = Home::new().gw(&["env"]);
    assert_eq!(said.code, 1, "{said:?}");
    let next = said.stderr.lines().last().unwrap_or_default();
    assert_eq!(next.trim(), "-> gw up", "{said:?}");
}

#[test]
fn mcp_is_told_by_its_address() {
    let home = up();
    let said = home.gw(&["env", "--shell", "bash"]);
    let base = home.base().replace("127.0.0.1", "localhost");
    let line = format!("# MCP clients take its address: {base}/tools/mcp");
    assert!(said.stdout.contains(&line), "{said:?}");
}

#[test]
fn up_never_takes_the_placeholder_for_a_providers_key() {
    let home = Home::new();
    let profile = home.write(
        "cloud.yaml",
        "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: c\nbackends:\n- {name: openai, provider: openai}\n",
    );
    let mut command = home.command(&["up", "--profile", &profile]);
    let up = said(
        command
            .env("OPENAI_API_KEY", "gw-no-key-needed")
            .output()
            .unwrap(),
    );
    assert_eq!(up.code, 2, "{up:?}");
    let told = "OPENAI_API_KEY holds a key for this gateway, as `gw env` sets it";
    assert!(up.stderr.contains(told), "{up:?}");
    let next = "read -rs OPENAI_API_KEY && export OPENAI_API_KEY && gw up";
    assert!(up.stderr.contains(next), "{up:?}");
}
