//! A bundle that is read: its manifest, its parts checked one by one, and its images as archives.

use super::{Content, Image, MANIFEST, Manifest, PROFILE, Part, image};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::supply::download::{Pace, hex, progress};
use crate::supply::tool::{Platform, Tool};
use crate::text;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use tar::{Archive, Entries};
use zstd::stream::read::Decoder;

/// A manifest larger than this is none.
const LARGEST_MANIFEST: u64 = 8 << 20;
/// The phase that a person reads.
pub const PHASE: &str = "bundle";
/// Written last: a folder without it is half a bundle.
const COMPLETE: &str = "complete";

/// A bundle whose parts lie in a folder, each as its digest says.
#[derive(Debug)]
pub struct Opened {
    pub manifest: Manifest,
    folder: PathBuf,
}

type Plain = Decoder<'static, io::BufReader<File>>;

fn archive(file: &Path) -> Result<Archive<Plain>> {
    let open = || {
        let mut decoder = Decoder::new(File::open(file)?)?;
        // Long distances need it; our own bundles use less.
        decoder.window_log_max(30)?;
        Ok(Archive::new(decoder))
    };
    open().map_err(|e: io::Error| unreadable(file, &e))
}

/// What makes a bundle anew, where there is a network.
fn anew(file: &Path, profile: Option<&str>) -> String {
    let file = text::shell(&file.to_string_lossy());
    let profile = profile.map(|name| format!(" --profile {}", text::shell(name)));
    format!("gw bundle create {file}{}", profile.unwrap_or_default())
}

fn unreadable(file: &Path, cause: &dyn std::fmt::Display) -> Error {
    let what = format!("{} is no bundle of gw", file.display());
    Error::usage(what, anew(file, None)).fact(cause.to_string())
}

/// The manifest alone.
pub fn manifest(file: &Path) -> Result<Manifest> {
    head(file, &mut archive(file)?).map(|head| head.manifest)
}

/// What a bundle begins with, and what follows.
struct Head<'a> {
    manifest: Manifest,
    /// Digest of the manifest.
    id: String,
    rest: Entries<'a, Plain>,
}

fn head<'a>(file: &Path, archive: &'a mut Archive<Plain>) -> Result<Head<'a>> {
    let fault = |e: io::Error| unreadable(file, &e);
    let mut rest = archive.entries().map_err(fault)?;
    let entry = rest.next();
    let entry = entry.ok_or_else(|| unreadable(file, &"it is empty"))?;
    let entry = entry.map_err(fault)?;
    let path = entry.path().map(|path| path.to_string_lossy().into_owned());
    if path.unwrap_or_default() != MANIFEST {
        return Err(unreadable(file, &"it does not begin with a manifest"));
    }
    let mut bytes = Vec::new();
    let read = entry.take(LARGEST_MANIFEST).read_to_end(&mut bytes);
    read.map_err(fault)?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| unreadable(file, &e))?;
    match manifest.fault() {
        Some(fault) => Err(unreadable(file, &fault)),
        None => Ok(Head {
            manifest,
            id: hex(&Sha256::digest(&bytes)),
            rest,
        }),
    }
}

/// Reads every part and compares it with its digest; with a folder, puts it there.
fn read(file: &Path, into: Option<&Path>, sink: &Sink) -> Result<Manifest> {
    let fault = |e: io::Error| unreadable(file, &e);
    let mut archive = archive(file)?;
    let Head { manifest, rest, .. } = head(file, &mut archive)?;
    let (whole, mut got, mut pace) = (manifest.size(), 0, Pace::new());
    let mut left: Vec<&Part> = manifest.parts.iter().collect();
    for entry in rest {
        let mut entry = entry.map_err(fault)?;
        let path = entry.path().map_err(fault)?.to_string_lossy().into_owned();
        let Some(at) = left.iter().position(|part| part.path == path) else {
            return Err(unreadable(
                file,
                &format!("`{path}` is not in its manifest"),
            ));
        };
        let part = left.swap_remove(at);
        let target = into.map(|folder| folder.join(&part.path));
        let sum = copy(&mut entry, target.as_deref()).map_err(|e| {
            let next = match e.kind() {
                ErrorKind::StorageFull | ErrorKind::PermissionDenied => "df -h".to_string(),
                _ => anew(file, Some(&manifest.profile)),
            };
            Error::new(
                format!("`{path}` of {} can't be read", file.display()),
                next,
            )
            .because(&e)
        })?;
        if sum != part.sha256 {
            let what = format!("`{path}` of {} is not as its manifest says", file.display());
            return Err(Error::new(what, anew(file, Some(&manifest.profile)))
                .fact(format!("expected {}", part.sha256))
                .fact(format!("found    {sum}")));
        }
        got += part.size;
        if pace.is_due() {
            sink.send(Event::Waiting {
                name: PHASE.to_string(),
                reason: progress("reading", got, Some(whole)),
            });
        }
    }
    match left.first() {
        Some(part) => Err(unreadable(file, &format!("it ends before `{}`", part.path))),
        None => Ok(manifest),
    }
}

