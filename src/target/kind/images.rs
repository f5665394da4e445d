//! Images of a bundle: the node's into Docker, the others into the node.

use super::Kind;
use crate::error::Result;
use crate::host::{docker, images};
use crate::plan::Cluster;
use crate::plan::outcome::{Context, Wire};
use crate::supply::bundle::registry::Registry;
use crate::supply::own::OwnImage;
use std::path::PathBuf;
use std::time::Duration;

/// A registry that is slower than this is taken for one that can't be reached.
const ASKED: Duration = Duration::from_secs(5);

/// A mark that something has been taken into a node.
struct Loaded {
    mark: PathBuf,
    what: String,
}

impl Loaded {
    fn of(kind: &Kind, name: &str, what: String) -> Self {
        let mark = kind.paths.folder().join(format!("{name}.loaded"));
        Loaded { mark, what }
    }

    fn is_done(&self) -> bool {
        std::fs::read_to_string(&self.mark).is_ok_and(|text| text == self.what)
    }

    /// Without the mark it is taken in again, which does no harm.
    fn done(&self) {
        let _ = std::fs::write(&self.mark, &self.what);
    }
}

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

    /// The image of this program: the one of its release where the node can have that, else one of this
    /// very executable, taken into the node. What was decided once holds until a proof fails.
    pub(super) async fn own_image(&self, image: &str, context: &Context<'_>) -> Result<()> {
        let known = context.wire(image).map(|wire| wire.host);
        let bundle = self.supply.bundle();
        if bundle.is_some_and(|b| b.manifest.images.iter().any(|i| i.name == image)) {
            context.set_wire(image, Wire::image(image));
            return Ok(());
        }
        let Some(found) = self
            .found()
            .await?
            .filter(|_| known.as_deref() != Some(image))
        else {
            return Ok(());
        };
        let processor = docker::processor(&docker::connect().await?, &found.id).await?;
        if known.is_none() && self.is_released(image, &processor).await {
            context.set_wire(image, Wire::image(image));
            return Ok(());
        }
        // Where this program runs on no such node, its pod tells what it lacks.
        let Some(own) = OwnImage::here(&processor)? else {
            return Ok(());
        };
        let loaded = Loaded::of(self, "image", format!("{} {}", found.id, own.name));
        if !loaded.is_done() {
            (context.waiting)("taking this program into the node".to_string());
            let program = self.program(context.waiting).await?;
            let archive = own.clone().write(self.paths.folder()).await?;
            program.load(&archive.path()).await?;
            loaded.done();
        }
        context.set_wire(image, Wire::image(&own.name));
        Ok(())
    }

    async fn is_released(&self, image: &str, processor: &str) -> bool {
        let registry = Registry::open();
        let asked = tokio::time::timeout(ASKED, registry.resolve(image, processor));
        !self.supply.is_offline() && asked.await.is_ok_and(|found| matches!(found, Ok(Some(_))))
    }

    /// Every other image of the bundle into the node, once for each cluster.
    pub(super) async fn load_images(&self, context: &Context<'_>) -> Result<()> {
        let Some(bundle) = self.supply.bundle() else {
            return Ok(());
        };
        let Some(found) = self.found().await? else {
            return Ok(());
        };
        let what = format!("{} {}", found.id, bundle.folder().display());
        let loaded = Loaded::of(self, "bundle", what);
        if loaded.is_done() {
            return Ok(());
        }
        let program = self.program(context.waiting).await?;
        for image in bundle.manifest.images.iter().filter(|image| !image.node) {
            (context.waiting)(format!("taking {} into the node", image.name));
            program.load(&bundle.archive(image)?).await?;
        }
        loaded.done();
        Ok(())
    }
}
