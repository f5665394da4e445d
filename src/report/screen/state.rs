//! What the screen knows, and what becomes of it with every event.

use crate::diagnose::counts::Counts;
use crate::diagnose::log::Line;
use crate::verify::check::Verdict;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Latencies are of the requests of this span.
pub const WINDOW: Duration = Duration::from_secs(60);

/// A route as a row shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Route {
    pub name: String,
    /// As the proxy names it in its counts: `NAMESPACE/NAME`.
    pub key: String,
    pub path: String,
    pub model: String,
}

/// The last proof, in short.
#[derive(Debug, Clone, PartialEq)]
pub struct Proved {
    /// Seconds since 1970.
    pub at: u64,
    pub passed: usize,
    pub failed: usize,
    /// What it says of each path.
    pub routes: Vec<(String, Verdict)>,
}

/// One look at what moves.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Since the screen was opened.
    pub at: Duration,
    /// What came instead of an answer at the address.
    pub answers: Result<(), String>,
    /// By the proxy's name of a route; or why there are none.
    pub counts: Result<BTreeMap<String, Counts>, String>,
    /// Requests in the proxy's log; nothing where it can't be read now.
    pub log: Option<Vec<Line>>,
    pub routes: Vec<Route>,
    pub base: String,
    pub proof: Option<Proved>,
}

/// What a test or a walk came to, as lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub title: String,
    pub lines: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Letter(char),
    Escape,
    Interrupt,
    /// The terminal has another size, or a key means nothing.
    Other,
}

pub enum Event {
    Key(Key),
    Looked(Box<Looked>),
    /// What the rules and the target's survey say.
    Found(Vec<(Verdict, String)>),
    Told(Told),
}

/// What is to be done, which a state can't do itself. No route means all of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    End,
    Interrupt,
    Test(Option<Route>),
    Reach(Option<Route>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// What is wrong now.
    Now,
    Log,
    /// What was tested or walked last.
    Told,
    Help,
}

pub struct State {
    pub environment: String,
    pub place: String,
    pub looked: Option<Looked>,
    /// Counts of the last looks, the oldest first.
    pub past: VecDeque<(Duration, BTreeMap<String, Counts>)>,
    pub found: Option<Vec<(Verdict, String)>>,
    /// Path of the chosen route; nothing is all of them.
    pub chosen: Option<String>,
    pub pane: Pane,
    pub told: Option<Told>,
    /// What is running, as its pane is called.
    pub running: Option<String>,
    /// Lines by which the pane is moved from where it rests.
    pub scroll: usize,
}

impl State {
    pub fn new(environment: &str, place: &str) -> State {
        State {
            environment: environment.to_string(),
            place: place.to_string(),
            looked: None,
            past: VecDeque::new(),
            found: None,
            chosen: None,
            pane: Pane::Now,
            told: None,
            running: None,
            scroll: 0,
        }
    }

    pub fn take(&mut self, event: Event) -> Option<Wish> {
        match event {
            Event::Key(key) => return self.key(key),
            Event::Looked(looked) => self.look(*looked),
            Event::Found(found) => self.found = Some(found),
            Event::Told(told) => {
                self.told = Some(told);
                self.running = None;
                self.scroll = 0;
            }
        }
        None
    }

    pub fn routes(&self) -> &[Route] {
        self.looked
            .as_ref()
            .map_or(&[], |looked| looked.routes.as_slice())
    }

    pub fn chosen(&self) -> Option<&Route> {
        let path = self.chosen.as_ref()?;
        self.routes().iter().find(|route| route.path == *path)
    }

    /// Row of the chosen one; the first row is all routes.
    pub fn row(&self) -> usize {
        let chosen = self.chosen.as_ref();
        let place = self.routes().iter().position(|r| Some(&r.path) == chosen);
        place.map_or(0, |place| place + 1)
    }

    /// Lines of the log that are of the chosen route, or of every one.
    pub fn log(&self) -> Vec<&Line> {
        let log = self.looked.iter().flat_map(|looked| &looked.log).flatten();
        let chosen = self.chosen();
        log.filter(|line| chosen.is_none_or(|route| line.is_of(&route.name, &route.path)))
            .collect()
    }

    /// How a test or a walk of the chosen route is called.
    pub fn titled(&self, what: &str) -> String {
        match &self.chosen {
            Some(path) => format!("{what} of {path}"),
            None => format!("{what} of every route"),
        }
    }

    fn look(&mut self, mut looked: Looked) {
        match &looked.counts {
            Ok(counts) => self.past.push_back((looked.at, counts.clone())),
            Err(_) => self.past.clear(),
        }
        while self
            .past
            .front()
            .is_some_and(|(at, _)| *at + WINDOW < looked.at)
        {
            self.past.pop_front();
        }
        // A log that can't be read for once is not forgotten, nor are routes.
        let before = self.looked.take();
        if let Some(before) = before {
            looked.log = looked.log.or(before.log);
            if looked.routes.is_empty() {
                looked.routes = before.routes;
            }
        }
        self.looked = Some(looked);
        if self.chosen.is_some() && self.chosen().is_none() {
            self.chosen = None;
        }
    }

    fn key(&mut self, key: Key) -> Option<Wish> {
        match key {
            Key::Interrupt => return Some(Wish::Interrupt),
            Key::Letter('q') => return Some(Wish::End),
            Key::Escape if self.pane == Pane::Now => return Some(Wish::End),
            Key::Escape => self.turn(Pane::Now),
            Key::Up | Key::Letter('k') => self.choose(self.row().saturating_sub(1)),
            Key::Down | Key::Letter('j') => {
                self.choose((self.row() + 1).min(self.routes().len()));
            }
            Key::PageUp => self.scroll_by(-5),
            Key::PageDown => self.scroll_by(5),
            Key::Letter('l') if self.pane == Pane::Log => self.turn(Pane::Now),
            Key::Letter('l') => self.turn(Pane::Log),
            Key::Letter('?' | 'h') if self.pane == Pane::Help => self.turn(Pane::Now),
            Key::Letter('?' | 'h') => self.turn(Pane::Help),
            Key::Letter('t') if self.begin("test") => {
                return Some(Wish::Test(self.chosen().cloned()));
            }
            Key::Letter('r') if self.begin("reach") => {
                return Some(Wish::Reach(self.chosen().cloned()));
            }
            Key::Letter(_) | Key::Other => {}
        }
        None
    }

    /// Two at once would hold each other up: both take the environment's lock.
    fn begin(&mut self, what: &str) -> bool {
        self.turn(Pane::Told);
        if self.running.is_some() {
            return false;
        }
        self.running = Some(self.titled(what));
        self.told = None;
        true
    }

    fn turn(&mut self, pane: Pane) {
        self.pane = pane;
        self.scroll = 0;
    }

    fn choose(&mut self, row: usize) {
        let place = row.checked_sub(1);
        let route = place.and_then(|place| self.routes().get(place));
        self.chosen = route.map(|route| route.path.clone());
        if self.pane == Pane::Log {
            self.scroll = 0;
        }
    }

    /// A log rests at its end, everything else at its beginning.
    fn scroll_by(&mut self, lines: isize) {
        let lines = if self.pane == Pane::Log {
            -lines
        } else {
            lines
        };
        self.scroll = self.scroll.saturating_add_signed(lines);
    }
}
