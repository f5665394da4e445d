//! `gw completions` and `gw man`: what a shell and a manual are given, from the command line's own types.

use super::Outcome;
use super::session::Session;
use crate::cli::{Cli, Completions, Man};
use crate::error::Error;
use clap::CommandFactory;
use std::fs;

pub fn completions(session: &Session, options: &Completions) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "gw", &mut text);
    session.write(&String::from_utf8_lossy(&text));
    Ok(None)
}

/// One page for `gw` and one for each command, `gw-profile-list.1` and so on.
pub fn man(session: &Session, options: &Man) -> Outcome {
    let folder = &options.folder;
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|e| {
        let what = format!("{} can't be written", folder.display());
        Error::new(what, "df -h").because(&e)
    })?;
    session.write(&format!("{}\n", folder.display()));
    Ok(None)
}
