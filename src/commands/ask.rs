//! Questions to a person: asked on a terminal, answered by a flag elsewhere.

use super::session::Session;
use crate::apply::record::Record;
use crate::cli::Up;
use crate::error::{Error, Exit, Result};
use crate::plan::found::Found;
use crate::target::choose::Choice;
use crate::text;

/// A cluster that is not proved to be on this machine is used only when it was named and the person
/// has said yes to its server's address (architecture, decision 9). One environment is asked about
/// once, for as long as it stays at that server.
pub async fn permission(
    session: &Session,
    options: &Up,
    choice: &Choice,
    before: Option<&Record>,
) -> Result<()> {
    let Some(context) = choice.place.context() else {
        return Ok(());
    };
    let known = before.and_then(|before| before.access.as_ref());
    let known = known.is_some_and(|k| k.context == context && k.server == choice.server);
    if choice.locality.is_local() || known {
        return Ok(());
    }
    let name = text::shell(context);
    let what = format!("context {context} is not proved to be on this machine");
    let evidence = choice.locality.evidence();
    let refused = |next: String| {
        let error = Error::new(&what, next).exit(Exit::NoTarget);
        error
            .fact(format!("its API server is {}", choice.server))
            .fact(evidence)
    };
    if !choice.named {
        return Err(refused(format!("gw up --context {name}")));
    }
    if options.yes {
        return Ok(());
    }
    let question = format!(
        "Context {context} leads to {}: {evidence}.\nInstall there?",
        choice.server
    );
    match session.ask(&question).await {
        Some(true) => Ok(()),
        Some(false) => Err(Error::new(
            format!("{what}; nothing was done there"),
            "gw detect",
        )),
        None => Err(refused(format!("gw up --context {name} --yes"))),
    }
}

/// What others have installed is shown field by field, and used only when that is asked for. What was
/// used before and is still the same one is used again.
pub async fn adoption(
    session: &Session,
    options: &Up,
    found: &[Found],
    record: &mut Record,
) -> Result<()> {
    if let Some(useless) = found.iter().find(|found| found.obstacle.is_some()) {
        return Err(unfit(useless));
    }
    let known = |found: &&Found| record.adopted.get(&found.step) == Some(&found.identity);
    let new: Vec<&Found> = found.iter().filter(|found| !known(found)).collect();
    let lines: Vec<String> = new.iter().flat_map(|found| found.lines()).collect();
    if !new.is_empty() && !options.adopt {
        let what = "others have installed in this cluster what the plan would install";
        let refused = || {
            let error = Error::new(what, "gw up --adopt").exit(Exit::NoTarget);
            let error = lines.iter().cloned().fold(error, Error::fact);
            error.fact("adopted, it is used as it is: never upgraded, never taken away")
        };
        let question = format!(
            "{what}:\n  {}\nUse it as it is, and leave it so?",
            lines.join("\n  ")
        );
        if session.ask(&question).await != Some(true) {
            return Err(refused());
        }
    } else {
        lines
            .iter()
            .for_each(|line| session.sink.note(line.clone()));
    }
    record.adopted = found
        .iter()
        .map(|found| (found.step.clone(), found.identity.clone()))
        .collect();
    Ok(())
}

/// What is there stands in the way, and can't be used.
fn unfit(found: &Found) -> Error {
    let why = found.obstacle.as_deref().unwrap_or_default();
    let what = format!("{} is there, and {why}", found.what);
    let error = Error::new(what, "helm list -A").exit(Exit::NoTarget);
    let error = found.lines().into_iter().fold(error, Error::fact);
    error.fact("it belongs to others, so it is neither upgraded nor replaced")
}
