//! A proposal with the plan that makes it true, and the command that does the same without a question.

use super::see::Seen;
use crate::apply::ledger::Ledger;
use crate::apply::perform::unwanted;
use crate::cli::{Guide, TargetName, Wish};
use crate::commands::session::Session;
use crate::commands::wish::Wanted;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::plan::build::{build, default_cluster};
use crate::plan::thing::Thing;
use crate::profile::load::{Source, find};
use crate::profile::{PORT, Profile, TargetKind};
use crate::target::place::Place;
use crate::target::propose::document::NAME;
use crate::target::propose::offer::without_key;
use crate::target::propose::{Answers, Proposal, propose};
use crate::text::{self, list};
use crate::yaml;
use std::io::ErrorKind;
use std::path::Path;

/// What the profile of a proposal is called where a person reads where it came from.
const ORIGIN: &str = "what `gw` found";
/// Shipped profiles that may say in one word what was chosen.
const SHORT: [&str; 2] = ["default", "cloud"];

pub struct Draft {
    pub proposal: Proposal,
    pub wanted: Wanted,
    pub wish: Wish,
    /// The command that does the same without a question.
    pub again: String,
    /// The command that keeps the choices as a profile, where no shipped one says them.
    pub keep: Option<String>,
    /// Variables that hold no key: it was typed.
    pub typed: Vec<&'static str>,
}

impl Session {
    /// The proposal as a plan.
    pub async fn draft(&self, options: &Guide, seen: &Seen, answers: &Answers) -> Result<Draft> {
        known(options, seen)?;
        let mut proposal = propose(&seen.known, answers)?;
        let kind = proposal.place.kind();
        let cluster = proposal.place.cluster();
        let wish = Wish {
            target: Some(TargetName::of(kind)),
            context: proposal
                .place
                .context()
                .filter(|_| kind == TargetKind::Context)
                .map(str::to_string),
            cluster: cluster
                .filter(|name| *name != default_cluster(&self.global.env))
                .map(str::to_string),
            node_image: options
                .wish
                .node_image
                .clone()
                .filter(|_| cluster.is_some()),
            port: Some(proposal.port).filter(|port| *port != PORT),
            ..options.wish.clone()
        };
        let follows = match &answers.backends {
            None => self.follows()?,
            Some(_) => None,
        };
        if wish.profile.is_some() || follows.is_some() {
            let mut wanted = self.plan(&wish).await?;
            (proposal.used, proposal.left_out) = (Vec::new(), Vec::new());
            proposal.document.clone_from(&wanted.source.text);
            if let (None, Some(name)) = (&wish.profile, follows) {
                let note = format!("profile {name} is what is here: [b] makes another of it");
                wanted.plan.notes.insert(0, note);
            }
            self.takes_away(&mut wanted.plan);
            return Ok(Draft {
                again: typed("gw up", &wish),
                keep: None,
                typed: Vec::new(),
                proposal,
                wanted,
                wish,
            });
        }
        let source = Source::written(ORIGIN, &proposal.document);
        let mut plan = self.build(&source.profile()?, &proposal.place, &wish, seen)?;
        let short = self.short(&plan, &proposal.place, &wish, seen);
        self.takes_away(&mut plan);
        let saved = options.save.as_ref().map(|file| file.to_string_lossy());
        let profile = saved.map(|file| file.into_owned());
        let profile = profile.or(short.as_ref().map(|source| source.origin.clone()));
        let names: Vec<&str> = proposal.used.iter().map(|o| o.name.as_str()).collect();
        let again = match &profile {
            Some(name) => {
                let profile = Some(name.clone()).filter(|name| name != "default");
                typed(
                    "gw up",
                    &Wish {
                        profile,
                        ..wish.clone()
                    },
                )
            }
            None => typed(
                &format!("gw guide --yes --backends {}", names.join(",")),
                &wish,
            ),
        };
        Ok(Draft {
            again,
            keep: profile.is_none().then(|| self.keep()),
            typed: seen.typed.clone(),
            wanted: Wanted {
                plan,
                choice: proposal.choice.clone(),
                ports: seen.ports.clone(),
                source: short.unwrap_or(source),
                port_flag: wish.port,
                vault: seen.vault.clone(),
                to_make: Vec::new(),
            },
            proposal,
            wish,
        })
    }

    /// The profile that the environment follows, unless it is one that a machine gave: that is made
    /// anew from what is found today.
    fn follows(&self) -> Result<Option<String>> {
        let Some(record) = self.bound()?.filter(|record| !record.source.is_empty()) else {
            return Ok(None);
        };
        let name = find(&record.source, std::io::empty())?.profile()?.name;
        let kept = self.environment().profile();
        let found = name == NAME && Path::new(&record.source) == kept;
        let found = found || SHORT.contains(&record.source.as_str());
        Ok((!found).then_some(name))
    }

