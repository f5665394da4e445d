//! Images of a bundle: the node's into Docker, the others into the node.

use super::Kind;
use crate::error::Result;
use crate::host::images;
use crate::plan::Cluster;
use crate::plan::outcome::Context;

impl Kind {
    /// The node image of the bundle, taken into Docker where it is not there; `None` where there is no
    /// bundle, or where another image was asked for that Docker has.
    pub(super) async fn node_image(
        &self,
        plan: &Cluster,
        context: &Context<'_>,
    ) -> Result<Option<String>> {
        let bundle = self.supply.bundle();
        let Some((bundle, image)) = bundle.and_then(|b| Some((b, b.manifest.node()?))) else {
            return Ok(None);
        };
        if let Some(wanted) = &plan.node_image
            && *wanted != image.name
            && images::has(wanted).await?
        {
            return Ok(None);
        }
        if !images::has(&image.name).await? {
            (context.waiting)(format!("taking {} into Docker", image.name));
            images::load(&bundle.archive(image)?).await?;
        }
        Ok(Some(image.name.clone()))
    }

    /// Every other image of the bundle into the node, once for each cluster.
    pub(super) async fn load_images(&self, context: &Context<'_>) -> Result<()> {
        let Some(bundle) = self.supply.bundle() else {
            return Ok(());
        };
        let Some(found) = self.found().await? else {
            return Ok(());
        };
        let mark = self.paths.folder().join("bundle.loaded");
        let done = format!("{} {}", found.id, bundle.folder().display());
        if std::fs::read_to_string(&mark).is_ok_and(|text| text == done) {
            return Ok(());
        }
        let program = self.program(context.waiting).await?;
        for image in bundle.manifest.images.iter().filter(|image| !image.node) {
            (context.waiting)(format!("taking {} into the node", image.name));
            program.load(&bundle.archive(image)?).await?;
        }
        // Without the mark they are taken in again, which does no harm.
        let _ = std::fs::write(mark, done);
        Ok(())
    }
}
