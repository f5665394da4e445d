//! Our own services of this machine as background processes: the mock provider, the processor, the
//! bridge to MCP servers that are programs.

use crate::error::{Error, Result};
use crate::gateway::bridge::settings;
use crate::host::paths::EnvironmentPaths;
use crate::host::private;
use crate::host::process::Background;
use crate::plan::outcome::{Change, Context};
use crate::plan::thing::Thing;
use crate::plan::{BRIDGE, HostService, MOCK, PROCESSOR};
use crate::secret::Secret;
use sha2::{Digest, Sha256};

/// How a service of ours is started.
struct Start {
    role: &'static str,
    words: Vec<String>,
    /// What it reads from its standard input; keys may be in it.
    told: Option<Secret>,
}

/// Starts what a service of ours is, unless it runs on that port with just these settings.
pub async fn ensure(
    paths: &EnvironmentPaths,
    service: &HostService,
    context: &Context<'_>,
) -> Result<Change> {
    let Some(start) = start(paths, service, context)? else {
        return Ok(Change::Unchanged);
    };
    let process = Background::new(paths, start.role);
    let address = format!("127.0.0.1:{}", service.port);
    match process.alive() {
        Some(identity) if identity.ready == address && start.is_same(paths) => {
            return Ok(Change::Unchanged);
        }
        Some(_) => {
            process.stop().await?;
        }
        None => {}
    }
    context.journal.begin(&Thing::Process {
        role: start.role.to_string(),
    })?;
    // Until it is written down anew, nobody knows what runs.
    let _ = std::fs::remove_file(paths.told(start.role));
    let mut words = start.words.clone();
    words.push(address);
    process.start_told(&words, start.told.as_ref()).await?;
    start.remember(paths)?;
    Ok(Change::Created)
}

fn start(
    paths: &EnvironmentPaths,
    service: &HostService,
    context: &Context<'_>,
) -> Result<Option<Start>> {
    let start = |role, words: &[&str]| Start {
        role,
        words: words.iter().map(ToString::to_string).collect(),
        told: None,
    };
    Ok(match service.role() {
        None => None,
        Some(MOCK) => Some(start(MOCK, &["mock", "--keyless", "--listen"])),
        Some(PROCESSOR) => Some(start(PROCESSOR, &["processor", "--listen"])),
        Some(role) => {
            let told = settings::write(&service.bridged, context.vault, &logs(paths));
            let Some(told) = told else {
                // Repairs have no keys at hand: what runs has them.
                let runs = Background::new(paths, role).alive().is_some();
                let what = "the keys of the MCP servers behind the bridge are not at hand";
                return match runs {
                    true => Ok(None),
                    false => Err(Error::new(what, "gw up")),
                };
            };
            Some(Start {
                told: Some(told),
                ..start(BRIDGE, &["bridge", "--listen"])
            })
        }
    })
}

/// What shows the log of the bridge, for its own errors.
fn logs(paths: &EnvironmentPaths) -> String {
    let name = paths.folder().file_name().unwrap_or_default();
    match name.to_string_lossy().as_ref() {
        "default" => format!("gw logs {BRIDGE}"),
        name => format!("gw logs {BRIDGE} --env {name}"),
    }
}

impl Start {
    /// Whether what runs was told the same. What it was told may hold keys: only a digest of it is
    /// kept, with salt, in a file that nobody else can read.
    fn is_same(&self, paths: &EnvironmentPaths) -> bool {
        let Some(told) = &self.told else { return true };
        let kept = std::fs::read_to_string(paths.told(self.role)).unwrap_or_default();
        let salt = kept.split(':').next().unwrap_or("");
        !salt.is_empty() && kept == mark(salt, told)
    }

    fn remember(&self, paths: &EnvironmentPaths) -> Result<()> {
        let Some(told) = &self.told else {
            return Ok(());
        };
        let file = paths.told(self.role);
        let salt = format!("{:032x}", rand::random::<u128>());
        private::write(&file, &mark(&salt, told)).map_err(|e| {
            Error::new(format!("{} can't be written", file.display()), "df -h").because(&e)
        })
    }
}

fn mark(salt: &str, told: &Secret) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(told.expose());
    let hex: Vec<String> = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{salt}:{}", hex.concat())
}
