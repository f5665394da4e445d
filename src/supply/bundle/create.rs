//! A bundle that is made: everything is gathered in a folder beside the file, where the next run goes
//! on if this one is ended, and then written as one archive.

use super::registry::{Registry, Resolved};
use super::{API_VERSION, Content, Image, KIND, MANIFEST, Manifest, PROFILE, Part, chart, image};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::host::docker;
use crate::plan::GATEWAY_API_VERSION;
use crate::plan::chart::Chart;
use crate::supply::Supply;
use crate::supply::download::{Pace, progress, sum_of_file};
use crate::supply::tool::{Platform, Tool, node_image};
use crate::text;
use futures::StreamExt;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// What is in it is mostly packed already: more effort would gain a few percent of the node alone.
const LEVEL: i32 = 3;

/// The phase that a person reads.
const ARCHIVE: &str = "archive";

/// What a bundle is made of.
pub struct Wanted<'a> {
    pub profile_name: &'a str,
    pub profile_text: &'a str,
    pub platform: Platform,
    pub charts: &'a [Chart],
    /// The plan's objects.
    pub objects: &'a [Value],
    /// Image of a kind node; `None` for the one that the pinned kind is made for.
    pub node_image: Option<&'a str>,
}

/// Makes `file` and returns its manifest.
pub async fn create(
    file: &Path,
    wanted: &Wanted<'_>,
    supply: &Supply,
    sink: &Sink,
) -> Result<Manifest> {
    let maker = Maker {
        folder: PathBuf::from(format!("{}.parts", file.display())),
        wanted,
        supply,
        sink,
    };
    fs::create_dir_all(&maker.folder).map_err(|e| maker.unwritten(&e))?;
    let mut parts = maker.profile()?;
    parts.extend(maker.programs().await?);
    let (charts, named) = maker.charts().await?;
    parts.extend(charts);
    parts.extend(maker.definitions().await?);
    let (node, node_parts) = maker.node().await?;
    let (images, blobs) = maker.images(named, node.is_none()).await?;
    parts.extend(node_parts);
    parts.extend(blobs);
    parts.sort_by(|a, b| a.path.cmp(&b.path));
    parts.dedup();
    let manifest = Manifest {
        api_version: API_VERSION.to_string(),
        kind: KIND.to_string(),
        made_by: env!("CARGO_PKG_VERSION").to_string(),
        profile: wanted.profile_name.to_string(),
        platform: wanted.platform.to_string(),
        parts,
        images: node.into_iter().chain(images).collect(),
    };
    maker.write(file, &manifest).await?;
    let _ = fs::remove_dir_all(&maker.folder);
    Ok(manifest)
}

struct Maker<'a> {
    folder: PathBuf,
    wanted: &'a Wanted<'a>,
    supply: &'a Supply,
    sink: &'a Sink,
}

