//! The picture of a run in the README is what a terminal shows: a real run on a real pseudo-terminal,
//! drawn from the cells of its screen. `GW_UPDATE=1 cargo test --test picture` draws it anew.

#[path = "support/home.rs"]
mod home;
#[path = "support/terminal.rs"]
mod terminal;

use home::Home;
use regex::Regex;
use std::fs;
use std::path::Path;
use terminal::Terminal;
use vt100::{Cell, Color, Screen};

const COMMAND: [&str; 5] = ["up", "--profile", "mock", "--target", "embedded"];
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;
/// Of a cell, in the units of the picture.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 19.0;
const MARGIN: f32 = 16.0;

#[test]
fn the_picture_in_the_readme_is_what_a_terminal_shows() {
    let home = Home::new();
    let mut command = home.command(&COMMAND);
    command.env_remove("GW_PROGRESS");
    let mut terminal = Terminal::start(command, ROWS, COLUMNS);
    assert_eq!(terminal.end(), 0, "{}", terminal.written);
    // Tests take a free port; a reader's gateway has the usual one.
    let drawn = drawing(terminal.cells()).replace(&home.port.to_string(), "8080");
    assert_eq!(home.gw(&["down", "--yes"]).code, 0);

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("GW_UPDATE").is_some() {
        fs::write(root.join("docs/up.svg"), &drawn).unwrap();
    }
    let kept = fs::read_to_string(root.join("docs/up.svg")).unwrap_or_default();
    assert_eq!(
        steady(&kept),
        steady(&drawn),
        "GW_UPDATE=1 cargo test --test picture"
    );
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("](docs/up.svg)"));
}

/// A picture without what is another in each run: times, the process, a port that was free.
fn steady(picture: &str) -> String {
    let own = Regex::new(r" *\d+\.\d\d s|pid \d+|127\.0\.0\.1:\d+").unwrap();
    own.replace_all(picture, "·").into_owned()
}

/// A screen as a picture, beneath the command that made it.
fn drawing(screen: &Screen) -> String {
    let last = screen.cursor_position().0;
    let last = (0..last).rev().find(|row| !runs(screen, *row).is_empty());
    let rows = last.map_or(0, |row| row + 1);
    let mut lines = vec![format!(
        "<tspan class=\"dim\">$</tspan> gw {}",
        COMMAND.join(" ")
    )];
    lines.extend((0..rows).map(|row| runs(screen, row)));
    let (width, height) = (
        f32::from(COLUMNS) * WIDTH + 2.0 * MARGIN,
        f32::from(rows + 1) * HEIGHT + 2.0 * MARGIN,
    );
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"gw up in a terminal\">\n<style>text {{ font: 14px ui-monospace, Menlo, Consolas, \
         monospace; fill: #d4d4d4; white-space: pre }} .dim {{ opacity: .6 }} .bold {{ font-weight: bold }} \
         {}</style>\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1b1d23\"/>\n",
        (PALETTE.iter().enumerate())
            .map(|(at, colour)| format!(".c{at} {{ fill: {colour} }}"))
            .collect::<Vec<_>>()
            .join(" ")
    );
    for (line, y) in lines.iter().zip(1u8..) {
        let y = MARGIN + f32::from(y) * HEIGHT - 5.0;
        if !line.is_empty() {
            picture.push_str(&format!("<text x=\"{MARGIN}\" y=\"{y}\">{line}</text>\n"));
        }
    }
    picture + "</svg>\n"
}

/// The eight colours that terminals give names to.
const PALETTE: [&str; 8] = [
    "#5c6370", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d4d4d4",
];

/// A row of cells, those that look alike together; nothing for an empty row.
fn runs(screen: &Screen, row: u16) -> String {
    let mut runs: Vec<(String, String)> = Vec::new();
    for cell in (0..COLUMNS).filter_map(|column| screen.cell(row, column)) {
        if cell.is_wide_continuation() {
            continue;
        }
        let text = match cell.contents() {
            "" => " ",
            text => text,
        };
        match runs.last_mut() {
            Some((style, run)) if *style == class(cell) => run.push_str(text),
            _ => runs.push((class(cell), text.to_string())),
        }
    }
    let last = runs.iter().rposition(|(_, text)| !text.trim().is_empty());
    runs.truncate(last.map_or(0, |last| last + 1));
    if let Some((_, text)) = runs.last_mut() {
        *text = text.trim_end().to_string();
    }
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let run = |(style, text): &(String, String)| match style.as_str() {
        "" => escaped(text),
        style => format!("<tspan class=\"{style}\">{}</tspan>", escaped(text)),
    };
    runs.iter().map(run).collect()
}

/// How a cell looks; nothing where it is as most are.
fn class(cell: &Cell) -> String {
    let colour = match cell.fgcolor() {
        Color::Idx(at) => format!("c{}", at % 8),
        Color::Default | Color::Rgb(..) => String::new(),
    };
    let bold = if cell.bold() { "bold" } else { "" };
    let dim = if cell.dim() { "dim" } else { "" };
    let words = [colour.as_str(), bold, dim];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}
