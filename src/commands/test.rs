//! `gw test`: real requests through every route, and reports of them.

use super::Outcome;
use super::prove::{Asked, Proof, has_failed};
use super::session::Session;
use crate::cli::{Output, Test};
use crate::error::{Error, Exit, Result};
use crate::report::proof::{Form, Report};
use crate::verify::choose::Choice;
use crate::verify::probe::Patience;
use std::path::Path;
use std::time::{Duration, Instant};

pub async fn run(session: &Session, options: &Test) -> Outcome {
    let record = session.record()?;
    if record.base_url.is_empty() {
        return Err(Error::new(
            format!(
                "environment `{}` was not applied to the end yet",
                record.environment
            ),
            "gw up",
        ));
    }
    let forms = options.report.iter().map(|file| form(file));
    let forms: Vec<Form> = forms.collect::<Result<_>>()?;
    let mut left = options.max_cost;
    loop {
        let asked = Asked {
            choice: Choice {
                only: options.only.clone(),
                skip: options.skip.clone(),
                routes: options.route.clone(),
                max_cost: left,
                retries: options.retries,
            },
            all: options.all,
            patience: Patience {
                settle: Duration::ZERO,
                retries: options.retries,
                fresh: false,
            },
            ledger: None,
            keys: None,
        };
        let start = Instant::now();
        let proof = session.prove_as(&record, &asked).await?;
        named(options, &proof)?;
        left -= proof.cost;
        session.keep_chosen(&proof.findings, &asked.choice)?;
        let report = Report {
            environment: &record.environment,
            base: &record.base_url,
            findings: &proof.findings,
            cost: proof.cost,
            cap: options.max_cost,
            others: &proof.others,
            took: start.elapsed(),
        };
        for (file, form) in options.report.iter().zip(&forms) {
            save(file, &report.write(*form, session.plain()))?;
        }
        session.write(&report.write(session.form(), session.out));
        let Some(seconds) = options.watch else {
            return Ok(has_failed(&proof.findings).then_some(Exit::NotProved));
        };
        session
            .sink
            .note(format!("again in {seconds} s; Ctrl-C ends it"));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// What was asked for by a name that nothing has is a mistake, and no proof of anything.
fn named(options: &Test, proof: &Proof) -> Result<()> {
    let proved = proof
        .findings
        .iter()
        .any(|f| f.id != crate::verify::gateway::ID);
    if proved || proof.looked || (options.only.is_empty() && options.route.is_empty()) {
        return Ok(());
    }
    let what = [options.route.as_slice(), options.only.as_slice()].concat();
    let what = format!("no case is of {}", what.join(" and "));
    Err(Error::usage(what, "gw test"))
}

/// The form of a file, by its ending.
fn form(file: &Path) -> Result<Form> {
    let ending = file
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("json") => Ok(Form::Json),
        Some("xml") => Ok(Form::Junit),
        Some("md" | "markdown") => Ok(Form::Markdown),
        Some("txt") => Ok(Form::Table),
        _ => {
            let what = format!("{} has no ending that names a form", file.display());
            let error = Error::usage(what, "gw test --report proof.xml");
            Err(error.fact("known: .json, .xml (JUnit), .md and .txt"))
        }
    }
}

fn save(file: &Path, text: &str) -> Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(file, text)).map_err(|e| {
        let what = format!("{} can't be written", file.display());
        Error::new(what, "gw test -o markdown").because(&e)
    })
}

impl Session {
    fn form(&self) -> Form {
        match self.global.output {
            Output::Text | Output::Wide => Form::Table,
            Output::Json | Output::Yaml => Form::Json,
            Output::Junit => Form::Junit,
            Output::Markdown => Form::Markdown,
        }
    }
}
