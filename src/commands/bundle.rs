//! `gw debug --bundle FILE`: everything that was seen, for a colleague, without keys.

use super::Outcome;
use super::session::Session;
use crate::diagnose::bundle::files;
use crate::diagnose::fold::Diagnosis;
use crate::diagnose::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::report::document::Document;
use crate::text;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub fn write(
    session: &Session,
    file: &Path,
    snapshot: &Snapshot,
    diagnosis: &Diagnosis,
) -> Outcome {
    let files = files(snapshot, diagnosis);
    pack(file, &files)?;
    let findings = text::count(diagnosis.findings.len(), "finding");
    match session.is_json() {
        true => {
            let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
            let document = Document::new("debug", &snapshot.environment)
                .set("bundle", file.to_string_lossy().into_owned())
                .set("files", names);
            session.write(&document.text());
        }
        false => session.write(&format!(
            "{} has {}, {findings}; keys and tokens are removed\n",
            file.display(),
            text::count(files.len(), "file")
        )),
    }
    Ok(None)
}

/// Readable by its owner alone: what was seen is still this person's.
fn pack(path: &Path, files: &[(String, String)]) -> Result<()> {
    let fault = |e: &std::io::Error| {
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let next = format!("ls -ld {}", text::shell(&folder.to_string_lossy()));
        Error::new(format!("{} can't be written", path.display()), next).because(e)
    };
    let mut options = OpenOptions::new();
    let out = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    let mut archive = tar::Builder::new(GzEncoder::new(
        out.map_err(|e| fault(&e))?,
        Compression::default(),
    ));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        let path = format!("gw-debug/{name}");
        archive
            .append_data(&mut header, path, text.as_bytes())
            .map_err(|e| fault(&e))?;
    }
    let encoder = archive.into_inner().map_err(|e| fault(&e))?;
    encoder.finish().map(|_| ()).map_err(|e| fault(&e))
}
