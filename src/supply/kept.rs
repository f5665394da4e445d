//! Fetched programs in the cache folder, each with a lock: which file it came from, and the sums of
//! that file and of the program. A program whose sum is not that of its lock is not run.

use super::download::{self, Waiting, sum_of_file};
use super::tool::{Platform, Tool, is_sum, known_sum, sum_of};
use crate::error::{Error, Result};
use crate::text;
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The folder of fetched programs.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
    /// Where release hosts are asked instead of themselves; only in tests.
    hosts: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lock {
    url: String,
    /// SHA-256 of the release file; `None` where the program came in a bundle.
    file: Option<String>,
    /// SHA-256 of the program.
    program: String,
}

impl Programs {
    pub fn new(cache: &Path) -> Self {
        Programs {
            folder: cache.join("programs"),
            hosts: None,
        }
    }

    fn at(&self, url: &str) -> String {
        match &self.hosts {
            Some(hosts) => url.replace("https://", hosts),
            None => url.to_string(),
        }
    }

    /// The program, if it was fetched before and is still what it was.
    pub fn kept(&self, tool: Tool, platform: Platform) -> Option<PathBuf> {
        let lock = self.lock(tool, platform)?;
        let program = self.program(tool, platform);
        let sum = sum_of_file(&program).ok()?;
        (sum == lock.program).then_some(program)
    }

    /// Fetches it, checks it and keeps it. Safe to run twice at once: each run has files of its own
    /// until it moves them to their place.
    pub async fn fetch(
        &self,
        tool: Tool,
        platform: Platform,
        waiting: Waiting<'_>,
    ) -> Result<PathBuf> {
        let url = tool.url(platform);
        let expected = self.expected(tool, platform).await?;
        let work = Work::new(&self.folder)?;
        let file = work.path(&tool.file(platform));
        let title = format!("{} {}", tool.name(), tool.version());
        let sum = download::file(&self.at(&url), &title, &file, waiting).await?;
        if sum != expected {
            return Err(not_as_summed(tool, &url, &expected, &sum));
        }
        let program = work.path("program");
        unpack(tool, platform, &file, &program).map_err(|e| self.unwritten(&e))?;
        let lock = Lock {
            url,
            file: Some(sum),
            program: sum_of_file(&program).map_err(|e| self.unwritten(&e))?,
        };
        self.keep(tool, platform, &work, &lock)
            .map_err(|e| self.unwritten(&e))?;
        Ok(self.program(tool, platform))
    }

    /// Keeps a program that a bundle has brought: later commands need it without the bundle.
    pub fn adopt(&self, tool: Tool, platform: Platform, from: &Path) -> Result<()> {
        if self.kept(tool, platform).is_some() {
            return Ok(());
        }
        let work = Work::new(&self.folder)?;
        let program = work.path("program");
        let lock = fs::copy(from, &program).and_then(|_| {
            Ok(Lock {
                url: tool.url(platform),
                file: None,
                program: sum_of_file(&program)?,
            })
        });
        let kept = lock.and_then(|lock| self.keep(tool, platform, &work, &lock));
        kept.map_err(|e| self.unwritten(&e))
    }

    /// What the file must be: as this build knows it, as it was before, or as its host says.
    async fn expected(&self, tool: Tool, platform: Platform) -> Result<String> {
        if let Some(sum) = known_sum(&tool.slug(platform)) {
            return Ok(sum);
        }
        if let Some(sum) = self.lock(tool, platform).and_then(|lock| lock.file) {
            return Ok(sum);
        }
        let url = self.at(&format!("{}.sha256sum", tool.url(platform)));
        let table = download::text(&url).await?;
        sum_of(&table, &tool.file(platform)).ok_or_else(|| {
            Error::new(
                format!("{url} has no checksum of {}", tool.file(platform)),
                tool.install(),
            )
            .fact(text::excerpt(&table, 120))
        })
    }

    fn program(&self, tool: Tool, platform: Platform) -> PathBuf {
        self.folder.join(tool.slug(platform))
    }

