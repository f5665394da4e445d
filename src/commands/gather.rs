//! `gw bundle`: everything for a machine without a network, in one file.

use super::Outcome;
use super::session::Session;
use crate::cli::{Bundle, BundleCreate, BundleVerb, TargetName, Wish};
use crate::error::{Error, Result};
use crate::plan::Action;
use crate::plan::chart::Chart;
use crate::report::bundle as report;
use crate::report::document::Document;
use crate::supply::bundle::create::{self, Wanted};
use crate::supply::bundle::{Manifest, open};
use crate::supply::tool::{PLATFORMS, Platform};
use serde_json::{Value, json};
use std::path::Path;

pub async fn run(session: &Session, options: &Bundle) -> Outcome {
    let (file, manifest) = match &options.verb {
        BundleVerb::Create(options) => (&options.file, create(session, options).await?),
        BundleVerb::Show { file } => (file, open::manifest(file)?),
        BundleVerb::Verify { file } => {
            let task = session.sink.begin(open::PHASE);
            let (path, sink) = (file.clone(), session.sink.clone());
            let checking = tokio::task::spawn_blocking(move || open::verify(&path, &sink));
            let manifest = checking.await.unwrap_or_else(|e| {
                let what = format!("{} can't be checked", file.display());
                Err(Error::new(what, "gw bundle show FILE").because(&e))
            })?;
            task.done("every part is as its digest says");
            (file, manifest)
        }
    };
    answer(session, file, &manifest);
    Ok(None)
}

async fn create(session: &Session, options: &BundleCreate) -> Result<Manifest> {
    let platform = match &options.platform {
        None => Platform::here(),
        Some(name) => name
            .split_once('/')
            .and_then(|(system, processor)| Platform::named(system, processor)),
    };
    let platform = platform.ok_or_else(|| {
        let names = PLATFORMS.map(|platform| platform.to_string());
        let what = "there is no bundle for this platform";
        let next = format!(
            "gw bundle create {} --platform linux/amd64",
            options.file.display()
        );
        Error::usage(what, next).fact(format!("there are {}", crate::text::list(&names)))
    })?;
    let wish = Wish {
        context: None,
        profile: options.profile.clone(),
        target: Some(TargetName::Kind),
        port: None,
        cluster: None,
        node_image: options.node_image.clone(),
    };
    let wanted = session.plan(&wish).await?;
    let steps = wanted.plan.steps.iter();
    let charts: Vec<Chart> = steps
        .clone()
        .filter_map(|step| match &step.action {
            Action::Chart(chart) => Some(chart.clone()),
            _ => None,
        })
        .collect();
    let objects: Vec<Value> = steps
        .filter_map(|step| match &step.action {
            Action::Object(object) => Some(object.clone()),
            _ => None,
        })
        .collect();
    let node = wanted
        .plan
        .cluster()
        .and_then(|cluster| cluster.node_image.clone());
    let wanted = Wanted {
        profile_name: &wanted.plan.profile,
        profile_text: &wanted.source.text,
        platform,
        charts: &charts,
        objects: &objects,
        node_image: node.as_deref(),
    };
    create::create(&options.file, &wanted, &session.supply, &session.sink).await
}

fn answer(session: &Session, file: &Path, manifest: &Manifest) {
    if session.is_json() {
        let document = Document::new("bundle", &session.global.env)
            .set("file", file.to_string_lossy().into_owned())
            .set("bundle", json!(manifest));
        return session.write(&document.text());
    }
    session.write(&report::bundle(manifest));
}
