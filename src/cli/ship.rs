//! Commands by which it reaches machines: bundles, completions, pages of the manual.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Where what a machine lacks comes from.
#[derive(Debug, Clone, Args)]
pub struct From {
    /// Fetch nothing: what is missing is an error that says how to get it
    #[arg(long, env = "GW_OFFLINE")]
    pub offline: bool,
    /// Take charts, images and programs from this file of `gw bundle create`, and fetch nothing
    #[arg(long, env = "GW_BUNDLE", value_name = "FILE")]
    pub bundle: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gw bundle create gw.bundle\n  gw bundle create gw.bundle --profile ci --platform linux/arm64\n  gw bundle verify gw.bundle\n  gw up --bundle gw.bundle    on a machine with Docker and nothing else"
)]
pub struct Bundle {
    #[command(subcommand)]
    pub verb: BundleVerb,
}

#[derive(Debug, Subcommand)]
pub enum BundleVerb {
    /// Gather charts, images, definitions, kind, helm, node image and profile; goes on where it ended
    Create(BundleCreate),
    /// What is in it
    Show { file: PathBuf },
    /// Compare every part with its digest
    Verify { file: PathBuf },
}

#[derive(Debug, Clone, Args)]
pub struct BundleCreate {
    pub file: PathBuf,
    /// Shipped profile, file, or - for standard input; without it the last one, else default
    #[arg(short, long, env = "GW_PROFILE", value_name = "PROFILE")]
    pub profile: Option<String>,
    /// System and processor of the machine it is for, such as linux/arm64; without it this one
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// Image of a new kind node [default: the profile's, the pinned one of this kind]
    #[arg(long, env = "GW_NODE_IMAGE", value_name = "IMAGE")]
    pub node_image: Option<String>,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  gw completions bash > ~/.local/share/bash-completion/completions/gw\n  gw completions zsh > ~/.zfunc/_gw\n  gw completions fish > ~/.config/fish/completions/gw.fish"
)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Clone, Args)]
pub struct Man {
    /// Where the pages go
    pub folder: PathBuf,
}
