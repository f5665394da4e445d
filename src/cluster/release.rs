//! What Helm keeps of its releases, read from the cluster itself: no program needed, a few
//! milliseconds instead of a second. Format: Secret `sh.helm.release.v1.NAME.vN` whose `release` is
//! base64 of gzip of JSON (helm.sh/helm/v3/pkg/storage/driver/util.go; the same in Helm 4).

use super::client::refused;
use crate::error::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;

/// The newest revision of a release.
#[derive(Debug, Clone, PartialEq)]
pub struct Installed {
    pub name: String,
    /// `deployed`, `failed`, `pending-install`, …
    pub status: String,
    /// Chart version, with its leading `v`.
    pub version: String,
    /// Values given by whoever installed it.
    pub values: Value,
    pub description: String,
    /// The Secret that keeps this revision.
    pub secret: String,
}

#[derive(Deserialize)]
struct Record {
    name: String,
    info: Info,
    chart: Chart,
    #[serde(default)]
    config: Option<Value>,
}

#[derive(Deserialize)]
struct Info {
    status: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Chart {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: String,
}

/// The newest revision of `name` in `namespace`, if Helm knows it.
pub async fn installed(client: &Client, namespace: &str, name: &str) -> Result<Option<Installed>> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    // Only the newest revision is read whole: an old release has up to ten, a megabyte each.
    let ours = ListParams::default().labels(&format!("owner=helm,name={name}"));
    let fault = |e: kube::Error| {
        refused(
            format!("Helm's record of {name} can't be read"),
            &e,
            format!("helm -n {namespace} list -a"),
        )
    };
    let list = secrets.list_metadata(&ours).await.map_err(fault)?;
    let revision = |labels: Option<&String>| {
        labels
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let newest = list
        .items
        .iter()
        .max_by_key(|s| revision(s.metadata.labels.as_ref().and_then(|l| l.get("version"))));
    let Some(secret) = newest.and_then(|s| s.metadata.name.clone()) else {
        return Ok(None);
    };
    let Some(found) = secrets.get_opt(&secret).await.map_err(fault)? else {
        return Ok(None);
    };
    let blob = found
        .data
        .unwrap_or_default()
        .remove("release")
        .unwrap_or_default();
    Ok(decode(&blob.0, &secret))
}

fn decode(blob: &[u8], secret: &str) -> Option<Installed> {
    let packed = STANDARD.decode(blob).ok()?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .ok()?;
    let record: Record = serde_json::from_str(&text).ok()?;
    Some(Installed {
        name: record.name,
        status: record.info.status,
        version: record.chart.metadata.version,
        values: record
            .config
            .filter(|v| !v.is_null())
            .unwrap_or_else(|| json!({})),
        description: record.info.description,
        secret: secret.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    #[test]
    fn a_record_is_base64_of_gzip_of_json() {
        let record = json!({
            "name": "agentgateway", "version": 3, "config": null,
            "info": {"status": "deployed", "description": "Install complete"},
            "chart": {"metadata": {"version": "v2.2.0"}, "templates": []}
        });
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(record.to_string().as_bytes()).unwrap();
        let blob = STANDARD.encode(gzip.finish().unwrap());
        let found = decode(blob.as_bytes(), "s").unwrap();
        assert_eq!(
            (found.version.as_str(), found.values),
            ("v2.2.0", json!({}))
        );
        assert_eq!(decode(b"nonsense", "s"), None);
    }
}
