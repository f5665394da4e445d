//! Where what a machine lacks comes from: the programs `kind` and `helm`, charts, images and the
//! Gateway API's definitions. What is here is taken first, then what is in a bundle, then what was
//! fetched before, then the outside world, unless that is forbidden.

pub mod bundle;
pub mod definitions;
pub mod download;
mod kept;
pub mod own;
pub mod tool;

use crate::error::{Error, Result};
use crate::event::Sink;
use crate::host::paths::Paths;
use crate::plan::chart::Chart;
use bundle::open::Opened;
use download::Waiting;
use kept::Programs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;
use tool::{Platform, Tool};

/// One run's supplies.
#[derive(Debug, Clone)]
pub struct Supply {
    cache: PathBuf,
    /// Whether nothing may be fetched.
    offline: bool,
    bundle: Arc<OnceLock<Opened>>,
    /// Held while a program is fetched: charts side by side need the same one.
    fetching: Arc<Mutex<()>>,
}

impl Supply {
    pub fn new(paths: &Paths, offline: bool) -> Self {
        Supply {
            cache: paths.cache().to_path_buf(),
            offline,
            bundle: Arc::default(),
            fetching: Arc::default(),
        }
    }

    /// Unpacks a bundle and takes everything from it. A whole one leaves nothing to fetch.
    pub async fn open(&self, file: &Path, sink: &Sink) -> Result<&Opened> {
        let (path, cache, sink) = (file.to_path_buf(), self.cache.clone(), sink.clone());
        let opening = tokio::task::spawn_blocking(move || bundle::open::open(&path, &cache, &sink));
        let opened = opening.await.unwrap_or_else(|e| {
            let what = format!("{} can't be opened", file.display());
            Err(Error::new(what, "gw bundle verify FILE").because(&e))
        })?;
        if let Some(platform) = Platform::here() {
            let programs = Programs::new(&self.cache);
            for tool in Tool::ALL {
                if let Some(path) = opened.program(tool, platform) {
                    programs.adopt(tool, platform, &path)?;
                }
            }
        }
        Ok(self.bundle.get_or_init(|| opened))
    }

    pub fn bundle(&self) -> Option<&Opened> {
        self.bundle.get()
    }

    pub fn is_offline(&self) -> bool {
        self.offline || self.bundle().is_some()
    }

    /// Why nothing may be fetched.
    pub fn reason(&self) -> &'static str {
        match self.bundle() {
            Some(_) => "it is not in the bundle",
            None => "it was not fetched before, and --offline forbids it now",
        }
    }

    /// The path of a program: the one on PATH, else one of the pinned version.
    pub async fn program(&self, tool: Tool, waiting: Waiting<'_>) -> Result<PathBuf> {
        if let Ok(path) = which::which(tool.name()) {
            return Ok(path);
        }
        let absent = format!("`{}` is not on PATH", tool.name());
        let Some(platform) = Platform::here() else {
            let machine = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
            let why = format!("there is no release of it for {machine}");
            return Err(Error::new(absent, tool.install()).fact(why));
        };
        let fetched = self.fetched(tool, platform, waiting).await;
        fetched.map_err(|error| match self.is_offline() {
            true => Error::new(absent, tool.install()).fact(self.reason()),
            false => Error {
                what: absent,
                facts: std::iter::once(error.what).chain(error.facts).collect(),
                next: tool.install().to_string(),
                ..error
            },
        })
    }

    /// A program's pinned version for a platform, whatever is on PATH.
    pub async fn fetched(
        &self,
        tool: Tool,
        platform: Platform,
        waiting: Waiting<'_>,
    ) -> Result<PathBuf> {
        let programs = Programs::new(&self.cache);
        let _alone = self.fetching.lock().await;
        if let Some(path) = programs.kept(tool, platform) {
            return Ok(path);
        }
        if self.is_offline() {
            let what = format!("{} for {platform} is not at hand", tool.name());
            return Err(Error::new(what, tool.install()).fact(self.reason()));
        }
        programs.fetch(tool, platform, waiting).await
    }

    /// What helm is given for a chart: its archive in the bundle, else its own source.
    pub fn chart(&self, chart: &Chart) -> Result<String> {
        let bundled = self
            .bundle()
            .and_then(|b| b.chart(chart.name, &chart.version));
        if let Some(path) = bundled {
            return Ok(path.to_string_lossy().into_owned());
        }
        if self.is_offline() && chart.source.starts_with("oci://") {
            let what = format!("chart {} {} is not at hand", chart.name, chart.version);
            let next = format!("helm pull {} --version {}", chart.source, chart.version);
            return Err(Error::new(what, next).fact(match self.bundle() {
                Some(_) => self.reason(),
                None => "it would be fetched, and --offline forbids that",
            }));
        }
        Ok(chart.source.clone())
    }
}
