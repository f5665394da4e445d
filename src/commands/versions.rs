//! `gw versions`: what runs, what is supported, what is newer in the registry.

use super::Outcome;
use super::session::Session;
use crate::apply::record::Record;
use crate::diagnose::upgrade::releases;
use crate::error::{Error, Result};
use crate::plan::survey::{Part, Survey};
use crate::profile::load::find;
use crate::profile::{Profile, Release};
use crate::report::document::Document;
use crate::supply::bundle::registry::Registry;
use crate::text;
use serde_json::json;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(15);

pub async fn run(session: &Session) -> Outcome {
    let record = session.record()?;
    let target = session.target(&record);
    let survey = tokio::time::timeout(DEADLINE, target.survey()).await;
    let survey = survey.ok().and_then(Result::ok).unwrap_or_default();
    let release = session.release(&record).await?;
    let newer = match record.target.as_str() {
        "embedded" => Ok(Vec::new()),
        _ => offered(&release.charts).await,
    };
    if session.is_json() {
        let parts: Vec<serde_json::Value> = survey
            .parts
            .iter()
            .map(|part| json!({"sort": part.sort, "name": part.name, "runs": part.version, "supported": supported(part)}))
            .collect();
        let document = Document::new("versions", &record.environment)
            .set("gw", env!("CARGO_PKG_VERSION"))
            .set("place", survey.detail.clone())
            .set("parts", parts)
            .set("planned", release.version.clone())
            .set("offered", newer.clone().unwrap_or_default());
        session.write(&document.text());
        return Ok(None);
    }
    session.write(&screen(&record, &survey, &release, &newer, session));
    Ok(None)
}

fn screen(
    record: &Record,
    survey: &Survey,
    release: &Release,
    newer: &Result<Vec<String>>,
    session: &Session,
) -> String {
    let head = ["", "runs", "supported"].map(|title| session.out.dim(title));
    let mut rows = vec![head.to_vec()];
    rows.push(vec![
        "gw".into(),
        env!("CARGO_PKG_VERSION").into(),
        String::new(),
    ]);
    if record.target != "embedded" {
        let version = survey.detail.trim_start_matches("Kubernetes ").to_string();
        rows.push(vec!["Kubernetes".into(), version, "1.31 to 1.35".into()]);
        let parts = survey
            .parts
            .iter()
            .filter(|part| ["crds", "chart", "image"].contains(&part.sort));
        rows.extend(parts.map(|part| {
            let name = match part.sort {
                "crds" => part.name.clone(),
                sort => format!("{sort} {}", part.name),
            };
            vec![
                name,
                part.version.clone(),
                supported(part).unwrap_or("").to_string(),
            ]
        }));
    }
    let mut lines = text::table(&rows);
    if record.target == "embedded" {
        return lines.join("\n") + "\n";
    }
    lines.push(String::new());
    match newer {
        Ok(offered) => match offered.first().filter(|newest| **newest != release.version) {
            Some(newest) => {
                lines.push(format!(
                    "{newest} is the newest of 2.2 with charts of agentgateway"
                ));
                lines.push(format!(
                    "  {} {}",
                    session.out.arrow(),
                    session.complete(&format!("gw upgrade {newest}"))
                ));
            }
            None => lines.push(format!(
                "{} is the newest of 2.2 with charts of agentgateway",
                release.version
            )),
        },
        Err(error) => lines.push(format!("what is newer is not known: {error}")),
    }
    lines.join("\n") + "\n"
}

fn supported(part: &Part) -> Option<&'static str> {
    match part.sort {
        "crds" => Some("1.2 to 1.4"),
        "chart" => Some("2.2"),
        _ => None,
    }
}

/// Versions of which both charts are in the registry, newest first.
pub async fn offered(charts: &str) -> Result<Vec<String>> {
    let Some(repository) = charts.trim_end_matches('/').strip_prefix("oci://") else {
        return Err(Error::new(
            format!("charts come from {charts}, which has no list of versions"),
            "gw versions",
        ));
    };
    let (controller, crds) = (
        format!("{repository}/agentgateway"),
        format!("{repository}/agentgateway-crds"),
    );
    let registry = Registry::open();
    let (controller, crds) = tokio::join!(
        registry.tags(&controller, DEADLINE),
        registry.tags(&crds, DEADLINE)
    );
    let crds = crds?;
    Ok(releases(&controller?)
        .into_iter()
        .filter(|version| crds.contains(version))
        .collect())
}

impl Session {
    /// The profile that an environment was made from, as `up` would read it now.
    pub async fn profile(&self, record: &Record) -> Result<Profile> {
        let source = record.source.clone();
        let reading = tokio::task::spawn_blocking(move || find(&source, std::io::empty()));
        let source = reading.await.map_err(|e| {
            Error::new("the profile can't be read", "gw profile list").because(&e)
        })??;
        let mut profile = source.profile()?;
        record.keep_upgrade(&mut profile.release.version);
        Ok(profile)
    }

    pub async fn release(&self, record: &Record) -> Result<Release> {
        self.profile(record).await.map(|profile| profile.release)
    }
}
