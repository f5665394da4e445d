//! Keys at hand: read from their sources and shown to their providers, before a plan is made.

use super::callers;
use crate::apply::record::now;
use crate::error::Error;
use crate::host::key;
use crate::host::paths::EnvironmentPaths;
use crate::plan::choose::{target_owner, wants_key};
use crate::plan::select::KeyState;
use crate::profile::{Backend, Llm, Profile, Serves};
use crate::provider::check::{AUTHORIZATION, Judgement, Subject, requests};
use crate::provider::client::OURS;
use crate::provider::{Home, Provider, Ways, bedrock, vertexai};
use crate::secret::Secret;
use crate::secret::hidden;
use crate::secret::source::Source;
use crate::secret::vault::Vault;
use futures::future::join_all;
use std::collections::BTreeMap;

/// The keys themselves, and what is known of them.
#[derive(Default)]
pub struct Keys {
    pub vault: Vault,
    pub states: BTreeMap<String, KeyState>,
    /// Keys for callers that have still to be made: policy and name.
    pub to_make: Vec<(String, String)>,
}

/// Reads every key that a profile needs and asks the providers about them, all side by side. From
/// here on no child gets the variables that the profile names for keys either.
pub async fn gather(
    profile: &Profile,
    settings: &BTreeMap<String, String>,
    paths: &EnvironmentPaths,
) -> Result<Keys, Error> {
    let wanted: Vec<Wanted> = profile.backends.iter().flat_map(wanted).collect();
    let named = wanted
        .iter()
        .flat_map(|w| &w.parts)
        .map(|part| &part.source);
    let named = named.flat_map(Source::variables);
    hidden::hide(named.map(String::as_str));
    let mut keys = Keys::default();
    for (owner, state, vault) in join_all(wanted.iter().map(|w| one(w, settings))).await {
        keys.states.insert(owner, state);
        keys.vault.extend(vault);
    }
    for policy in &profile.policies {
        callers::of_policy(policy, paths, &mut keys).await?;
    }
    Ok(keys)
}

/// The keys of providers as far as nobody has to type them, whatever else is missing: what no report
/// may repeat. `programs`: those too that a program gives, which may take its time.
pub async fn at_hand(profile: &Profile, programs: bool) -> Vault {
    let wanted: Vec<Wanted> = profile.backends.iter().flat_map(wanted).collect();
    let mut all = Vault::default();
    for vault in join_all(wanted.iter().map(|wanted| wanted.at_hand(programs))).await {
        all.extend(vault);
    }
    all
}

/// Somebody who needs a key.
struct Wanted<'a> {
    owner: String,
    parts: Vec<Part>,
    /// What to take where the parts are not all there, one after the other.
    instead: Vec<Vec<Part>>,
    /// Whom to ask about it.
    llm: Option<&'a Llm>,
}

impl Wanted<'_> {
    /// Google's access tokens do not say when they end; it is an hour after they were made at the
    /// latest (cloud.google.com/docs/authentication/token-types).
    fn dated(&self, secret: Secret) -> Secret {
        const HOUR: u64 = 3600;
        let short = self
            .llm
            .is_some_and(|llm| llm.provider == Provider::VertexAi);
        match short && secret.expires().is_none() {
            true => secret.until(now() + HOUR),
            false => secret,
        }
    }

    /// What of its key nobody has to type.
    async fn at_hand(&self, programs: bool) -> Vault {
        let mut vault = Vault::default();
        let is_wanted =
            |part: &&Part| part.source.is_plain() || (programs && !part.source.is_typed());
        for parts in std::iter::once(&self.parts).chain(&self.instead) {
            for part in parts.iter().filter(is_wanted) {
                if let Ok(secret) = part.source.read().await {
                    vault.put(&self.owner, &part.entry, secret);
                }
            }
            if !vault.is_empty() {
                break;
            }
        }
        vault
    }

    /// Whether its key is a provider's own.
    fn is_in_cloud(&self) -> bool {
        let home = |llm: &Llm| llm.provider.ways().home == Home::Cloud && llm.address.is_none();
        self.llm.is_some_and(home)
    }
}

/// In a shell that took what `gw env` prints, a provider's variable holds a key for our gateway.
fn ours(source: &Source) -> Error {
    let place = source.place();
    let what = format!("{place} holds a key for this gateway, as `gw env` sets it");
    let next = match source {
        Source::Env(_) => format!("read -rs {place} && export {place}"),
        other => other.trial().unwrap_or_else(|| "gw up".to_string()),
    };
    Error::usage(what, next).fact("another shell still has the provider's own")
}

