//! `gw` alone: its screen on every recorded machine, and its dialogue on a real pseudo-terminal.
//!
//! `UPDATE_GOLDEN=1 cargo test --test guide` writes the screens anew.

#[path = "support/home.rs"]
mod home;
#[path = "support/terminal.rs"]
mod terminal;

#[path = "guide/screen.rs"]
mod screen;

use home::Home;
use terminal::Terminal;

/// A terminal with `gw` alone on it.
fn alone(home: &Home, rows: u16, columns: u16) -> Terminal {
    let mut command = home.command(&[]);
    command
        .env_remove("GW_PROGRESS")
        .env("OLLAMA_HOST", "127.0.0.1:9");
    Terminal::start(command, rows, columns)
}

#[test]
fn yes_makes_what_was_proposed_and_says_how_to_do_it_without_a_question() {
    let home = Home::new();
    let mut terminal = alone(&home, 24, 80);
    terminal.wait_for_question();
    assert!(terminal.screen().contains("/mock"), "{}", terminal.screen());
    assert_eq!(terminal.too_long(), Vec::<String>::new());
    terminal.press("y");
    assert_eq!(terminal.end(), 0, "{}", terminal.written);
    let again = format!("gw up --target embedded --port {}", home.port);
    assert!(terminal.written.contains(&again), "{}", terminal.written);
    assert!(
        terminal.written.contains("1 route proved"),
        "{}",
        terminal.written
    );
    assert!(terminal.is_sane());
    // And without the question there is nothing left to do.
    let mut command = home.command(&["guide", "--yes"]);
    let second = command.env("OLLAMA_HOST", "127.0.0.1:9").output();
    let second = home::said(second.unwrap());
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stdout.contains("nothing to change"), "{second:?}");
}

#[test]
fn no_changes_nothing() {
    let home = Home::new();
    for key in ["n", "q", "\u{1b}"] {
        let mut terminal = alone(&home, 24, 80);
        terminal.wait_for_question();
        terminal.press(key);
        assert_eq!(terminal.end(), 0, "{}", terminal.written);
        assert!(terminal.written.contains("nothing was changed"));
        assert!(terminal.is_sane());
    }
    assert!(!home.environment().join("environment.json").exists());
    assert!(home.processes().is_empty());
}

#[test]
fn ctrl_c_ends_every_dialogue_with_130_and_leaves_the_terminal_as_it_was() {
    let home = Home::new();
    let dialogues: [&[(&str, &str)]; 4] = [
        &[],
        &[("t", "Where")],
        &[("b", "Who answers")],
        &[("b", "Who answers"), (" \r", "Key of OpenAI")],
    ];
    for dialogue in dialogues {
        let mut terminal = alone(&home, 24, 80);
        terminal.wait_for_question();
        for (key, prompt) in dialogue {
            terminal.press(key);
            terminal.wait_for(prompt);
        }
        terminal.press("\u{3}");
        assert_eq!(terminal.end(), 130, "{}", terminal.written);
        assert!(terminal.written.contains("nothing was changed"));
        assert!(terminal.is_sane(), "{}", terminal.written);
    }
}

#[test]
fn a_signal_that_asks_for_the_end_leaves_the_terminal_as_it_was() {
    let home = Home::new();
    let mut terminal = alone(&home, 24, 80);
    terminal.wait_for_question();
    terminal.press("t");
    terminal.wait_for("Where");
    terminal.signal(libc::SIGTERM);
    assert_eq!(terminal.end(), 143, "{}", terminal.written);
    assert!(terminal.is_sane());
}

#[test]
fn nobody_is_asked_in_a_pipe() {
    let home = Home::new();
    let said = home.gw(&[]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("standard input is no terminal"),
        "{said:?}"
    );
    assert!(said.stderr.contains("gw guide --yes"), "{said:?}");
    assert!(home.processes().is_empty());
}

#[test]
fn nobody_is_asked_in_ci_or_on_a_terminal_that_can_not_draw() {
    let home = Home::new();
    let mut command = home.command(&[]);
    command.env("CI", "true");
    let mut terminal = Terminal::start(command, 24, 80);
    assert_eq!(terminal.end(), 2, "{}", terminal.written);
    assert!(
        terminal.written.contains("CI is set"),
        "{}",
        terminal.written
    );
}

#[test]
fn a_key_that_is_typed_is_never_on_the_screen() {
    const PLANTED: &str = "planted-key-3Hd8";
    let home = Home::new();
    let mut terminal = alone(&home, 24, 80);
    terminal.wait_for_question();
    terminal.press("b");
    terminal.wait_for("Who answers");
    terminal.press(" \r");
    terminal.wait_for("Key of OpenAI, not shown");
    terminal.press(&format!("{PLANTED}\r"));
    terminal.wait_for_question();
    assert!(
        terminal.screen().contains("/openai"),
        "{}",
        terminal.screen()
    );
    terminal.press("n");
    assert_eq!(terminal.end(), 0, "{}", terminal.written);
    assert!(!terminal.written.contains(PLANTED), "{}", terminal.written);
    assert!(terminal.is_sane());
}

#[test]
fn the_yaml_is_shown_and_the_question_comes_again() {
    let home = Home::new();
    let mut terminal = alone(&home, 60, 200);
    terminal.wait_for_question();
    terminal.press("s");
    terminal.wait_for("kind: Profile");
    terminal.wait_for_question();
    assert!(
        terminal.written.contains("kind: HTTPRoute"),
        "{}",
        terminal.written
    );
    terminal.press("n");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn choices_are_kept_in_a_file_that_makes_the_same_again() {
    let home = Home::new();
    let file = home.path().join("gateway.yaml");
    let file = file.to_string_lossy();
    let args = ["guide", "--yes", "--save", &file];
    let first = home
        .command(&args)
        .env("OLLAMA_HOST", "127.0.0.1:9")
        .output();
    let first = home::said(first.unwrap());
    assert_eq!(first.code, 0, "{first:?}");
    let again = format!(
        "gw up --profile {file} --target embedded --port {}",
        home.port
    );
    assert!(first.stderr.contains(&again), "{first:?}");
    let up = home.gw(&["up", "--profile", &file, "--target", "embedded"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert!(up.stdout.contains("nothing to change"), "{up:?}");
    // Somebody's own file is not written over.
    home.write("gateway.yaml", "mine");
    let second = home.gw(&args);
    assert_eq!(second.code, 2, "{second:?}");
    assert_eq!(std::fs::read_to_string(&*file).unwrap(), "mine");
}
