//! `gw test`: real requests through every route, and reports of them.

use super::Outcome;
use super::asked::Asked;
use super::prove::{Proof, has_failed};
use super::reports::Reports;
use super::session::Session;
use crate::cli::{Output, Test};
use crate::error::{Error, Exit, Result};
use crate::report::proof::{Form, Report};
use crate::verify::choose::Choice;
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
    let reports = Reports::of(&options.report, "test")?;
    let mut round = 0;
    loop {
        let choice = Choice {
            only: options.only.clone(),
            skip: options.skip.clone(),
            routes: options.route.clone(),
            max_cost: options.max_cost,
            retries: options.retries,
        };
        let asked = Asked {
            all: options.all,
            ..Asked::of(choice)
        };
        let start = Instant::now();
        let proof = session.prove_as(&record, &asked).await?;
        named(options, &proof)?;
        session.keep_chosen(&proof.findings, &proof.choice)?;
        let report = Report {
            environment: &record.environment,
            base: &record.base_url,
            findings: &proof.findings,
            cost: proof.cost,
            cap: options.max_cost,
            others: &proof.others,
            took: start.elapsed(),
        };
        reports.save(&report, session.plain())?;
        let form = session.form();
        if round > 0 && matches!(form, Form::Table | Form::Markdown) {
            session.write("\n");
        }
        round += 1;
        session.write(&report.write(form, session.out));
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
