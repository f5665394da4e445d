//! Charts and container images in their registries: tags, digests, and images blob by blob, where what
//! is there already is not fetched again. Anonymous, as what is public is read.

use super::{Content, Image, Part, blob};
use crate::error::{Error, Result};
use crate::supply::download::{Waiting, hex, progress, sum_of_file};
use crate::text;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Manifests of one image, and lists of them by platform.
const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(60);
/// Tags that are asked for at once: registries give no more.
const TAGS: usize = 1000;
/// A registry that cuts a connection goes on where it ended only with the next blob.
const ATTEMPTS: usize = 3;

/// An image whose manifest was read, and what is to be fetched for it.
pub struct Resolved {
    pub image: Image,
    reference: Reference,
    manifest: Vec<u8>,
    blobs: Vec<OciDescriptor>,
}

pub struct Registry(Client);

impl Registry {
    pub fn open() -> Self {
        Registry(Client::new(ClientConfig {
            protocol: ClientProtocol::Https,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENCE),
            ..ClientConfig::default()
        }))
    }

    /// Tags of a repository, such as `ghcr.io/kgateway-dev/charts/agentgateway`.
    pub async fn tags(&self, repository: &str, deadline: Duration) -> Result<Vec<String>> {
        let reference = reference(repository)?;
        let fault = || {
            let next = format!("curl -fsS https://{}/v2/", reference.resolve_registry());
            Error::new(format!("the tags of {repository} can't be read"), next)
        };
        let asked = self
            .0
            .list_tags(&reference, &RegistryAuth::Anonymous, Some(TAGS), None);
        match tokio::time::timeout(deadline, asked).await {
            Ok(Ok(answer)) => Ok(answer.tags),
            Ok(Err(e)) => Err(fault().because(&e)),
            Err(_) => Err(fault().fact(late(deadline))),
        }
    }

    /// Digest of an image or a chart of a tag: what it means today, and for ever. That of the bytes
    /// themselves: a header may say anything.
    pub async fn digest(&self, name: &str, deadline: Duration) -> Result<String> {
        let reference = reference(name)?;
        let fault = |why: String| {
            let what = format!("{name} can't be read from its registry");
            Error::new(what, format!("docker manifest inspect {name}")).fact(why)
        };
        match tokio::time::timeout(deadline, self.raw(&reference)).await {
            Ok(Ok(Some((_, digest)))) => Ok(digest),
            Ok(Ok(None)) => Err(fault(format!("{} has none", reference.registry()))),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(fault(late(deadline))),
        }
    }

    /// Reads an image's manifest for Linux on `processor`; `None` where the registry has no such image.
    pub async fn resolve(&self, name: &str, processor: &str) -> Result<Option<Resolved>> {
        let reference = reference(name)?;
        let Some((bytes, digest)) = self.raw(&reference).await? else {
            return Ok(None);
        };
        let value = json(name, &bytes)?;
        let (bytes, digest, value) = match value["manifests"].as_array() {
            None => (bytes, digest, value),
            Some(list) => {
                let Some(digest) = of_platform(list, processor) else {
                    let what = format!("{name} is not made for linux/{processor}");
                    return Err(Error::new(what, format!("docker manifest inspect {name}")));
                };
                let one = reference.clone_with_digest(digest);
                let Some((bytes, digest)) = self.raw(&one).await? else {
                    return Ok(None);
                };
                let value = json(name, &bytes)?;
                (bytes, digest, value)
            }
        };
        let (config, layers) = descriptors(&value).ok_or_else(|| unreadable(name))?;
        let digests = |all: &[OciDescriptor]| all.iter().map(|d| d.digest.clone()).collect();
        Ok(Some(Resolved {
            image: Image {
                name: name.to_string(),
                node: false,
                content: Content::Blobs {
                    manifest: digest,
                    config: config.digest.clone(),
                    layers: digests(&layers),
                },
            },
            reference,
            manifest: bytes,
            blobs: std::iter::once(config).chain(layers).collect(),
        }))
    }

    /// A manifest as it stands, with its digest; `None` where the registry has none.
    async fn raw(&self, reference: &Reference) -> Result<Option<(Vec<u8>, String)>> {
        let asked = self
            .0
            .pull_manifest_raw(reference, &RegistryAuth::Anonymous, &ACCEPTED);
        match asked.await {
            Ok((bytes, _)) => {
                let digest = format!("sha256:{}", hex(&Sha256::digest(&bytes)));
                Ok(Some((bytes.to_vec(), digest)))
            }
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => {
                let what = format!("{reference} can't be read from its registry");
                Err(Error::new(what, format!("docker pull {reference}")).because(&e))
            }
        }
    }

    /// Fetches what is missing of an image into `folder` and returns all its parts.
    pub async fn pull(
        &self,
        resolved: &Resolved,
        folder: &Path,
        waiting: Waiting<'_>,
    ) -> Result<Vec<Part>> {
        let name = &resolved.image.name;
        let Content::Blobs { manifest, .. } = &resolved.image.content else {
            return Err(unreadable(name));
        };
        let path = folder.join(blob(manifest));
        let parent = path.parent().unwrap_or(folder);
        let written =
            fs::create_dir_all(parent).and_then(|()| fs::write(&path, &resolved.manifest));
        written.map_err(|e| unwritten(folder, &e))?;
        let mut parts = vec![part(manifest, resolved.manifest.len() as u64)];
        let (whole, mut got) = (resolved.size(), 0);
        for descriptor in &resolved.blobs {
            waiting(progress(name, got, Some(whole)));
            let size = u64::try_from(descriptor.size).unwrap_or(0);
            self.blob(resolved, descriptor, folder).await?;
            parts.push(part(&descriptor.digest, size));
            got += size;
        }
        Ok(parts)
    }

    async fn blob(&self, of: &Resolved, wanted: &OciDescriptor, folder: &Path) -> Result<()> {
        let path = folder.join(blob(&wanted.digest));
        let is_right = |path: &Path| {
            sum_of_file(path).is_ok_and(|sum| format!("sha256:{sum}") == wanted.digest)
        };
        if is_right(&path) {
            return Ok(());
        }
        let half = path.with_extension("half");
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let file = tokio::fs::File::create(&half).await;
            let file = file.map_err(|e| unwritten(folder, &e))?;
            match self.0.pull_blob(&of.reference, wanted, file).await {
                Ok(()) if is_right(&half) => {
                    return fs::rename(&half, &path).map_err(|e| unwritten(folder, &e));
                }
                Ok(()) => last = Some("it is not what its digest says".to_string()),
                Err(e) => last = Some(crate::error::chain(&e)),
            }
        }
        let next = format!("docker pull {}", of.image.name);
        let size = text::bytes(u64::try_from(wanted.size).unwrap_or(0));
        let what = format!("a layer of {} ({size}) can't be fetched", of.image.name);
        let error = Error::new(what, next).fact(wanted.digest.clone());
        Err(last.into_iter().fold(error, Error::fact))
    }
}