impl Maker<'_> {
    fn unwritten(&self, cause: &io::Error) -> Error {
        Error::new(
            format!("{} can't be written", self.folder.display()),
            "df -h",
        )
        .because(cause)
    }

    /// A file of the folder as a part.
    fn part(&self, path: &str) -> Result<Part> {
        let file = self.folder.join(path);
        let read = || Ok((fs::metadata(&file)?.len(), sum_of_file(&file)?));
        let (size, sha256) = read().map_err(|e: io::Error| self.unwritten(&e))?;
        Ok(Part {
            path: path.to_string(),
            size,
            sha256,
        })
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<Part> {
        let file = self.folder.join(path);
        let written = fs::create_dir_all(file.parent().unwrap_or(&self.folder))
            .and_then(|()| fs::write(&file, bytes));
        written.map_err(|e| self.unwritten(&e))?;
        self.part(path)
    }

    fn profile(&self) -> Result<Vec<Part>> {
        Ok(vec![
            self.put(PROFILE, self.wanted.profile_text.as_bytes())?,
        ])
    }

    async fn programs(&self) -> Result<Vec<Part>> {
        let task = self.sink.begin("programs");
        let mut parts = Vec::new();
        for tool in Tool::ALL {
            let waiting = |said: String| task.waiting(said);
            let from = self
                .supply
                .fetched(tool, self.wanted.platform, &waiting)
                .await?;
            let path = format!("programs/{}", tool.slug(self.wanted.platform));
            let bytes = fs::read(&from).map_err(|e| self.unwritten(&e))?;
            parts.push(self.put(&path, &bytes)?);
        }
        let names = Tool::ALL.map(|tool| format!("{} {}", tool.name(), tool.version()));
        task.done(format!(
            "{} for {}",
            text::list(&names),
            self.wanted.platform
        ));
        Ok(parts)
    }

    /// The charts' archives, and every image that their objects and the plan's name.
    async fn charts(&self) -> Result<(Vec<Part>, BTreeSet<String>)> {
        let task = self.sink.begin("charts");
        let waiting = |said: String| task.waiting(said);
        let helm = self.supply.program(Tool::Helm, &waiting).await?;
        let folder = self.folder.join("charts");
        fs::create_dir_all(&folder).map_err(|e| self.unwritten(&e))?;
        let mut parts = Vec::new();
        let mut images = image::named(self.wanted.objects);
        for chart in self.wanted.charts {
            let path = format!("charts/{}-{}.tgz", chart.name, chart.version);
            let file = self.folder.join(&path);
            if !file.exists() {
                waiting(format!("{} {}", chart.name, chart.version));
                chart::fetch(&helm, chart, &folder).await?;
            }
            parts.push(self.part(&path)?);
            images.extend(image::named(&chart::rendered(&helm, chart, &file).await?));
        }
        let version = self
            .wanted
            .charts
            .first()
            .map_or("", |chart| &chart.version);
        task.done(format!("{} {version}", text::count(parts.len(), "chart")));
        Ok((parts, images))
    }

    async fn definitions(&self) -> Result<Vec<Part>> {
        let task = self.sink.begin("Gateway API");
        let waiting = |said: String| task.waiting(said);
        let text = self.supply.definitions(&waiting).await?;
        let path = format!("definitions/gateway-api-{GATEWAY_API_VERSION}-standard.yaml");
        let part = self.put(&path, text.as_bytes())?;
        task.done(GATEWAY_API_VERSION);
        Ok(vec![part])
    }

    fn node_name(&self) -> String {
        let name = self
            .wanted
            .node_image
            .unwrap_or(node_image(Tool::Kind.version()));
        name.to_string()
    }

    /// The node image as this machine's Docker has it; nothing where it has none.
    async fn node(&self) -> Result<(Option<Image>, Vec<Part>)> {
        let name = self.node_name();
        let Ok(docker) = docker::connect().await else {
            return Ok((None, Vec::new()));
        };
        let Ok(found) = docker.inspect_image(&name).await else {
            return Ok((None, Vec::new()));
        };
        if found.architecture.as_deref() != Some(self.wanted.platform.processor) {
            return Ok((None, Vec::new()));
        }
        let task = self.sink.begin("node image");
        let path = "images/node.tar";
        let file = self.folder.join(path);
        let id = found.id.unwrap_or_default();
        let mark = self.folder.join("images/node.id");
        // Another image of that name is saved anew.
        if fs::read_to_string(&mark).ok().as_ref() != Some(&id) {
            fs::create_dir_all(self.folder.join("images")).map_err(|e| self.unwritten(&e))?;
            let whole = found.size.and_then(|size| u64::try_from(size).ok());
            let mut stream = docker.export_image(&untagged(&name));
            let mut out = tokio::fs::File::create(&file)
                .await
                .map_err(|e| self.unwritten(&e))?;
            let (mut got, mut pace) = (0, Pace::new());
            while let Some(piece) = stream.next().await {
                let piece = piece.map_err(|e| {
                    Error::new(
                        format!("{name} can't be saved"),
                        format!("docker save {name}"),
                    )
                    .because(&e)
                })?;
                out.write_all(&piece)
                    .await
                    .map_err(|e| self.unwritten(&e))?;
                got += piece.len() as u64;
                if pace.is_due() {
                    task.waiting(progress(&name, got, whole));
                }
            }
            out.sync_all().await.map_err(|e| self.unwritten(&e))?;
            fs::write(&mark, &id).map_err(|e| self.unwritten(&e))?;
        }
        let part = self.part(path)?;
        task.done(format!("{name}, from Docker, {}", text::bytes(part.size)));
        let image = Image {
            name: untagged(&name),
            node: true,
            content: Content::Saved(path.to_string()),
        };
        Ok((Some(image), vec![part]))
    }

    /// Images from their registries, the node's too where Docker has it not.
    async fn images(
        &self,
        named: BTreeSet<String>,
        with_node: bool,
    ) -> Result<(Vec<Image>, Vec<Part>)> {
        let task = self.sink.begin("images");
        let registry = Registry::open();
        let mut resolved: Vec<Resolved> = Vec::new();
        let processor = self.wanted.platform.processor;
        for name in &named {
            task.waiting(format!("asking for {name}"));
            let found = registry.resolve(name, processor).await?;
            resolved.push(found.ok_or_else(|| absent(name))?);
        }
        let proxies = image::proxies(self.wanted.objects);
        let mut found_proxy = false;
        for name in &proxies {
            task.waiting(format!("asking for {name}"));
            if let Some(found) = registry.resolve(name, processor).await? {
                found_proxy = true;
                resolved.push(found);
            }
        }
        if !found_proxy {
            return Err(absent(&text::list(&proxies)));
        }
        if with_node {
            let name = self.node_name();
            let mut found = registry
                .resolve(&name, processor)
                .await?
                .ok_or_else(|| absent(&name))?;
            found.image.node = true;
            found.image.name = untagged(&name);
            resolved.push(found);
        }
        let size = resolved.iter().map(Resolved::size).sum();
        self.sink.note(format!(
            "{} to fetch, {}; what a run before this one fetched is kept",
            text::count(resolved.len(), "image"),
            text::bytes(size)
        ));
        let mut parts = Vec::new();
        let waiting = |said: String| task.waiting(said);
        for one in &resolved {
            parts.extend(registry.pull(one, &self.folder, &waiting).await?);
        }
        task.done(format!(
            "{}, {}",
            text::count(resolved.len(), "image"),
            text::bytes(size)
        ));
        Ok((resolved.into_iter().map(|one| one.image).collect(), parts))
    }

    /// Aside, so that Ctrl-C works while a gigabyte is packed.
    async fn write(&self, file: &Path, manifest: &Manifest) -> Result<()> {
        let task = self.sink.begin(ARCHIVE);
        let part = PathBuf::from(format!("{}.part", file.display()));
        let (folder, manifest, sink) = (self.folder.clone(), manifest.clone(), self.sink.clone());
        let to = part.clone();
        let packing = tokio::task::spawn_blocking(move || pack(&folder, &to, &manifest, &sink));
        let written = packing.await.unwrap_or_else(|e| Err(io::Error::other(e)));
        let size = written.and_then(|()| {
            fs::rename(&part, file)?;
            Ok(fs::metadata(file)?.len())
        });
        let size = size.map_err(|e| {
            Error::new(format!("{} can't be written", file.display()), "df -h").because(&e)
        })?;
        task.done(format!("{}, {}", file.display(), text::bytes(size)));
        Ok(())
    }
}

