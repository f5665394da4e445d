//! The four charts of a v2.2 release, in the order in which they must be installed.

use crate::profile::{Image, Release};
use serde_json::{Map, Value, json};

/// One Helm release. Release names are the charts' own (facts 1.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub name: &'static str,
    /// With its leading `v` (facts 1.1).
    pub version: String,
    pub namespace: String,
    /// What `helm` is given: an `oci://` address, or a folder or archive.
    pub source: String,
    pub values: Value,
}

impl Chart {
    pub fn is_crds(&self) -> bool {
        is_crds(self.name)
    }
}

pub fn is_crds(chart: &str) -> bool {
    chart.ends_with("-crds")
}

/// The `agentgateway` charts make agentgateway run; kgateway's own controller is optional (facts 1.2).
pub fn charts(release: &Release) -> Vec<Chart> {
    let mut names = vec!["agentgateway-crds", "agentgateway"];
    if release.kgateway {
        names.extend(["kgateway-crds", "kgateway"]);
    }
    names.into_iter().map(|name| chart(name, release)).collect()
}

fn chart(name: &'static str, release: &Release) -> Chart {
    let values = match (name, &release.controller_image) {
        ("agentgateway", Some(image)) => json!({"controller": {"image": image_values(image)}}),
        _ => json!({}),
    };
    Chart {
        name,
        version: release.version.clone(),
        namespace: release.namespace.clone(),
        source: format!("{}/{name}", release.charts.trim_end_matches('/')),
        values,
    }
}

/// Only the parts that are set: the rest stays the chart's own.
pub fn image_values(image: &Image) -> Value {
    let parts = [
        ("registry", &image.registry),
        ("repository", &image.repository),
        ("tag", &image.tag),
    ];
    let set: Map<String, Value> = parts
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_string(), json!(value.as_ref()?))))
        .collect();
    Value::Object(set)
}
