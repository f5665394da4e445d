//! The proof, as `up` ends with it and `test` repeats it: derived from what is installed, run with
//! real traffic, explained where it fails.

use super::asked::Asked;
use super::copies;
use super::credentials::credentials;
use super::look::{UNREADABLE, applied, look, unreadable};
use super::session::Session;
use crate::apply::ledger::Ledger;
use crate::apply::record::{Record, now, write};
use crate::error::Result;
use crate::host::process::Background;
use crate::plan::MOCK;
use crate::provider::Provider;
use crate::report::github;
use crate::report::status::Proof as Kept;
use crate::secret::vault::Vault;
use crate::target::Target;
use crate::text;
use crate::verify::budget::Budget;
use crate::verify::case::{Case, Shown, Sort};
use crate::verify::check::{Check, Finding, Verdict};
use crate::verify::choose::{Choice, choose};
use crate::verify::credential::Credential;
use crate::verify::derive::{Copy, Derived, Fault, Sources, absent, derive, with_gone};
use crate::verify::installed::{Installed, name, word};
use crate::verify::limit::Limit;
use crate::verify::probe::{Patience, Probe};
use crate::verify::sight::Upstream;
use crate::verify::{gateway, runner, tools};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// US dollars that a proof may cost where nobody says otherwise.
pub const MAX_COST: f64 = 0.01;
/// How often a person hears how far it is.
const TELL: Duration = Duration::from_secs(2);

/// What a proof came to.
pub struct Proof {
    pub findings: Vec<Finding>,
    /// What was asked for, with what of its cap was left.
    pub choice: Choice,
    /// US dollars that it cost at most.
    pub cost: f64,
    /// Routes of others that were not asked.
    pub others: Vec<String>,
    /// Whether objects were looked at; those that are well are not told.
    pub looked: bool,
}

/// What the cases of one proof are run with.
pub struct Run<'a> {
    pub session: &'a Session,
    pub record: &'a Record,
    pub target: &'a dyn Target,
    pub credentials: BTreeMap<String, Arc<Credential>>,
    pub upstream: Option<Upstream>,
    pub patience: Patience,
    /// Keys that a provider may repeat; without them they are read again.
    pub keys: Option<&'a Vault>,
    pub budget: Arc<Budget>,
}

impl Session {
    /// The whole proof. What keeps it from being made fails it.
    pub async fn prove(
        &self,
        record: &Record,
        settle: Duration,
        keys: Option<&Vault>,
    ) -> Vec<Finding> {
        let choice = Choice {
            max_cost: MAX_COST,
            ..Choice::default()
        };
        let asked = Asked {
            keys,
            ..Asked::changed(choice, settle)
        };
        match self.prove_as(record, &asked).await {
            Ok(proof) => proof.findings,
            Err(error) => vec![unreadable(&error).finding()],
        }
    }

