//! Everything that a gateway on a cluster needs, in one file: a zstd archive of tar whose first entry
//! is a manifest of all others with their digests.

mod chart;
pub mod create;
pub mod image;
pub mod open;
pub mod registry;

use super::tool::is_sum;
use serde::{Deserialize, Serialize};

pub const API_VERSION: &str = "gatewright.dev/v1alpha1";
pub const KIND: &str = "Bundle";
/// Name of the first entry.
pub const MANIFEST: &str = "manifest.json";
pub const PROFILE: &str = "profile.yaml";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub api_version: String,
    pub kind: String,
    /// Version of the `gw` that made it.
    pub made_by: String,
    /// The name of its profile.
    pub profile: String,
    /// System and processor that its programs are for, such as `linux/amd64`; its images are for Linux
    /// on that processor.
    pub platform: String,
    pub parts: Vec<Part>,
    pub images: Vec<Image>,
}

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub path: String,
    /// In bytes.
    pub size: u64,
    pub sha256: String,
}

/// One container image and the parts that it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// As pods name it: `cr.agentgateway.dev/controller:v2.2.0`.
    pub name: String,
    /// Whether it is what a kind node runs.
    #[serde(default)]
    pub node: bool,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// As its registry had it: digests of manifest, configuration and layers.
    Blobs {
        manifest: String,
        config: String,
        layers: Vec<String>,
    },
    /// An archive as `docker save` writes it: the path of its part.
    Saved(String),
}

impl Manifest {
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// The image of a kind node.
    pub fn node(&self) -> Option<&Image> {
        self.images.iter().find(|image| image.node)
    }

    /// What makes it no manifest of ours, in words.
    pub fn fault(&self) -> Option<String> {
        if (self.api_version.as_str(), self.kind.as_str()) != (API_VERSION, KIND) {
            return Some(format!("it is {} {}", self.api_version, self.kind));
        }
        let wrong = |part: &&Part| !is_inside(&part.path) || !is_sum(&part.sha256);
        if let Some(part) = self.parts.iter().find(wrong) {
            return Some(format!("its part `{}` has no place in a bundle", part.path));
        }
        let has = |path: &str| self.parts.iter().any(|part| part.path == path);
        self.images.iter().find_map(|image| {
            let paths = image.content.paths();
            let path = paths.into_iter().find(|path| !has(path))?;
            Some(format!("{} needs {path}, which is not in it", image.name))
        })
    }
}

impl Content {
    /// The parts that it needs.
    pub fn paths(&self) -> Vec<String> {
        match self {
            Content::Saved(path) => vec![path.clone()],
            Content::Blobs {
                manifest,
                config,
                layers,
            } => {
                let all = [manifest, config].into_iter().chain(layers);
                all.map(|digest| blob(digest)).collect()
            }
        }
    }
}

/// The path of a blob by its digest, as in an OCI image layout.
pub fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// Whether a path stays below the folder that it is put in.
pub fn is_inside(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let good = |word: &str| !word.is_empty() && !word.starts_with('.') && word.chars().all(plain);
    path.split('/').all(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    proptest! {
        #[test]
        fn no_path_that_is_taken_leads_out_of_its_folder(path in "[a./]{0,8}") {
            let out = path.starts_with('/') || path.split('/').any(|word| word == ".." || word == ".");
            prop_assert!(!(out && is_inside(&path)));
        }
    }

    #[test]
    fn paths_of_parts_are_plain() {
        for good in [
            "profile.yaml",
            "blobs/sha256/0a1b",
            "charts/kgateway-v2.2.0.tgz",
        ] {
            assert!(is_inside(good), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            ".hidden",
            "a b",
            "a\\b",
        ] {
            assert!(!is_inside(bad), "{bad}");
        }
    }

    #[test]
    fn an_image_without_its_layers_makes_a_bundle_faulty() {
        let sum = "0".repeat(64);
        let manifest = Manifest {
            api_version: API_VERSION.to_string(),
            kind: KIND.to_string(),
            made_by: "0.1.0".to_string(),
            profile: "ci".to_string(),
            platform: "linux/amd64".to_string(),
            parts: vec![Part {
                path: format!("blobs/sha256/{sum}"),
                size: 1,
                sha256: sum.clone(),
            }],
            images: vec![Image {
                name: "a:1".to_string(),
                node: false,
                content: Content::Blobs {
                    manifest: format!("sha256:{sum}"),
                    config: format!("sha256:{sum}"),
                    layers: vec![format!("sha256:{}", "1".repeat(64))],
                },
            }],
        };
        assert!(
            manifest
                .fault()
                .unwrap()
                .contains("a:1 needs blobs/sha256/1111")
        );
        let whole = Manifest {
            images: Vec::new(),
            ..manifest
        };
        assert_eq!(whole.fault(), None);
    }
}
