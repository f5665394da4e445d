//! Arguments, streams, exit code: nothing else exits.

use gatewright::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::read();
    // One provider for every TLS user, chosen here so that no C library beyond ring's is needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(gatewright::commands::run(cli))
}
