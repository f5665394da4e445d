//! What the screen is told: looks at the gateway, and what a test or a walk came to.

use crate::apply::record::Record;
use crate::commands::asked::Asked;
use crate::commands::prove::MAX_COST;
use crate::commands::reach;
use crate::commands::session::Session;
use crate::diagnose::counts::{Counts, parse};
use crate::diagnose::log::{Line, stamped};
use crate::error::{Error, Result};
use crate::report::human;
use crate::report::reach::path;
use crate::report::screen::state::{Event, Looked, Proved, Route, Told};
use crate::report::style::Look;
use crate::target::Target;
use crate::verify::check::{Check, Finding, Verdict};
use crate::verify::choose::Choice;
use crate::verify::gateway::{Answers, NOWHERE};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A person looks while something is wrong: a look must not hang with it.
const DEADLINE: Duration = Duration::from_secs(5);
/// Lines of the proxy's log that a look takes.
const LINES: usize = 1000;
/// Requests that are kept for rows and the log.
const KEPT: usize = 2000;
/// The screen paints by itself.
const BARE: Look = Look {
    terminal: true,
    colour: false,
};

pub struct Sight<'a> {
    session: &'a Session,
    start: Instant,
    /// The target of the record that it is of: a new one would shake hands anew with every look.
    target: RefCell<Option<(String, Rc<dyn Target>)>>,
    /// Lines of the last look as they were written, and the requests that were seen so far: our own
    /// asking whether the gateway answers would push them out of a log's end.
    seen: RefCell<HashSet<String>>,
    kept: RefCell<Vec<Line>>,
}

