//! Arguments, streams, exit code: nothing else exits.

use clap::Parser;
use gatewright::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider for every TLS user, chosen here so that no C library beyond ring's is needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return ExitCode::FAILURE;
    };
    let code = runtime.block_on(gatewright::commands::run(cli));
    // A read of standard input that nobody waits for any more must not hold the process up.
    runtime.shutdown_background();
    ExitCode::from(code)
}