struct Part {
    entry: String,
    source: Source,
    needed: bool,
}

fn part(entry: &str, source: Source) -> Part {
    Part {
        entry: entry.to_string(),
        source,
        needed: true,
    }
}

fn wanted(backend: &Backend) -> Vec<Wanted<'_>> {
    match &backend.serves {
        Serves::Llm(llm) => {
            let ways = llm.provider.ways();
            let wants = wants_key(llm, ways);
            wants
                .then(|| of_provider(&backend.name, llm, ways))
                .into_iter()
                .collect()
        }
        Serves::Groups(_) => Vec::new(),
        Serves::Mcp(servers) => {
            let with_key = servers.targets.iter().filter_map(|target| {
                let keys = target.keys(AUTHORIZATION);
                let parts = keys.into_iter();
                let parts: Vec<Part> = parts
                    .map(|(entry, from)| part(entry, from.clone()))
                    .collect();
                (!parts.is_empty()).then(|| Wanted {
                    owner: target_owner(&backend.name, &target.name),
                    parts,
                    instead: Vec::new(),
                    llm: None,
                })
            });
            with_key.collect()
        }
    }
}

fn of_provider<'a>(owner: &str, llm: &'a Llm, ways: &Ways) -> Wanted<'a> {
    let usual = Source::Env(ways.variables.iter().map(ToString::to_string).collect());
    let named = llm.keys.iter();
    let mut parts: Vec<Part> = named
        .map(|(entry, from)| part(entry, from.clone()))
        .collect();
    let mut instead = Vec::new();
    if parts.is_empty() {
        parts.push(part(AUTHORIZATION, usual));
        match llm.provider {
            Provider::Bedrock => {
                let parts = |from: fn(&str, &str) -> Source| {
                    let one = |(entry, variable, needed)| Part {
                        needed,
                        ..part(entry, from(entry, variable))
                    };
                    Vec::from(bedrock::PARTS.map(one))
                };
                instead.push(parts(|_, variable| Source::env(variable)));
                instead.push(parts(|entry, _| Source::Aws(entry.to_string())));
            }
            Provider::VertexAi => {
                for words in vertexai::TOKEN_COMMANDS {
                    let words = words.iter().map(ToString::to_string).collect();
                    instead.push(vec![part(AUTHORIZATION, Source::Command(words))]);
                }
            }
            _ => {}
        }
    }
    Wanted {
        owner: owner.to_string(),
        parts,
        instead,
        llm: Some(llm),
    }
}

async fn one(
    wanted: &Wanted<'_>,
    settings: &BTreeMap<String, String>,
) -> (String, KeyState, Vault) {
    let (mut read, mut parts) = (read(wanted, &wanted.parts).await, &wanted.parts);
    for (index, others) in wanted.instead.iter().enumerate() {
        if read.is_ok() {
            break;
        }
        match self::read(wanted, others).await {
            Ok(vault) => (read, parts) = (Ok(vault), others),
            // Two ways are told; what comes after them is what the second would have made.
            Err(other) if index == 0 => read = read.map_err(|error| neither(&error, other)),
            Err(_) => {}
        }
    }
    let state = match &read {
        Err(error) => KeyState::Lacking(titled(wanted, error)),
        Ok(vault) => asked(wanted, parts, settings, vault).await,
    };
    (wanted.owner.clone(), state, read.unwrap_or_default())
}

/// Neither way led to a key: the first is told whole, of the other what was missing.
fn neither(first: &Error, other: Error) -> Error {
    let next = match other.next.starts_with("read -rs ") {
        true => other.next,
        false => first.next.clone(),
    };
    Error {
        what: format!("{}, and {}", other.what, first.what),
        next,
        ..other
    }
}

/// Who lacks the key stands first.
fn titled(wanted: &Wanted<'_>, error: &Error) -> Error {
    let who = wanted
        .llm
        .map_or(wanted.owner.as_str(), |llm| llm.provider.ways().title);
    let error = error.clone();
    let next = then_up(&error);
    Error {
        what: format!("no key for {who}: {}", error.what),
        next,
        ..error
    }
}

/// What gives a key, and takes it up.
pub(super) fn then_up(error: &Error) -> String {
    match error.next.starts_with("read -rs ") {
        true => format!("{} && gw up", error.next),
        false => error.next.clone(),
    }
}

