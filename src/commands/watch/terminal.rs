//! The terminal while it is one screen: taken whole, and given back in every case.

use crate::error::{Error, Result};
use crate::report::screen::state::Key;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How soon the reader of keys sees that nobody wants them any more.
const MOMENT: Duration = Duration::from_millis(100);

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The whole terminal; given back when this is dropped.
pub struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    pub fn open() -> Result<Screen> {
        // A panic's words would be lost with the screen on which they are.
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                before(info);
            }));
        });
        TAKEN.store(true, Ordering::SeqCst);
        let taken = enable_raw_mode()
            .and_then(|()| execute!(stdout(), EnterAlternateScreen, Hide))
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        taken.map(Screen).map_err(|e| {
            restore();
            fault().because(&e)
        })
    }

    /// Shows what is drawn; what stands there already is not written again.
    pub fn show(&mut self, draw: impl FnOnce(&mut Buffer)) -> Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            return Err(fault().fact("a part of gw has failed"));
        }
        let shown = self.0.draw(|frame| draw(frame.buffer_mut()));
        shown.map(|_| ()).map_err(|e| fault().because(&e))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn fault() -> Error {
    Error::new("the terminal can't be drawn on", "gw status")
}

/// Gives the terminal back, once. One that is gone needs nothing.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Keys as they are pressed; read aside, because reading waits.
pub fn keys() -> mpsc::UnboundedReceiver<Key> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let read = match event::poll(MOMENT) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            let Ok(event) = read else {
                return;
            };
            if sender.send(key(&event)).is_err() {
                return;
            }
        }
    });
    receiver
}

fn key(event: &Event) -> Key {
    let Event::Key(key) = event else {
        return Key::Other;
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        _ if key.kind == KeyEventKind::Release => Key::Other,
        KeyCode::Char('c') if control => Key::Interrupt,
        KeyCode::Char(letter) if !control => Key::Letter(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Esc => Key::Escape,
        _ => Key::Other,
    }
}
