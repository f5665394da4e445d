//! Images of this machine's Docker: whether it has one, and taking one in from an archive.

use super::docker;
use crate::error::{Error, Result};
use bollard::query_parameters::ImportImageOptions;
use futures::{TryStreamExt, stream};
use std::path::Path;
use tokio::io::AsyncReadExt;

/// Whether Docker has an image of this name.
pub async fn has(name: &str) -> Result<bool> {
    Ok(docker::connect().await?.inspect_image(name).await.is_ok())
}

/// What `docker load` does.
pub async fn load(archive: &Path) -> Result<()> {
    let shown = archive.to_string_lossy();
    let next = format!("docker load -i {}", crate::text::shell(&shown));
    let refused = Error::new(format!("Docker does not take in {shown}"), next);
    let docker = docker::connect().await?;
    let file = match tokio::fs::File::open(archive).await {
        Ok(file) => file,
        Err(e) => return Err(refused.because(&e)),
    };
    let pieces = stream::try_unfold(file, |mut file| async move {
        let mut buffer = vec![0; 1 << 18];
        let count = file.read(&mut buffer).await?;
        buffer.truncate(count);
        Ok::<_, std::io::Error>((count > 0).then(|| (bytes::Bytes::from(buffer), file)))
    });
    let said = docker.import_image_stream(ImportImageOptions::default(), pieces, None);
    let ended = said.try_for_each(|_| futures::future::ready(Ok(()))).await;
    ended.map_err(|e| refused.because(&e))
}
