//! `gw` alone: looks, proposes, asks one question, goes.

mod ask;
mod draft;
mod see;

use super::Outcome;
use super::session::Session;
use super::up::{bundled, make_true};
use crate::cli::{Guide, Up};
use crate::error::{Error, Result};
use crate::gateway::ends::ending;
use crate::host::terminal::Kept;
use crate::provider::{Home, Provider};
use crate::report::{guide, machine};
use crate::target::propose::offer::{Offer, without_key};
use crate::target::propose::{Answers, choices};
use ask::Answer;
use console::Term;
use draft::Draft;
use see::Seen;
use std::collections::BTreeMap;
use std::time::Instant;

/// Columns of a terminal that does not tell, and the fewest that are written for.
const USUAL_WIDTH: u16 = 80;
const LEAST_WIDTH: usize = 40;

pub async fn run(session: &Session, options: &Guide) -> Outcome {
    if !options.yes {
        session.can_ask()?;
    }
    let chosen = tokio::select! {
        chosen = choose(session, options) => chosen?,
        error = stopped() => return Err(error),
    };
    let Some(draft) = chosen else {
        session.talk("nothing was changed\n");
        return Ok(None);
    };
    let again = draft.again.clone();
    tokio::select! {
        outcome = go(session, options, draft) => outcome,
        error = super::interrupted("up", again) => Err(error),
    }
}

/// A signal while nothing has been made.
async fn stopped() -> Error {
    ask::interrupted(ending().await)
}

async fn go(session: &Session, options: &Guide, mut draft: Draft) -> Outcome {
    let start = Instant::now();
    if let Some(file) = &options.save {
        draft.save(file)?;
    }
    let _lock = session.lock("up").await?;
    let up = Up::of(draft.wish.clone(), options.from.clone());
    bundled(session, &up).await?;
    let wanted = &mut draft.wanted;
    if !options.yes || !session.global.quiet {
        // The proposal has said it.
        wanted.choice.reason.clear();
        wanted.plan.notes.clear();
    }
    let outcome = make_true(session, &up, &draft.wanted, start).await;
    let outcome = outcome.map_err(|error| Error {
        next: draft.instead_of(&error.next),
        ..error
    })?;
    if !session.is_json() {
        let mut rows: Vec<(&str, String)> = Vec::new();
        for name in &draft.typed {
            rows.push((
                "the key that was typed",
                format!("read -rs {name} && export {name}"),
            ));
        }
        rows.push((
            "the same without a question",
            session.complete(&draft.again),
        ));
        rows.extend(
            draft
                .keep
                .iter()
                .map(|keep| ("the choices as a profile", keep.clone())),
        );
        session.talk(&guide::again(&rows, session.err));
    }
    Ok(outcome)
}

/// The dialogue: everything can be changed until somebody says yes. `None` for a no.
async fn choose(session: &Session, options: &Guide) -> Result<Option<Draft>> {
    let _kept = (!options.yes).then(Kept::now);
    let silent = options.yes && session.global.quiet;
    let talk = |text: &str| {
        if !silent {
            session.talk(text);
        }
    };
    let mut seen = session
        .look_around(options, |facts, took| {
            let lines = machine::found(facts, Some(took), width(), session.err);
            talk(&format!("{}\n\n", lines.join("\n")));
        })
        .await?;
    let mut answers = Answers::of(options);
    loop {
        let draft = session.draft(options, &seen, &answers).await?;
        let plan = &draft.wanted.plan;
        talk(&guide::plan(&draft.proposal, plan, width(), session.err));
        if options.yes {
            return Ok(Some(draft));
        }
        match ask::question(session.err).await? {
            Answer::Yes => return Ok(Some(draft)),
            Answer::No => return Ok(None),
            Answer::Show => session.write(&draft.yaml()),
            Answer::Target => target(session, &seen, &draft, &mut answers).await?,
            Answer::Backends => backends(session, &mut seen, &draft, &mut answers).await?,
        }
        talk("\n");
    }
}

