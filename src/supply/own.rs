//! An image of this very program, for a node that can't have the released one: the executable, and
//! what the loader has mapped for it, each under the name by which it was found.

use super::bundle::{Content, Image, blob, image};
use super::download::{hex, sum_of_file};
use super::tool::Platform;
use crate::error::{Error, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// This program, also when its file was replaced since it was started.
const EXECUTABLE: &str = "/proc/self/exe";
/// Of images that no registry has.
pub const REPOSITORY: &str = "localhost/gatewright/gw";
const INSIDE: &str = "/usr/local/bin/gw";

#[derive(Clone)]
pub struct OwnImage {
    /// With a digest of the executable, so that another one is another image.
    pub name: String,
    processor: &'static str,
    libraries: BTreeSet<PathBuf>,
}

/// An archive that goes with its folder.
pub struct Archive(PathBuf);

impl Archive {
    pub fn path(&self) -> PathBuf {
        self.0.join("image.tar")
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl OwnImage {
    /// The image of this program, where it is one for Linux on `processor`, such as `amd64`.
    pub fn here(processor: &str) -> Result<Option<Self>> {
        let here = Platform::here();
        let fits = |here: &Platform| (here.system, here.processor) == ("linux", processor);
        let Some(here) = here.filter(fits) else {
            return Ok(None);
        };
        let sum = sum_of_file(Path::new(EXECUTABLE)).map_err(|e| unmade(&e))?;
        Ok(Some(OwnImage {
            name: format!("{REPOSITORY}:exe-{}", &sum[..16]),
            processor: here.processor,
            libraries: libraries(),
        }))
    }

    /// Writes it as an archive that `docker load` and containerd take, in a folder of its own in this one.
    pub async fn write(self, folder: &Path) -> Result<Archive> {
        let archive = Archive(folder.join("image.part"));
        // That of a run which was killed.
        let _ = fs::remove_dir_all(&archive.0);
        let filling = tokio::task::spawn_blocking(move || self.fill(&archive).map(|()| archive));
        let filled = filling.await.unwrap_or_else(|e| Err(io::Error::other(e)));
        filled.map_err(|e| unmade(&e))
    }

    fn fill(&self, archive: &Archive) -> io::Result<()> {
        let folder = &archive.0;
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        let layer = self.layer(folder)?;
        let folders: BTreeSet<&Path> = self.libraries.iter().filter_map(|p| p.parent()).collect();
        let folders: Vec<_> = folders.iter().map(|path| path.to_string_lossy()).collect();
        let config = json!({
            "architecture": self.processor,
            "os": "linux",
            "config": {
                "Entrypoint": [INSIDE],
                "Env": [format!("LD_LIBRARY_PATH={}", folders.join(":"))],
            },
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        });
        let config = put(folder, &config)?;
        let part = |kind: &str, digest: &str| -> io::Result<Value> {
            let media = format!("application/vnd.oci.image.{kind}");
            let size = fs::metadata(folder.join(blob(digest)))?.len();
            Ok(json!({"mediaType": media, "digest": digest, "size": size}))
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": part("config.v1+json", &config)?,
            "layers": [part("layer.v1.tar", &layer)?],
        });
        let image = Image {
            name: self.name.clone(),
            node: false,
            content: Content::Blobs {
                manifest: put(folder, &manifest)?,
                config,
                layers: vec![layer],
            },
        };
        image::archive(&image, folder, &archive.path())
    }

    /// The files as a layer among the blobs; its digest.
    fn layer(&self, folder: &Path) -> io::Result<String> {
        let path = folder.join("layer.tar");
        let mut tar = tar::Builder::new(File::create(&path)?);
        let executable = (Path::new(EXECUTABLE), Path::new(INSIDE));
        let libraries = self.libraries.iter().map(|path| (&**path, &**path));
        for (from, to) in std::iter::once(executable).chain(libraries) {
            let mut file = File::open(from)?;
            let mut header = image::header(file.metadata()?.len());
            header.set_mode(0o755);
            tar.append_data(&mut header, to.strip_prefix("/").unwrap_or(to), &mut file)?;
        }
        tar.into_inner()?.sync_all()?;
        let digest = format!("sha256:{}", sum_of_file(&path)?);
        fs::rename(&path, folder.join(blob(&digest)))?;
        Ok(digest)
    }
}

fn put(folder: &Path, value: &Value) -> io::Result<String> {
    let text = value.to_string();
    let digest = format!("sha256:{}", hex(&Sha256::digest(&text)));
    fs::write(folder.join(blob(&digest)), text)?;
    Ok(digest)
}

fn unmade(cause: &io::Error) -> Error {
    Error::new("an image of this program can't be made", "df -h").because(cause)
}

/// Libraries of this process and their loader, by the names under which they were looked up.
#[cfg(target_os = "linux")]
fn libraries() -> BTreeSet<PathBuf> {
    use std::ffi::{CStr, OsStr, c_int, c_void};
    use std::os::unix::ffi::OsStrExt;

    unsafe extern "C" fn note(
        info: *mut libc::dl_phdr_info,
        _: libc::size_t,
        found: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader gives a record of its own and the set that was given to it below.
        let (name, found) = unsafe {
            let found = &mut *found.cast::<BTreeSet<PathBuf>>();
            ((*info).dlpi_name, found)
        };
        if !name.is_null() {
            // SAFETY: a name of the loader's ends with a zero and lives while its library is mapped.
            let name = unsafe { CStr::from_ptr(name) };
            let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
            // The program itself has no name, and what the kernel maps is no file.
            if path.is_absolute() {
                found.insert(path);
            }
        }
        0
    }
    let mut found = BTreeSet::new();
    // SAFETY: the callback does not outlive the call, nor does what it is given.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut found).cast()) };
    found
}

#[cfg(not(target_os = "linux"))]
fn libraries() -> BTreeSet<PathBuf> {
    BTreeSet::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[cfg_attr(not(target_os = "linux"), ignore = "needs Linux")]
    async fn the_image_holds_this_program_with_all_that_it_maps() {
        let folder = tempfile::tempdir().unwrap();
        let here = Platform::here().unwrap();
        let own = OwnImage::here(here.processor).unwrap().unwrap();
        let archive = own.write(folder.path()).await.unwrap();
        let mut tar = tar::Archive::new(File::open(archive.path()).unwrap());
        let mut blobs = std::collections::BTreeMap::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            blobs.insert(path, bytes);
        }
        let read = |path: &str| -> Value { serde_json::from_slice(&blobs[path]).unwrap() };
        let index = read("index.json");
        let manifest = read(&blob(index["manifests"][0]["digest"].as_str().unwrap()));
        let layer = &blobs[&blob(manifest["layers"][0]["digest"].as_str().unwrap())];
        let mut layer = tar::Archive::new(layer.as_slice());
        let inside: BTreeSet<PathBuf> = layer
            .entries()
            .unwrap()
            .map(|entry| Path::new("/").join(entry.unwrap().path().unwrap()))
            .collect();
        assert!(inside.contains(Path::new(INSIDE)), "{inside:?}");
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mapped = maps
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5));
        for name in mapped.filter(|name| name.contains(".so")) {
            let real = |path: &PathBuf| fs::canonicalize(path).is_ok_and(|p| p == Path::new(name));
            assert!(inside.iter().any(real), "{name} is not in {inside:?}");
        }
        assert!(OwnImage::here("s390x").unwrap().is_none());
        let path = archive.path();
        drop(archive);
        assert!(!path.exists());
    }
}