    /// Sends real requests through every route, and says of each failure why.
    pub async fn prove_as(&self, record: &Record, asked: &Asked<'_>) -> Result<Proof> {
        // A command that proves again does not pay again.
        let choice = Choice {
            max_cost: asked.choice.max_cost - self.spent(),
            ..asked.choice.clone()
        };
        let target = self.target(record);
        let target = target.as_ref();
        let applied = applied(&self.environment(), record);
        let looked = look(target, record, &applied, asked.patience.settle).await;
        let (installed, mut wrong) = match looked {
            Ok(looked) => looked,
            Err(error) => (Installed::default(), vec![unreadable(&error)]),
        };
        let whole = with_gone(&installed, &applied);
        let planned = record.planned_routes();
        let nonce = format!("{:08x}", rand::random::<u32>());
        let sources = Sources {
            installed: &whole,
            planned: &planned,
            nonce: &nonce,
        };
        let Derived {
            cases,
            copies,
            others,
        } = derive(&sources, asked.all);
        wrong.extend(absent(&installed, &planned, &wrong));
        let known = cases.clone();
        let (cases, cost) = choose(cases, &choice);
        let run = Run {
            session: self,
            record,
            target,
            credentials: credentials(&self.environment(), &planned).await,
            upstream: self.mock(),
            patience: asked.patience,
            keys: asked.keys,
            budget: Arc::new(Budget::new(choice.max_cost - cost)),
        };
        let mut findings = run.straight(&cases, &known, &choice).await;
        let answers = findings.first().is_some_and(|f| f.verdict == Verdict::Pass);
        if answers {
            let through = run.through_copies(&cases, copies, asked.ledger, &findings);
            findings.extend(through.await?);
        }
        let chosen = |object: &Value| {
            let id = format!("object.{}.{}", word(object, "/kind"), name(object));
            choice.takes(Sort::Object, &id, None)
        };
        // What could not be read at all is a fault of each object that was asked for.
        let unread = applied.iter().any(chosen);
        wrong.retain(|fault| {
            let is_it = choice.takes(Sort::Object, &fault.id, None);
            is_it || (unread && fault.id == UNREADABLE)
        });
        findings.extend(wrong.iter().map(Fault::finding));
        run.explain(&mut findings, &cases, &installed).await;
        let cost = if answers { cost } else { 0.0 } + run.budget.spent();
        self.has_proved(cost, &mut findings);
        // Those that are gone are among the faults; of others nobody knows how they are.
        let looked = installed.objects.iter().any(chosen);
        let others = match asked.all {
            true => Vec::new(),
            false => others,
        };
        Ok(Proof {
            findings,
            choice,
            cost,
            others,
            looked,
        })
    }

    /// Where the mock of this environment tells what it was sent.
    fn mock(&self) -> Option<Upstream> {
        let mock = Background::new(&self.environment(), MOCK).alive()?;
        let port: u16 = mock
            .ready
            .rsplit(':')
            .next()?
            .trim_end_matches('/')
            .parse()
            .ok()?;
        Some(Upstream {
            base: format!("http://127.0.0.1:{port}"),
        })
    }

    /// On GitHub, what failed is shown where the job is.
    pub fn annotate(&self, findings: &[Finding]) {
        if self.on_github {
            self.talk(&github::findings(findings));
        }
    }

    /// Keeps a whole proof.
    pub fn keep_proof(&self, findings: &[Finding]) -> Result<()> {
        self.keep_at(now(), findings, true, "")
    }

    /// Keeps the proof of what was chosen.
    pub fn keep_chosen(&self, findings: &[Finding], choice: &Choice) -> Result<()> {
        let part = choice.part();
        let whole = part.is_empty() && choice.max_cost >= MAX_COST;
        self.keep_at(now(), findings, whole, &part)
    }

    fn keep_at(&self, at: u64, findings: &[Finding], whole: bool, part: &str) -> Result<()> {
        let kept = json!({"at": at, "whole": whole, "part": part, "findings": findings});
        write(&self.environment().proof(), &kept)
    }

    /// Whether the last proof was whole and good. It is not whole from here on: what comes now may
    /// change what it has proved, and be killed before it proves it anew.
    pub fn is_proved(&self) -> Result<bool> {
        let Some(last) = self.last_proof() else {
            return Ok(false);
        };
        self.keep_at(last.at, &last.findings, false, &last.part)?;
        Ok(last.whole && !has_failed(&last.findings))
    }

    pub fn last_proof(&self) -> Option<Kept> {
        let text = std::fs::read_to_string(self.environment().proof()).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        Some(Kept {
            at: value["at"].as_u64()?,
            whole: value["whole"].as_bool().unwrap_or(false),
            part: value["part"].as_str().unwrap_or_default().to_string(),
            findings: serde_json::from_value(value["findings"].clone()).ok()?,
        })
    }
}

