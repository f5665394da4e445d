//! The mock provider as a background process: a service of this machine like any other.

use crate::error::Result;
use crate::host::paths::EnvironmentPaths;
use crate::host::process::Background;
use crate::plan::HostService;
use crate::plan::outcome::{Change, Context};
use crate::plan::thing::Thing;

pub const ROLE: &str = "mock";

/// The built-in processor's role.
pub const PROCESSOR: &str = "processor";

/// Starts what a service of ours is, unless it runs on that port.
pub async fn ensure(
    paths: &EnvironmentPaths,
    service: &HostService,
    context: &Context<'_>,
) -> Result<Change> {
    let (role, args) = match service.demo {
        true => (PROCESSOR, vec!["processor", "--listen"]),
        false => (ROLE, vec!["mock", "--keyless", "--listen"]),
    };
    let process = Background::new(paths, role);
    let address = format!("127.0.0.1:{}", service.port);
    match process.alive() {
        Some(identity) if identity.ready == address => return Ok(Change::Unchanged),
        Some(_) => {
            process.stop().await?;
        }
        None => {}
    }
    context.journal.begin(&Thing::Process {
        role: role.to_string(),
    })?;
    let args = args.into_iter().chain([address.as_str()]);
    process
        .start(&args.map(str::to_string).collect::<Vec<_>>())
        .await?;
    Ok(Change::Created)
}