async fn read(wanted: &Wanted<'_>, parts: &[Part]) -> Result<Vault, Error> {
    let mut vault = Vault::default();
    for part in parts {
        match part.source.read().await {
            Ok(secret) if wanted.is_in_cloud() && secret.expose().starts_with(OURS) => {
                return Err(ours(&part.source));
            }
            Ok(secret) => vault.put(&wanted.owner, &part.entry, wanted.dated(secret)),
            Err(_) if !part.needed => {}
            Err(error) => return Err(error),
        }
    }
    Ok(vault)
}

async fn asked(
    wanted: &Wanted<'_>,
    parts: &[Part],
    settings: &BTreeMap<String, String>,
    vault: &Vault,
) -> KeyState {
    let there = |part: &&Part| vault.get(&wanted.owner, &part.entry).is_some();
    let from: Vec<String> = parts
        .iter()
        .filter(there)
        .map(|p| p.source.origin())
        .collect();
    let here = |note| KeyState::Here {
        entries: parts
            .iter()
            .filter(there)
            .map(|p| p.entry.clone())
            .collect(),
        from: from.join(", "),
        note,
    };
    // A server of the profile's own address is asked when the route is proved.
    let Some(llm) = wanted.llm.filter(|llm| llm.address.is_none()) else {
        return here(None);
    };
    let ways = llm.provider.ways();
    if ways.home != Home::Cloud {
        return here(None);
    }
    // Without what it needs the backend is refused anyway, and says so.
    let Ok(settings) = ways.resolve(&llm.settings, settings) else {
        return here(None);
    };
    let subject = Subject {
        form: ways.form,
        settings: &settings,
        address: None,
        owner: &wanted.owner,
    };
    let title = ways.title;
    match key::ask(requests(&subject, vault)).await {
        Ok(Judgement::Taken) => here(None),
        Ok(Judgement::Unclear(said)) => {
            let said = vault.blot(&said);
            here(Some(format!(
                "{title} does not say whether it takes the key: {said}"
            )))
        }
        Ok(Judgement::Refused(said)) => {
            let said = vault.blot(&said);
            let what = format!("{title} refuses the key of {}: \"{said}\"", from.join(", "));
            KeyState::Lacking(Error::usage(what, again(parts)))
        }
        Err(why) => {
            let what = format!("{title} can't be reached: {}", vault.blot(&why));
            let error = Error::new(what, "gw up");
            KeyState::Lacking(error.fact("its key could not be checked, and nothing would answer"))
        }
    }
}

/// Where a refused key is to be given again.
fn again(parts: &[Part]) -> String {
    match parts.first().map(|part| &part.source) {
        Some(source @ Source::Env(_)) => {
            let name = source.place();
            format!("read -rs {name} && export {name} && gw up")
        }
        source => source
            .and_then(Source::trial)
            .unwrap_or_else(|| "gw up".to_string()),
    }
}

/// A key that somebody typed, shown to its provider: what came of it, and the key under its owner.
pub async fn typed(
    owner: &str,
    provider: Provider,
    secret: Secret,
    settings: &BTreeMap<String, String>,
) -> (KeyState, Vault) {
    let llm = Llm::of(provider);
    let variables = provider.ways().variables.first();
    let usual = Source::Env(variables.iter().map(ToString::to_string).collect());
    let wanted = Wanted {
        owner: owner.to_string(),
        parts: vec![part(AUTHORIZATION, usual)],
        instead: Vec::new(),
        llm: Some(&llm),
    };
    let mut vault = Vault::default();
    vault.put(owner, AUTHORIZATION, secret);
    let state = match asked(&wanted, &wanted.parts, settings, &vault).await {
        KeyState::Lacking(error) => {
            let place = format!("the key of {}", wanted.parts[0].source.origin());
            let what = error.what.replace(&place, "the key that was typed");
            KeyState::Lacking(Error { what, ..error })
        }
        state => state,
    };
    (state, vault)
}

/// What our own environment says that providers can't be without and is no secret.
pub fn settings() -> BTreeMap<String, String> {
    let settings = Provider::ALL.into_iter().flat_map(|p| p.ways().settings);
    let variables = settings.flat_map(|setting| setting.variables);
    let value = |name: &&str| {
        let value = std::env::var(name).ok()?;
        let value = value.trim();
        (!value.is_empty()).then(|| (name.to_string(), value.to_string()))
    };
    variables.filter_map(value).collect()
}