impl Run<'_> {
    fn credential(&self, case: &Case) -> Arc<Credential> {
        let known = self
            .credentials
            .get(&case.route)
            .filter(|_| case.ours)
            .cloned();
        let lacking = || match case.ask.shown {
            Shown::Right => Credential::Lacking("only its owner has what it asks for".to_string()),
            Shown::Nothing | Shown::Wrong => Credential::None,
        };
        match known {
            Some(known) if matches!(*known, Credential::None) => Arc::new(lacking()),
            Some(known) => known,
            None => Arc::new(lacking()),
        }
    }

    fn probe(&self, case: &Case, settle: Duration) -> Probe {
        let mock = case.behind.provider == Provider::Mock;
        Probe {
            base: self.record.base_url.clone(),
            case: case.clone(),
            credential: self.credential(case),
            patience: Patience {
                settle,
                ..self.patience
            },
            upstream: self.upstream.clone().filter(|_| mock),
            budget: self.budget.clone(),
        }
    }

    pub fn check(&self, case: &Case, settle: Duration) -> Box<dyn Check> {
        match case.expect.tools {
            true => Box::new(tools::Tools {
                base: self.record.base_url.clone(),
                case: case.clone(),
                settle,
                credential: self.credential(case),
            }),
            false => Box::new(self.probe(case, settle)),
        }
    }

    pub fn limit(&self, case: &Case, copy: &Copy) -> Option<Box<dyn Check>> {
        let small = copy.small?;
        Some(Box::new(Limit {
            probe: self.probe(case, copies::SETTLE),
            small,
        }))
    }

    /// What is asked of the routes themselves.
    async fn straight(&self, cases: &[Case], known: &[Case], choice: &Choice) -> Vec<Finding> {
        let base = &self.record.base_url;
        let mut checks: Vec<Box<dyn Check>> =
            vec![Box::new(gateway::Answers { base: base.clone() })];
        if choice.is_whole() {
            checks.push(Box::new(gateway::Unknown { base: base.clone() }));
        }
        let settle = self.patience.settle;
        let straight = cases.iter().filter(|case| case.copy.is_none());
        checks.extend(straight.map(|case| self.check(case, settle)));
        checks.extend(self.own(choice, known));
        self.run(&checks).await
    }

    pub async fn run(&self, checks: &[Box<dyn Check>]) -> Vec<Finding> {
        let task = self.session.sink.begin("proof");
        let (done, last) = (AtomicUsize::new(0), Mutex::new(Instant::now()));
        let told = |_: &Finding| {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            // A line for each would be nothing that a reader could use.
            if last.elapsed() > TELL {
                *last = Instant::now();
                task.waiting(format!("{done} of {}", text::count(checks.len(), "case")));
            }
        };
        let findings = runner::run(checks, &[], &told).await;
        task.unchanged("");
        findings
    }

    /// Copies are made, asked and taken away: limits there have room for one, and nobody else's
    /// bucket is touched.
    async fn through_copies(
        &self,
        cases: &[Case],
        copies: Vec<Copy>,
        ledger: Option<&Ledger>,
        before: &[Finding],
    ) -> Result<Vec<Finding>> {
        let asked = |copy: &Copy| {
            let through = |case: &&Case| case.copy.as_ref() == Some(&copy.name);
            cases
                .iter()
                .filter(through)
                .any(|case| case.unasked.is_none())
        };
        let (needed, idle): (Vec<Copy>, Vec<Copy>) = copies.into_iter().partition(asked);
        let through = |copy: &Copy| {
            let name = copy.name.clone();
            cases
                .iter()
                .filter(move |case| case.copy.as_ref() == Some(&name))
        };
        let skipped: Vec<&Case> = idle.iter().flat_map(through).collect();
        let checks: Vec<Box<dyn Check>> = skipped
            .into_iter()
            .map(|case| self.check(case, Duration::ZERO))
            .collect();
        // None of them sends anything: each says why.
        let mut findings = join_all(checks.iter().map(|check| check.run())).await;
        if !needed.is_empty() {
            findings.extend(copies::prove(self, cases, &needed, ledger, before).await?);
        }
        Ok(findings)
    }
}

pub fn has_failed(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Fail)
}
