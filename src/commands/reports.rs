//! The files that a proof is written to, each in the form that its ending names.

use super::session::Session;
use crate::error::{Error, Result};
use crate::report::proof::{Form, Report};
use crate::report::style::Look;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

pub struct Reports<'a>(Vec<(&'a Path, Form)>);

impl<'a> Reports<'a> {
    /// An ending that names no form is refused, by the name of the verb that was given it.
    pub fn of(files: &'a [PathBuf], verb: &str) -> Result<Reports<'a>> {
        let each = files
            .iter()
            .map(|file| Ok((file.as_path(), form(file, verb)?)));
        each.collect::<Result<_>>().map(Reports)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn save(&self, report: &Report<'_>, look: Look) -> Result<()> {
        let mut each = self.0.iter();
        each.try_for_each(|(file, form)| save(file, &report.write(*form, look)))
    }
}

fn form(file: &Path, verb: &str) -> Result<Form> {
    let ending = file
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("json") => Ok(Form::Json),
        Some("xml") => Ok(Form::Junit),
        Some("md" | "markdown") => Ok(Form::Markdown),
        Some("txt") => Ok(Form::Table),
        _ => {
            let what = format!("{} has no ending that names a form", file.display());
            let error = Error::usage(what, format!("gw {verb} --report proof.xml"));
            Err(error.fact("known: .json, .xml (JUnit), .md and .txt"))
        }
    }
}

fn save(file: &Path, text: &str) -> Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(file, text)).map_err(|e| {
        let what = format!("{} can't be written", file.display());
        Error::new(what, "gw test -o markdown").because(&e)
    })
}

impl Session {
    /// Adds a proof to the summary of a job on GitHub, where this runs there.
    pub fn summarize(&self, report: &Report<'_>) {
        let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|_| self.on_github) else {
            return;
        };
        let text = report.write(Form::Markdown, self.plain());
        let opened = File::options().create(true).append(true).open(&file);
        if let Err(e) = opened.and_then(|mut file| file.write_all(text.as_bytes())) {
            // A summary that is missing is no reason to fail a gateway that works.
            self.sink.note(format!("no summary of the job: {e}"));
        }
    }
}
