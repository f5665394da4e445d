//! The mock provider as a background process: a service of this machine like any other.

use crate::error::Result;
use crate::host::paths::EnvironmentPaths;
use crate::host::process::Background;
use crate::plan::HostService;
use crate::plan::outcome::{Change, Context};
use crate::plan::thing::Thing;

pub const ROLE: &str = "mock";

/// Starts it unless it runs on that port.
pub async fn ensure(
    paths: &EnvironmentPaths,
    service: &HostService,
    context: &Context<'_>,
) -> Result<Change> {
    let mock = Background::new(paths, ROLE);
    let address = format!("127.0.0.1:{}", service.port);
    match mock.alive() {
        Some(identity) if identity.ready == address => return Ok(Change::Unchanged),
        Some(_) => {
            mock.stop().await?;
        }
        None => {}
    }
    context.journal.begin(&Thing::Process {
        role: ROLE.to_string(),
    })?;
    let args = ["mock", "--keyless", "--listen", &address];
    mock.start(&args.map(str::to_string)).await?;
    Ok(Change::Created)
}