    fn lock_file(&self, tool: Tool, platform: Platform) -> PathBuf {
        let slug = tool.slug(platform);
        self.folder.join(format!("{slug}.lock.json"))
    }

    fn lock(&self, tool: Tool, platform: Platform) -> Option<Lock> {
        let text = fs::read_to_string(self.lock_file(tool, platform)).ok()?;
        let lock: Lock = serde_json::from_str(&text).ok()?;
        let good = lock.file.as_deref().is_none_or(is_sum) && is_sum(&lock.program);
        good.then_some(lock)
    }

    /// Program first: a lock without its program leads to a fetch with that lock's sum.
    fn keep(&self, tool: Tool, platform: Platform, work: &Work, lock: &Lock) -> io::Result<()> {
        let program = work.path("program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let file = work.path("lock.json");
        fs::write(&file, format!("{}\n", serde_json::to_string_pretty(lock)?))?;
        fs::rename(program, self.program(tool, platform))?;
        fs::rename(file, self.lock_file(tool, platform))
    }

    fn unwritten(&self, cause: &io::Error) -> Error {
        let what = format!("{} can't be written", self.folder.display());
        Error::new(what, "df -h").because(cause)
    }
}

fn not_as_summed(tool: Tool, url: &str, expected: &str, sum: &str) -> Error {
    Error::new(
        format!("{url} is not the file that its checksum is of"),
        tool.install(),
    )
    .fact(format!("expected {expected}"))
    .fact(format!("fetched  {sum}"))
    .fact("nothing of it was kept")
}

/// The program out of its release file.
fn unpack(tool: Tool, platform: Platform, file: &Path, program: &Path) -> io::Result<()> {
    let Some(inside) = tool.inside(platform) else {
        return fs::copy(file, program).map(|_| ());
    };
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(file)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(&inside) {
            return io::copy(&mut entry, &mut File::create(program)?).map(|_| ());
        }
    }
    let why = format!("there is no {inside} in {}", file.display());
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

/// A folder of one run, gone with it.
struct Work(PathBuf);

impl Work {
    fn new(folder: &Path) -> Result<Self> {
        let stamp: u64 = rand::random();
        let own = folder.join(format!(".part-{}-{stamp:x}", std::process::id()));
        fs::create_dir_all(&own).map_err(|e| {
            Error::new(format!("{} can't be made", own.display()), "df -h").because(&e)
        })?;
        Ok(Work(own))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::collections::BTreeMap;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const LINUX: Platform = super::super::tool::PLATFORMS[0];
    const KIND: &str = "github.com/kubernetes-sigs/kind/releases/download/v0.31.0/kind-linux-amd64";
    const HELM: &str = "get.helm.sh/helm-v3.19.2-linux-amd64.tar.gz";

    /// Release hosts that have these files, each by its address; `.sha256sum` is made unless given.
    async fn hosts(files: &[(&str, Vec<u8>)]) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let files: BTreeMap<String, Vec<u8>> = files
            .iter()
            .map(|(path, bytes)| (format!("/{path}"), bytes.clone()))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let files = files.clone();
                tokio::spawn(async move {
                    let mut request = vec![0; 4096];
                    let count = stream.read(&mut request).await.unwrap_or(0);
                    let text = String::from_utf8_lossy(&request[..count]).into_owned();
                    let path = text.split(' ').nth(1).unwrap_or("").to_string();
                    let body = answer(&files, &path);
                    let (status, body) =
                        body.map_or(("404 Not Found", Vec::new()), |b| ("200 OK", b));
                    let head = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(&body).await;
                });
            }
        });
        base
    }

    fn answer(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Option<Vec<u8>> {
        if let Some(given) = files.get(path) {
            return Some(given.clone());
        }
        let of = path.strip_suffix(".sha256sum")?;
        let sum = download::hex(&<sha2::Sha256 as sha2::Digest>::digest(files.get(of)?));
        let name = of.rsplit('/').next()?;
        Some(format!("{sum}  {name}\n").into_bytes())
    }

    fn programs(folder: &Path, hosts: String) -> Programs {
        Programs {
            hosts: Some(hosts),
            ..Programs::new(folder)
        }
    }

    fn archive(path: &str, bytes: &[u8]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, path, bytes).unwrap();
        builder.into_inner().unwrap().finish().unwrap()
    }

    async fn fetch(programs: &Programs, tool: Tool) -> Result<PathBuf> {
        programs.fetch(tool, LINUX, &|_| {}).await
    }

    #[tokio::test]
    async fn a_program_is_fetched_once_and_can_be_run() {
        let home = tempfile::tempdir().unwrap();
        let script = b"#!/bin/sh\necho fetched\n";
        let hosts = hosts(&[
            (KIND, script.to_vec()),
            (HELM, archive("linux-amd64/helm", script)),
        ])
        .await;
        let programs = programs(home.path(), hosts);
        for tool in Tool::ALL {
            assert_eq!(programs.kept(tool, LINUX), None);
            let path = fetch(&programs, tool).await.unwrap();
            let said = std::process::Command::new(&path).output().unwrap();
            assert_eq!(said.stdout, b"fetched\n");
            assert_eq!(programs.kept(tool, LINUX), Some(path));
        }
        let left = fs::read_dir(&programs.folder).unwrap().flatten();
        let parts = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
        assert_eq!(parts.count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_is_not_as_summed_is_not_kept() {
        let home = tempfile::tempdir().unwrap();
        let sum = format!("{}  kind-linux-amd64\n", "0".repeat(64));
        let sums = format!("{KIND}.sha256sum");
        let hosts = hosts(&[(KIND, b"other".to_vec()), (&sums, sum.into_bytes())]).await;
        let programs = programs(home.path(), hosts);
        let error = fetch(&programs, Tool::Kind).await.unwrap_err();
        assert!(
            error
                .what
                .contains("is not the file that its checksum is of"),
            "{error}"
        );
        assert_eq!(error.next, Tool::Kind.install());
        assert_eq!(programs.kept(Tool::Kind, LINUX), None);
    }

    #[tokio::test]
    async fn a_program_that_was_changed_is_fetched_again_and_must_be_the_same_file() {
        let home = tempfile::tempdir().unwrap();
        let first = hosts(&[(KIND, b"first".to_vec())]).await;
        let path = fetch(&programs(home.path(), first.clone()), Tool::Kind)
            .await
            .unwrap();
        fs::write(&path, "tampered").unwrap();
        let again = programs(home.path(), first);
        assert_eq!(again.kept(Tool::Kind, LINUX), None);
        let path = fetch(&again, Tool::Kind).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        // A host that serves another file now, and a sum for it, does not get past the lock.
        fs::write(&path, "tampered").unwrap();
        let other = hosts(&[(KIND, b"second".to_vec())]).await;
        let error = fetch(&programs(home.path(), other), Tool::Kind)
            .await
            .unwrap_err();
        assert!(error.what.contains("is not the file"), "{error}");
    }

    #[test]
    fn a_program_of_a_bundle_is_kept_for_the_commands_after_it() {
        let home = tempfile::tempdir().unwrap();
        let from = home.path().join("kind");
        fs::write(&from, "of a bundle").unwrap();
        let programs = Programs::new(home.path());
        programs.adopt(Tool::Kind, LINUX, &from).unwrap();
        let kept = programs.kept(Tool::Kind, LINUX).unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), "of a bundle");
    }

    #[tokio::test]
    async fn a_host_without_the_file_is_told_with_its_answer() {
        let home = tempfile::tempdir().unwrap();
        let programs = programs(home.path(), hosts(&[]).await);
        let error = fetch(&programs, Tool::Helm).await.unwrap_err();
        assert!(
            error.to_string().contains("answered 404 Not Found"),
            "{error}"
        );
        assert!(
            error.next.starts_with("curl -fsSLO http://127.0.0.1"),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn an_archive_without_the_program_is_no_release() {
        let home = tempfile::tempdir().unwrap();
        let programs = programs(home.path(), hosts(&[(HELM, archive("x/y", b"z"))]).await);
        let error = fetch(&programs, Tool::Helm).await.unwrap_err();
        assert!(
            error.to_string().contains("there is no linux-amd64/helm"),
            "{error}"
        );
    }
}