/// A name as engines read it: without a registry it is Docker Hub's.
fn reference(name: &str) -> Result<Reference> {
    name.parse().map_err(|e| {
        Error::usage(format!("`{name}` is no image"), "gw profile validate FILE").because(&e)
    })
}

fn late(deadline: Duration) -> String {
    format!("no answer in {}", text::duration(deadline))
}

impl Resolved {
    /// Bytes of everything that it is made of.
    pub fn size(&self) -> u64 {
        let blobs = self.blobs.iter();
        blobs
            .map(|blob| u64::try_from(blob.size).unwrap_or(0))
            .sum()
    }
}

fn part(digest: &str, size: u64) -> Part {
    Part {
        path: blob(digest),
        size,
        sha256: digest.trim_start_matches("sha256:").to_string(),
    }
}

fn json(name: &str, bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|e| unreadable(name).because(&e))
}

fn unreadable(name: &str) -> Error {
    let what = format!("the manifest of {name} can't be understood");
    Error::new(what, format!("docker manifest inspect {name}"))
}

fn unwritten(folder: &Path, cause: &std::io::Error) -> Error {
    Error::new(format!("{} can't be written", folder.display()), "df -h").because(cause)
}

fn is_absent(error: &oci_client::errors::OciDistributionError) -> bool {
    use oci_client::errors::OciDistributionError::{
        ImageManifestNotFoundError, RegistryError, ServerError,
    };
    match error {
        ImageManifestNotFoundError(_) => true,
        ServerError { code, .. } => *code == 404,
        RegistryError { envelope, .. } => envelope
            .errors
            .iter()
            .any(|e| format!("{:?}", e.code).contains("Unknown")),
        _ => false,
    }
}