impl<'a> Sight<'a> {
    pub fn new(session: &'a Session) -> Sight<'a> {
        Sight {
            session,
            start: Instant::now(),
            target: RefCell::new(None),
            seen: RefCell::default(),
            kept: RefCell::default(),
        }
    }

    /// What moves: counts, the log, whether the address answers.
    pub async fn moving(&self, pause: Duration) -> Event {
        tokio::time::sleep(pause).await;
        let looked = match self.session.record() {
            Ok(record) => self.look(&record).await,
            Err(error) => self.nothing(&error),
        };
        Event::Looked(Box::new(looked))
    }

    async fn look(&self, record: &Record) -> Looked {
        let target = self.target(record);
        let (counts, log, answers) = tokio::join!(
            within(target.metrics()),
            within(target.access_log(LINES)),
            answers(&record.base_url)
        );
        if counts.is_err() {
            *self.target.borrow_mut() = None;
        }
        let source = match record.is_on_cluster() {
            true => "proxy",
            false => "gateway",
        };
        Looked {
            at: self.start.elapsed(),
            answers,
            counts: counts.map(|text| parse(&text)).map_err(|e| told(&e)),
            log: log.ok().map(|lines| self.read(source, lines)),
            routes: record.routes.iter().map(|r| shown(record, r)).collect(),
            base: record.base_url.clone(),
            proof: self.proof(),
        }
    }

    fn nothing(&self, error: &Error) -> Looked {
        Looked {
            at: self.start.elapsed(),
            answers: Err(told(error)),
            counts: Ok(BTreeMap::<String, Counts>::new()),
            log: None,
            routes: Vec::new(),
            base: "gone".to_string(),
            proof: self.proof(),
        }
    }

    fn target(&self, record: &Record) -> Rc<dyn Target> {
        let of = serde_json::to_string(record).unwrap_or_default();
        let mut kept = self.target.borrow_mut();
        match kept.as_ref().filter(|(known, _)| *known == of) {
            Some((_, target)) => target.clone(),
            None => {
                let target: Rc<dyn Target> = Rc::from(self.session.target(record));
                *kept = Some((of, target.clone()));
                target
            }
        }
    }

    /// Everything that was read so far and is still worth showing, in time order.
    fn read(&self, source: &str, lines: Vec<String>) -> Vec<Line> {
        let mut seen = self.seen.borrow_mut();
        let mut kept = self.kept.borrow_mut();
        let new = lines.iter().filter(|text| !seen.contains(*text));
        let new = new.map(|text| stamped(source, text));
        // Whether the gateway answers is asked with this path: nobody's request.
        kept.extend(new.filter(|line| line.field("http.path") != Some(NOWHERE)));
        kept.sort_by_key(|line| line.at);
        let old = kept.len().saturating_sub(KEPT);
        kept.drain(..old);
        *seen = lines.into_iter().collect();
        kept.clone()
    }

    fn proof(&self) -> Option<Proved> {
        let proof = self.session.last_proof()?;
        let count = |verdict: Verdict| {
            let findings = proof.findings.iter();
            findings.filter(|f| f.verdict == verdict).count()
        };
        let (passed, failed) = (count(Verdict::Pass), count(Verdict::Fail));
        let route = |f: Finding| f.route.map(|route| (route.path, f.verdict));
        Some(Proved {
            at: proof.at,
            passed,
            failed,
            routes: proof.findings.into_iter().filter_map(route).collect(),
        })
    }

    /// What the rules find; nothing is spent.
    pub async fn found(&self, pause: Duration) -> Event {
        tokio::time::sleep(pause).await;
        Event::Found(match self.session.record() {
            Ok(record) => self.session.see(&record).await.wrong(),
            Err(error) => vec![(Verdict::Fail, told(&error))],
        })
    }

    /// Real requests through one route or all, kept as `gw test` keeps them.
    pub async fn test(&self, title: String, route: Option<Route>) -> Event {
        let lines = match self.tested(route).await {
            Ok(text) => text,
            Err(error) => human::error(&error, BARE),
        };
        event(title, &lines)
    }

    async fn tested(&self, route: Option<Route>) -> Result<String> {
        let record = self.session.record()?;
        let asked = Asked::of(Choice {
            routes: route.into_iter().map(|route| route.name).collect(),
            max_cost: MAX_COST,
            ..Choice::default()
        });
        // Each press of a key is a wish of its own.
        self.session.begin_anew();
        let proof = self.session.prove_as(&record, &asked).await?;
        self.session.keep_chosen(&proof.findings, &proof.choice)?;
        Ok(human::proof(&proof.findings, BARE))
    }

    /// The way of a request, hop by hop.
    pub async fn reach(&self, title: String, route: Option<Route>) -> Event {
        let walked = async {
            let record = self.session.record()?;
            let name = route.as_ref().map(|route| route.path.as_str());
            reach::paths(self.session, &record, name).await
        };
        let text = match walked.await {
            // Its title says which.
            Ok(paths) if paths.len() == 1 => {
                let hops = paths.iter().map(|(_, hops)| hops.as_slice());
                let text: String = hops.map(|hops| path("", hops, BARE)).collect();
                text.trim_start().to_string()
            }
            Ok(paths) => {
                let paths = paths.iter().map(|(title, hops)| path(title, hops, BARE));
                paths.collect::<Vec<_>>().join("\n")
            }
            Err(error) => human::error(&error, BARE),
        };
        event(title, &text)
    }
}

fn event(title: String, text: &str) -> Event {
    Event::Told(Told {
        title,
        lines: text.lines().map(str::to_string).collect(),
    })
}

fn shown(record: &Record, route: &crate::apply::record::RecordedRoute) -> Route {
    let model = match route.model.as_str() {
        "" => &route.provider,
        model => model,
    };
    Route {
        name: route.name.clone(),
        key: format!("{}/{}", record.namespace, route.name),
        path: route.path.clone(),
        model: model.to_string(),
    }
}

/// What failed, with the last of its facts.
fn told(error: &Error) -> String {
    match error.facts.last() {
        Some(fact) => format!("{}: {fact}", error.what),
        None => error.what.clone(),
    }
}

async fn within<T>(look: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(DEADLINE, look).await {
        Ok(looked) => looked,
        Err(_) => Err(Error::new("no answer in 5 s", "gw status")),
    }
}

async fn answers(base: &str) -> std::result::Result<(), String> {
    if base.is_empty() {
        return Err("nothing was applied to the end yet".to_string());
    }
    let check = Answers {
        base: base.to_string(),
    };
    let finding = check.run().await;
    match finding.verdict {
        Verdict::Pass => Ok(()),
        Verdict::Warn | Verdict::Fail | Verdict::Skip => {
            // The address stands beside it.
            let said = finding.summary.trim_start_matches(base);
            Err(said.trim_start_matches([':', ' ']).to_string())
        }
    }
}