fn pack(folder: &Path, to: &Path, manifest: &Manifest, sink: &Sink) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(File::create(to)?, LEVEL)?;
    encoder.include_checksum(true)?;
    let mut tar = tar::Builder::new(encoder);
    let text = serde_json::to_string_pretty(manifest)?;
    let mut header = image::header(text.len() as u64);
    tar.append_data(&mut header, MANIFEST, text.as_bytes())?;
    let (whole, mut got, mut pace) = (manifest.size(), 0, Pace::new());
    for part in &manifest.parts {
        if pace.is_due() {
            sink.send(Event::Waiting {
                name: ARCHIVE.to_string(),
                reason: progress("packing", got, Some(whole)),
            });
        }
        let mut from = File::open(folder.join(&part.path))?;
        tar.append_data(&mut image::header(part.size), &part.path, &mut from)?;
        got += part.size;
    }
    tar.into_inner()?.finish()?.sync_all()
}

/// A name with tag and digest, without the digest: an image that was loaded has none.
pub fn untagged(name: &str) -> String {
    name.split_once('@')
        .map_or(name, |(name, _)| name)
        .to_string()
}

fn absent(name: &str) -> Error {
    let what = format!("{name} is not in its registry");
    Error::new(
        what,
        format!(
            "docker manifest inspect {}",
            name.split(',').next().unwrap_or(name)
        ),
    )
}