/// The digest of the manifest for Linux on a processor, in a list by platform.
fn of_platform(list: &[Value], processor: &str) -> Option<String> {
    let is = |entry: &&Value| {
        let platform = &entry["platform"];
        platform["os"] == "linux" && platform["architecture"] == processor
    };
    let found = list.iter().find(is)?;
    Some(found["digest"].as_str()?.to_string())
}

/// Configuration and layers of a manifest; only digests of SHA-256 are taken.
fn descriptors(manifest: &Value) -> Option<(OciDescriptor, Vec<OciDescriptor>)> {
    let read = |value: &Value| {
        let descriptor: OciDescriptor = serde_json::from_value(value.clone()).ok()?;
        let sum = descriptor.digest.strip_prefix("sha256:")?;
        crate::supply::tool::is_sum(sum).then_some(descriptor)
    };
    let layers = manifest["layers"].as_array()?.iter().map(read);
    Some((read(&manifest["config"])?, layers.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_without_a_registry_is_docker_hubs() {
        for (name, registry, repository, tag) in [
            ("busybox:1", "index.docker.io", "library/busybox", "1"),
            ("me/x", "index.docker.io", "me/x", "latest"),
            ("docker.io/me/x:2", "index.docker.io", "me/x", "2"),
            (
                "docker.io/busybox:1",
                "index.docker.io",
                "library/busybox",
                "1",
            ),
            ("localhost:5000/x:3", "localhost:5000", "x", "3"),
            (
                "cr.agentgateway.dev/controller:v2.2.0",
                "cr.agentgateway.dev",
                "controller",
                "v2.2.0",
            ),
        ] {
            let read = reference(name).unwrap();
            let parts = (read.resolve_registry(), read.repository(), read.tag());
            assert_eq!(parts, (registry, repository, Some(tag)), "{name}");
        }
        assert!(reference("no image").is_err());
    }

    #[test]
    fn an_image_of_several_platforms_is_taken_for_one() {
        let list = [
            json!({"digest": "sha256:a", "platform": {"os": "linux", "architecture": "amd64"}}),
            json!({"digest": "sha256:b", "platform": {"os": "linux", "architecture": "arm64"}}),
            json!({"digest": "sha256:c", "platform": {"os": "unknown", "architecture": "unknown"}}),
        ];
        assert_eq!(of_platform(&list, "arm64").as_deref(), Some("sha256:b"));
        assert_eq!(of_platform(&list, "s390x"), None);
    }

    #[test]
    fn a_manifest_whose_digests_are_no_digests_is_refused() {
        let descriptor = |digest: &str| json!({"mediaType": "x", "digest": digest, "size": 3});
        let good = format!("sha256:{}", "a".repeat(64));
        let manifest =
            |digest: &str| json!({"config": descriptor(&good), "layers": [descriptor(digest)]});
        assert!(descriptors(&manifest(&good)).is_some());
        assert!(descriptors(&manifest("sha256:../../x")).is_none());
        assert!(descriptors(&json!({})).is_none());
    }
}
