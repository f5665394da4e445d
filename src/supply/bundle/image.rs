//! Container images: which are named by objects and charts, and the archive as which an engine takes
//! one.

use super::{Content, Image, blob};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

/// The proxy's image is a constant of the controller, in no chart and no object (facts 1.1, 3). These
/// are the tags that the 2.2 line has had (facts 0): whichever it asks for is there then.
const PROXY: &str = "cr.agentgateway.dev/agentgateway";
const PROXY_TAGS: [&str; 3] = ["0.11.1", "0.11.2", "0.12.0"];

/// Every image that containers of these objects run.
pub fn named(objects: &[Value]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    objects.iter().for_each(|object| walk(object, &mut found));
    found
}

fn walk(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let containers = ["containers", "initContainers"].contains(&name.as_str());
                if let (true, Some(list)) = (containers, value.as_array()) {
                    let images = list.iter().filter_map(|c| c["image"].as_str());
                    found.extend(images.map(str::to_string));
                }
                walk(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The images that the proxy may be, by the AgentgatewayParameters of a plan: its parts, with the
/// controller's own where one is not set. Several where only the controller knows the tag.
pub fn proxies(objects: &[Value]) -> Vec<String> {
    let parameters = objects
        .iter()
        .find(|object| object["kind"] == "AgentgatewayParameters");
    let part = |name: &str| {
        let image = &parameters?["spec"]["image"];
        Some(image[name].as_str()?.to_string())
    };
    let (registry, repository) = PROXY.split_once('/').unwrap_or((PROXY, ""));
    let registry = part("registry").unwrap_or_else(|| registry.to_string());
    let repository = part("repository").unwrap_or_else(|| repository.to_string());
    let tags = match part("tag") {
        Some(tag) => vec![tag],
        None => PROXY_TAGS.map(str::to_string).to_vec(),
    };
    tags.into_iter()
        .map(|tag| format!("{registry}/{repository}:{tag}"))
        .collect()
}

/// Writes an image whose blobs are in `folder` as an archive that `docker load` and containerd take:
/// an OCI image layout with Docker's own manifest beside it.
pub fn archive(image: &Image, folder: &Path, to: &Path) -> io::Result<()> {
    let Content::Blobs {
        manifest,
        config,
        layers,
    } = &image.content
    else {
        let why = format!("{} was saved as an archive already", image.name);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    };
    let text = std::fs::read(folder.join(blob(manifest)))?;
    let media = serde_json::from_slice::<Value>(&text)?["mediaType"]
        .as_str()
        .unwrap_or("application/vnd.oci.image.manifest.v1+json")
        .to_string();
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": media,
            "digest": manifest,
            "size": text.len(),
            // By which containerd names it, and by which the layout's own standard does.
            "annotations": {
                "io.containerd.image.name": image.name,
                "org.opencontainers.image.ref.name": image.name.rsplit(':').next().unwrap_or("latest"),
            },
        }],
    });
    let paths: Vec<String> = layers.iter().map(|digest| blob(digest)).collect();
    let docker = json!([{"Config": blob(config), "RepoTags": [image.name], "Layers": paths}]);
    let mut tar = tar::Builder::new(File::create(to)?);
    for (name, value) in [
        ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
        ("index.json", index),
        ("manifest.json", docker),
    ] {
        let bytes = value.to_string();
        tar.append_data(&mut header(bytes.len() as u64), name, bytes.as_bytes())?;
    }
    let mut written = BTreeSet::new();
    for path in image.content.paths() {
        if written.insert(path.clone()) {
            let mut file = File::open(folder.join(&path))?;
            let size = file.metadata()?.len();
            tar.append_data(&mut header(size), &path, &mut file)?;
        }
    }
    tar.into_inner()?.sync_all()
}

/// The same bytes for the same content: no times, no owners.
pub fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_wherever_containers_are() {
        let pod = json!({"containers": [{"image": "a:1"}], "initContainers": [{"image": "b:2"}]});
        let deployment = json!({"kind": "Deployment", "spec": {"template": {"spec": pod}}});
        let list = json!({"kind": "List", "items": [deployment, {"kind": "ConfigMap", "data": {"image": "no"}}]});
        let found: Vec<String> = named(&[list]).into_iter().collect();
        assert_eq!(found, ["a:1", "b:2"]);
    }

    #[test]
    fn the_proxy_is_every_one_that_the_controller_may_ask_for_unless_it_is_pinned() {
        let free = json!({"kind": "AgentgatewayParameters", "spec": {}});
        assert_eq!(
            proxies(&[free]),
            [
                "cr.agentgateway.dev/agentgateway:0.11.1",
                "cr.agentgateway.dev/agentgateway:0.11.2",
                "cr.agentgateway.dev/agentgateway:0.12.0"
            ]
        );
        let pinned = json!({"kind": "AgentgatewayParameters", "spec": {"image": {"registry": "r:5000", "tag": "x"}}});
        assert_eq!(proxies(&[pinned]), ["r:5000/agentgateway:x"]);
    }
}