async fn target(
    session: &Session,
    seen: &Seen,
    draft: &Draft,
    answers: &mut Answers,
) -> Result<()> {
    if let Some(last) = &seen.known.asked.last {
        session.talk(&guide::does_not_move(
            &session.global.env,
            &last.name(),
            width(),
        ));
        return Ok(());
    }
    let (places, others) = choices(&seen.known);
    session.talk(&guide::not_to_choose(&others, width(), session.err));
    let now = places
        .iter()
        .position(|c| c.place.is(&draft.proposal.place));
    let items = guide::places(&places, width());
    let chosen = ask::one("Where", items, now.unwrap_or(0), session.err).await?;
    if let Some(candidate) = chosen.and_then(|index| places.get(index)) {
        answers.place = Some(candidate.place.clone());
    }
    Ok(())
}

/// Which backends; a key can be typed for those that have none.
async fn backends(
    session: &Session,
    seen: &mut Seen,
    draft: &Draft,
    answers: &mut Answers,
) -> Result<()> {
    let mut offers = seen.known.offers.clone();
    let known = |offer: &Offer| seen.known.offers.iter().any(|o| o.name == offer.name);
    let others = without_key(&seen.known.facts.keys);
    offers.extend(others.into_iter().filter(|offer| !known(offer)));
    let settings = &seen.services.settings;
    offers.retain(|offer| offer.lacks.is_none() || takes_a_key(offer, settings));
    let is_used = |name: &str| draft.proposal.used.iter().any(|offer| offer.name == name);
    let ticked = offers.iter().map(|offer| is_used(&offer.name));
    let items = guide::backends(&offers, width()).into_iter().zip(ticked);
    let prompt = "Who answers (space ticks, enter takes, esc leaves it)";
    let Some(chosen) = ask::several(prompt, items.collect(), session.err).await? else {
        return Ok(());
    };
    let chosen: Vec<&Offer> = chosen
        .iter()
        .filter_map(|index| offers.get(*index))
        .collect();
    for offer in chosen.iter().filter(|offer| offer.lacks.is_some()) {
        let title = offer.provider.ways().title;
        if let Some(key) = ask::hidden(format!("Key of {title}, not shown"), session.err).await? {
            seen.take(offer, key).await;
        }
    }
    answers.backends = Some(chosen.iter().map(|offer| offer.name.clone()).collect());
    Ok(())
}

/// Whether a key is all that an offer lacks, and one that can be typed.
fn takes_a_key(offer: &Offer, settings: &BTreeMap<String, String>) -> bool {
    let ways = offer.provider.ways();
    let is_typed = ways.home == Home::Cloud && offer.provider != Provider::VertexAi;
    is_typed && ways.resolve(&BTreeMap::new(), settings).is_ok()
}

fn width() -> usize {
    let size = Term::stderr().size_checked();
    let columns = size.map_or(USUAL_WIDTH, |(_, columns)| columns);
    usize::from(columns).saturating_sub(1).max(LEAST_WIDTH)
}

impl Session {
    /// Nobody is asked where nobody may be there: in CI, in a pipe, on a terminal that can't draw.
    fn can_ask(&self) -> Result<()> {
        use std::io::IsTerminal;
        let streams = [
            (std::io::stdin().is_terminal(), "standard input"),
            (std::io::stdout().is_terminal(), "standard output"),
            (std::io::stderr().is_terminal(), "standard error"),
        ];
        let other = streams.iter().find(|(is_terminal, _)| !is_terminal);
        let why = match (other, self.err.terminal, self.is_json()) {
            (_, _, true) => "an answer in JSON asks nothing".to_string(),
            (Some((_, name)), _, _) => format!("{name} is no terminal"),
            (None, false, _) => "CI is set, or TERM is dumb".to_string(),
            (None, true, _) => return Ok(()),
        };
        let what = "`gw` alone asks one question, and nobody can be asked here";
        let error = Error::usage(what, "gw up").fact(why);
        Err(error.fact("without a question: `gw guide --yes` goes with what it proposes"))
    }
}
