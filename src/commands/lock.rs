//! `gw lock`: charts and images by digest, and `up --locked`, which refuses what is not in it.

use super::Outcome;
use super::session::Session;
use crate::cli::Lock;
use crate::error::{Error, Result};
use crate::plan::chart::{Chart, charts};
use crate::plan::{Action, Plan};
use crate::report::document::Document;
use crate::supply::bundle::registry::Registry;
use crate::supply::own;
use crate::text;
use crate::yaml;
use futures::future::try_join_all;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

pub const FILE: &str = "gw.lock";
const DEADLINE: Duration = Duration::from_secs(20);

pub async fn run(session: &Session, options: &Lock) -> Outcome {
    let record = session.record()?;
    if record.target == "embedded" {
        let what = "the embedded gateway has no charts and no images to be locked";
        return Err(Error::usage(what, "gw up --target kind"));
    }
    let release = session.release(&record).await?;
    let registry = Registry::open();
    let charts = digests_of(&registry, &charts(&release)).await?;
    let survey = session.target(&record).survey().await?;
    // An image of this very program is in no registry.
    let images = survey
        .parts
        .iter()
        .filter(|part| part.sort == "image" && !part.version.starts_with(own::REPOSITORY))
        .map(|part| image(&registry, &part.version));
    let images = try_join_all(images).await?;
    let lock = json!({
        "apiVersion": "gatewright.dev/v1alpha1",
        "kind": "Lock",
        "charts": charts,
        "images": images,
    });
    let file = options.file.as_deref().unwrap_or(Path::new(FILE));
    std::fs::write(file, yaml::write(&lock)).map_err(|e| {
        Error::new(format!("{} can't be written", file.display()), "ls -ld .").because(&e)
    })?;
    match session.is_json() {
        true => session.write(
            &Document::new("lock", &record.environment)
                .set("file", file.to_string_lossy().into_owned())
                .set("lock", lock)
                .text(),
        ),
        false => session.write(&format!(
            "{} pins {} and {}\n",
            file.display(),
            text::count(charts.len(), "chart"),
            text::count(images.len(), "image")
        )),
    }
    Ok(None)
}

async fn digests_of(registry: &Registry, charts: &[Chart]) -> Result<Vec<Value>> {
    try_join_all(charts.iter().map(|chart| async move {
        let Some(repository) = chart.source.strip_prefix("oci://") else {
            let what = format!("chart {} comes from {}, which has no digest", chart.name, chart.source);
            return Err(Error::new(what, "gw versions"));
        };
        let digest = registry.digest(&format!("{repository}:{}", chart.version), DEADLINE).await;
        let digest = digest.map_err(|error| Error {
            next: format!("helm show chart {} --version {}", chart.source, chart.version),
            ..error
        })?;
        Ok(json!({"name": chart.name, "source": chart.source, "version": chart.version, "digest": digest}))
    }))
    .await
}

/// An image as its registry has it now.
async fn image(registry: &Registry, name: &str) -> Result<Value> {
    let bare = name.split('@').next().unwrap_or(name);
    let digest = registry.digest(bare, DEADLINE).await?;
    Ok(json!({"image": bare, "digest": digest}))
}

/// Refuses a plan whose charts are not those of the lock, and a registry that has changed what a version is.
pub async fn check(plan: &Plan) -> Result<()> {
    let text = std::fs::read_to_string(FILE)
        .map_err(|e| Error::usage(format!("{FILE} can't be read"), "gw lock").because(&e))?;
    let lock = yaml::read_values(&text)?
        .into_iter()
        .next()
        .unwrap_or_default();
    let planned: Vec<Chart> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Chart(chart) => Some(chart.clone()),
            _ => None,
        })
        .collect();
    let registry = Registry::open();
    let now = digests_of(&registry, &planned).await?;
    let images = lock["images"].as_array().cloned().unwrap_or_default();
    let named = images.iter().filter_map(|locked| locked["image"].as_str());
    let images_now = try_join_all(named.map(|name| image(&registry, name))).await?;
    let faults = drift(&lock, &now, &images_now);
    match faults.is_empty() {
        true => Ok(()),
        false => {
            let error = Error::new(
                format!("what would be installed is not what {FILE} pins"),
                "gw lock",
            );
            Err(faults.into_iter().fold(error, Error::fact))
        }
    }
}

/// Every difference between a lock and what is there now.
fn drift(lock: &Value, charts: &[Value], images: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    let list = |name: &str| lock[name].as_array().cloned().unwrap_or_default();
    let (locked_charts, locked_images) = (list("charts"), list("images"));
    for (now, locked, key) in charts
        .iter()
        .map(|c| (c, &locked_charts, "name"))
        .chain(images.iter().map(|i| (i, &locked_images, "image")))
    {
        let name = now[key].as_str().unwrap_or("");
        let Some(known) = locked.iter().find(|known| known[key] == now[key]) else {
            faults.push(format!("{name} is not in the lock"));
            continue;
        };
        for part in ["version", "source", "digest"] {
            if known[part] != now[part] {
                let said = |value: &Value| value[part].as_str().unwrap_or("none").to_string();
                faults.push(format!(
                    "{name} has {part} {}, and the lock {}",
                    said(now),
                    said(known)
                ));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_digest_or_version_is_a_drift_and_the_same_is_none() {
        let chart = |digest: &str| json!({"name": "agentgateway", "version": "v2.2.0", "source": "oci://r/agentgateway", "digest": digest});
        let lock = json!({"charts": [chart("sha256:a")], "images": []});
        assert_eq!(
            drift(&lock, &[chart("sha256:a")], &[]),
            Vec::<String>::new()
        );
        assert_eq!(
            drift(&lock, &[chart("sha256:b")], &[]),
            ["agentgateway has digest sha256:b, and the lock sha256:a"]
        );
        let other = json!({"name": "kgateway"});
        assert_eq!(drift(&lock, &[other], &[]), ["kgateway is not in the lock"]);
    }
}
