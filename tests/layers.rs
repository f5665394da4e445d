//! The house rules of the source: who may import whom, how long a file may be, what may print.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers, lowest first. Rooms of one layer may not import each other, but for the leaves.
const LAYERS: [&[&str]; 14] = [
    &["text", "error", "event", "exec", "secret", "yaml"],
    &["provider"],
    &["profile"],
    &["plan"],
    &["host", "gateway"],
    &["supply"],
    &["cluster"],
    &["target"],
    &["apply"],
    &["verify"],
    &["diagnose"],
    &["report"],
    &["cli", "commands"],
    &["lib", "main"],
];

const LONGEST_FILE: usize = 400;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false => found.push(path),
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    found.sort();
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The room of a file: `src/plan/build.rs` and `src/plan.rs` are in `plan`.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(src()).unwrap();
    let first = inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_string()
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// The lines of a file that are part of the program, without its tests.
fn program(path: &Path) -> Vec<(usize, String)> {
    let inside = path.strip_prefix(src()).unwrap();
    if inside.components().any(|part| part.as_os_str() == "tests") {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.to_string()));
    lines
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .collect()
}

fn imported_rooms(line: &str) -> Vec<String> {
    let starts = line
        .match_indices("crate::")
        .map(|(at, found)| at + found.len());
    starts
        .map(|at| {
            line[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| name.chars().next().is_some_and(char::is_lowercase))
        .collect()
}

#[test]
fn every_room_imports_only_rooms_below_it() {
    let mut faults = Vec::new();
    for path in sources(&src()) {
        let own = room(&path);
        let Some(height) = layer(&own) else {
            faults.push(format!(
                "{}: room `{own}` has no place in the layers",
                path.display()
            ));
            continue;
        };
        for (number, line) in program(&path) {
            for other in imported_rooms(&line) {
                let leaf = height == 0 && layer(&other) == Some(0);
                let top = own == "lib" || own == "main" || height == layer("commands").unwrap();
                let below = layer(&other).is_some_and(|other| other < height);
                if other != own && !below && !leaf && !top {
                    faults.push(format!(
                        "{}:{number}: `{own}` imports `{other}`",
                        path.display()
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_a_person_reads() {
    let long: Vec<String> = sources(&src())
        .into_iter()
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn nothing_prints_or_exits_behind_the_reports_back() {
    let forbidden = [
        "println!",
        "print!(",
        "dbg!",
        "process::exit",
        "todo!",
        "unimplemented!",
    ];
    let mut faults = Vec::new();
    for path in sources(&src()) {
        for (number, line) in program(&path) {
            if let Some(word) = forbidden.iter().find(|word| line.contains(**word)) {
                faults.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn imports_are_named_one_by_one() {
    let mut faults = Vec::new();
    for path in sources(&src()) {
        for (number, line) in program(&path) {
            if line.trim_start().starts_with("use ") && line.contains('*') {
                faults.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