fn copy(from: &mut impl Read, to: Option<&Path>) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = match to {
        None => None,
        Some(path) => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            Some(File::create(path)?)
        }
    };
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&buffer[..count]);
        if let Some(file) = &mut file {
            file.write_all(&buffer[..count])?;
        }
    }
}

/// Every digest of a bundle; the first that is wrong is an error.
pub fn verify(file: &Path, sink: &Sink) -> Result<Manifest> {
    read(file, None, sink)
}

/// Unpacks a bundle below `cache`, once: again it is there already.
pub fn open(file: &Path, cache: &Path, sink: &Sink) -> Result<Opened> {
    let mut archive = archive(file)?;
    let Head { manifest, id, .. } = head(file, &mut archive)?;
    let folder = cache.join("bundles").join(&id[..16]);
    if !folder.join(COMPLETE).exists() {
        let own = folder.with_extension(format!("part-{}", std::process::id()));
        let unwritten = |e: io::Error| {
            Error::new(format!("{} can't be written", folder.display()), "df -h").because(&e)
        };
        fs::create_dir_all(&own).map_err(unwritten)?;
        let done = read(file, Some(&own), sink).and_then(|_| {
            fs::write(own.join(COMPLETE), "").map_err(unwritten)?;
            settle(&own, &folder).map_err(unwritten)
        });
        let _ = fs::remove_dir_all(&own);
        done?;
    }
    Ok(Opened { manifest, folder })
}

/// Moves a whole bundle to its place, where another `gw` may have put it meanwhile: that one is in use.
fn settle(own: &Path, folder: &Path) -> io::Result<()> {
    match fs::rename(own, folder) {
        Err(_) if folder.join(COMPLETE).exists() => Ok(()),
        Err(_) => {
            let _ = fs::remove_dir_all(folder);
            fs::rename(own, folder)
        }
        Ok(()) => Ok(()),
    }
}

impl Opened {
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn profile(&self) -> PathBuf {
        self.folder.join(PROFILE)
    }

    /// A program of this machine, ready to be run.
    pub fn program(&self, tool: Tool, platform: Platform) -> Option<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.join("programs").join(tool.slug(platform));
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, executable).ok().map(|()| path)
    }

    /// The archive of a chart.
    pub fn chart(&self, name: &str, version: &str) -> Option<PathBuf> {
        let path = self.folder.join(format!("charts/{name}-{version}.tgz"));
        path.exists().then_some(path)
    }

    /// The Gateway API's definitions.
    pub fn definitions(&self, version: &str) -> Option<String> {
        let file = format!("definitions/gateway-api-{version}-standard.yaml");
        fs::read_to_string(self.folder.join(file)).ok()
    }

    /// An image as an archive that engines take.
    pub fn archive(&self, image: &Image) -> Result<PathBuf> {
        if let Content::Saved(path) = &image.content {
            return Ok(self.folder.join(path));
        }
        let name: String = image
            .name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let path = self.folder.join(format!("{name}.tar"));
        if !path.exists() {
            let half = self
                .folder
                .join(format!("{name}.half-{}", std::process::id()));
            let written =
                image::archive(image, &self.folder, &half).and_then(|()| fs::rename(&half, &path));
            written.map_err(|e| {
                Error::new(format!("{} can't be written", path.display()), "df -h").because(&e)
            })?;
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_bundle_of_another_gw_stays_and_half_a_one_does_not() {
        let cache = tempfile::tempdir().unwrap();
        let unpacked = |name: &str, complete: bool| {
            let folder = cache.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("whose"), name).unwrap();
            if complete {
                fs::write(folder.join(COMPLETE), "").unwrap();
            }
            folder
        };
        let whose = |folder: &Path| fs::read_to_string(folder.join("whose")).unwrap();
        let place = unpacked("theirs", true);
        settle(&unpacked("ours", true), &place).unwrap();
        assert_eq!(whose(&place), "theirs");
        fs::remove_file(place.join(COMPLETE)).unwrap();
        settle(&unpacked("ours", true), &place).unwrap();
        assert_eq!(whose(&place), "ours");
        let empty = cache.path().join("new");
        settle(&place, &empty).unwrap();
        assert_eq!(whose(&empty), "ours");
    }
}
