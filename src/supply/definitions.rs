//! The Gateway API's released bundle of CRDs: fetched once and kept.

use super::Supply;
use super::download::Waiting;
use crate::error::{Error, Result};
use crate::host::web;
use crate::plan::GATEWAY_API_VERSION;
use std::time::Duration;

/// Where its project releases the standard channel, which is enough for Gateway and HTTPRoute (facts 1.6).
const RELEASES: &str = "https://github.com/kubernetes-sigs/gateway-api/releases/download";
/// One that stands in every bundle.
const GATEWAYS: &str = "gateways.gateway.networking.k8s.io";

/// The address of a version's bundle.
pub fn url(version: &str) -> String {
    format!("{RELEASES}/{version}/standard-install.yaml")
}

impl Supply {
    /// The text of the bundle of `GATEWAY_API_VERSION`.
    pub async fn definitions(&self, waiting: Waiting<'_>) -> Result<String> {
        let name = format!("gateway-api-{GATEWAY_API_VERSION}-standard.yaml");
        if let Some(text) = self
            .bundle()
            .and_then(|b| b.definitions(GATEWAY_API_VERSION))
        {
            return Ok(text);
        }
        let kept = self.cache.join(name);
        if let Ok(text) = std::fs::read_to_string(&kept) {
            return Ok(text);
        }
        let url = url(GATEWAY_API_VERSION);
        if self.is_offline() {
            let what = format!("the CRDs of Gateway API {GATEWAY_API_VERSION} are not at hand");
            let next = format!("curl -fsSL --create-dirs -o {} {url}", kept.display());
            return Err(Error::new(what, next).fact(self.reason()));
        }
        waiting(format!("fetching {url}"));
        let fetched = || web::fetch(&url, Duration::from_secs(60));
        let text = web::patiently(waiting, fetched).await?;
        // A network's login page is an answer too, and must not be kept.
        if !text.contains(GATEWAYS) {
            let error = Error::new(
                format!("{url} answered with something else"),
                format!("curl -fsSLO {url}"),
            );
            return Err(error.fact(crate::text::excerpt(&text, 160)));
        }
        // Written beside and renamed: a killed run must not leave half a bundle behind.
        let part = kept.with_extension(format!("part-{}", std::process::id()));
        let written = std::fs::create_dir_all(&self.cache);
        let written = written.and_then(|()| std::fs::write(&part, &text));
        let written = written.and_then(|()| std::fs::rename(&part, &kept));
        written.map_err(|e| {
            Error::new(format!("{} can't be written", kept.display()), "df -h").because(&e)
        })?;
        Ok(text)
    }
}