    /// What is here and not in a plan goes, and who says yes must know.
    fn takes_away(&self, plan: &mut Plan) {
        let things = Ledger::peek(&self.environment().ledger());
        let gone: Vec<String> = unwanted(plan, &things)
            .into_iter()
            .filter(|thing| matches!(thing, Thing::Object { .. }))
            .map(Thing::title)
            .collect();
        if !gone.is_empty() {
            plan.notes.push(format!("takes away {}", list(&gone)));
        }
    }

    fn build(&self, profile: &Profile, place: &Place, wish: &Wish, seen: &Seen) -> Result<Plan> {
        let mut profile = profile.clone();
        wish.override_profile(&mut profile);
        profile.target.context = place.context().map(str::to_string);
        profile.gateway.port = wish.port.unwrap_or(profile.gateway.port);
        build(&profile, place.kind(), &self.global.env, &seen.services)
    }

    /// A shipped profile that comes to the very same steps here.
    fn short(&self, plan: &Plan, place: &Place, wish: &Wish, seen: &Seen) -> Option<Source> {
        let fits = |name: &&str| {
            let source = find(name, std::io::empty()).ok()?;
            let other = self
                .build(&source.profile().ok()?, place, wish, seen)
                .ok()?;
            (other.steps == plan.steps && other.routes == plan.routes).then_some(source)
        };
        SHORT.iter().find_map(fits)
    }

    fn keep(&self) -> String {
        let env = match self.global.env.as_str() {
            "default" => String::new(),
            name => format!(" --env {name}"),
        };
        format!("gw profile show{env} > gateway.yaml")
    }
}

impl Answers {
    /// What flags and environment say already.
    pub fn of(options: &Guide) -> Answers {
        let backends = &options.backends;
        Answers {
            place: None,
            backends: (!backends.is_empty()).then(|| backends.iter().cloned().collect()),
            port: options.wish.port,
        }
    }
}

/// A command with the flags of a wish.
fn typed(command: &str, wish: &Wish) -> String {
    let flags = wish.flags().into_iter();
    let flags = flags.map(|(name, value)| format!(" {name} {}", text::shell(&value)));
    format!("{command}{}", flags.collect::<String>())
}

/// A backend that was asked for by name is one that was found.
fn known(options: &Guide, seen: &Seen) -> Result<()> {
    let keyless = without_key(&seen.known.facts.keys);
    for name in &options.backends {
        let mut offers = seen.known.offers.iter().chain(&keyless);
        match offers.find(|offer| offer.name == *name) {
            None => {
                let there: Vec<&str> = seen.known.offers.iter().map(|o| o.name.as_str()).collect();
                let error = Error::usage(format!("no backend `{name}` was found"), "gw detect");
                return Err(error.fact(format!("found: {}", text::list(&there))));
            }
            Some(offer) => {
                if let Some(lack) = &offer.lacks {
                    return Err(lack.clone());
                }
            }
        }
    }
    Ok(())
}

impl Draft {
    /// What goes on with these choices where a plain `gw up` is proposed: it would begin with others.
    pub fn instead_of(&self, next: &str) -> String {
        match next.strip_prefix("gw up") {
            Some("") => self.again.clone(),
            Some(port) if port.starts_with(" --port ") => {
                let mut words: Vec<&str> = self.again.split(' ').collect();
                if let Some(at) = words.iter().position(|word| *word == "--port") {
                    words.drain(at..words.len().min(at + 2));
                }
                format!("{}{port}", words.join(" "))
            }
            _ => next.to_string(),
        }
    }

    /// The objects, then the profile.
    pub fn yaml(&self) -> String {
        let objects: Vec<String> = self.wanted.plan.objects().map(yaml::write).collect();
        format!("{}---\n{}", objects.join("---\n"), self.wanted.source.text)
    }

    /// Writes the profile to a file that is not there yet, or that holds it already.
    pub fn save(&self, file: &Path) -> Result<()> {
        let text = &self.proposal.document;
        let name = file.display();
        match std::fs::read_to_string(file) {
            Ok(there) if there == *text => return Ok(()),
            Ok(_) => {
                let what = format!("{name} is there already and holds something else");
                return Err(Error::usage(
                    what,
                    format!("cat {}", text::shell(&name.to_string())),
                ));
            }
            Err(_) => {}
        }
        std::fs::write(file, text).map_err(|e| {
            let what = format!("{name} can't be written");
            let folder = file
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).display().to_string();
            let next = match e.kind() {
                ErrorKind::NotFound => format!("mkdir -p {}", text::shell(&folder)),
                _ => format!("ls -ld {}", text::shell(&folder)),
            };
            Error::usage(what, next).because(&e)
        })
    }
}
