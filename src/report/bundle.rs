//! What a bundle holds, for a person.

use crate::supply::bundle::{Content, Image, Manifest, PROFILE};
use crate::text;

/// Its parts as people think of them: programs, charts, definitions, images; each with its size.
pub fn bundle(manifest: &Manifest) -> String {
    let mut rows = vec![row(
        "profile",
        &manifest.profile,
        size_of(manifest, PROFILE),
    )];
    for (folder, what) in [
        ("programs/", "program"),
        ("definitions/", "definitions"),
        ("charts/", "chart"),
    ] {
        let parts = manifest.parts.iter();
        for part in parts.filter(|part| part.path.starts_with(folder)) {
            rows.push(row(what, part.path.trim_start_matches(folder), part.size));
        }
    }
    for image in &manifest.images {
        let what = if image.node { "node image" } else { "image" };
        rows.push(row(what, &image.name, image_size(manifest, image)));
    }
    let mut lines = text::table(&rows);
    lines.push(String::new());
    lines.push(format!(
        "{}, {} unpacked, for {}, made by gw {}",
        text::count(manifest.parts.len(), "part"),
        text::bytes(manifest.size()),
        manifest.platform,
        manifest.made_by
    ));
    lines.join("\n") + "\n"
}

fn row(what: &str, name: &str, size: u64) -> Vec<String> {
    vec![what.to_string(), name.to_string(), text::bytes(size)]
}

fn size_of(manifest: &Manifest, path: &str) -> u64 {
    let part = manifest.parts.iter().find(|part| part.path == path);
    part.map_or(0, |part| part.size)
}

/// Layers that images share count for each.
fn image_size(manifest: &Manifest, image: &Image) -> u64 {
    match &image.content {
        Content::Saved(path) => size_of(manifest, path),
        Content::Blobs { .. } => {
            let paths = image.content.paths();
            paths.iter().map(|path| size_of(manifest, path)).sum()
        }
    }
}
