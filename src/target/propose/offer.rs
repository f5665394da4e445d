//! What could answer here: model servers that run, and providers whose keys are at hand. Pure.

use super::document::document;
use crate::error::Error;
use crate::host::facts::{Key, Model, Service};
use crate::plan::select::{KeyState, Services, select};
use crate::profile::{PORT, TargetKind, wire};
use crate::provider::{Home, Provider};
use crate::text::count;
use serde_json::{Map, Value, json};

/// Where `look` says that it found a key.
const ENVIRONMENT: &str = "environment";
const DOTENV: &str = ".env";

/// A backend that a profile could have.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The backend's name, and its route's.
    pub name: String,
    pub provider: Provider,
    /// What its backend has besides name and provider, as a profile writes it.
    pub fields: Map<String, Value>,
    /// Where it is, or what is known of its key, for a person.
    pub reason: String,
    /// Why it can't be used, and what would change that.
    pub lacks: Option<Error>,
}

impl Offer {
    fn new(provider: Provider, reason: impl Into<String>) -> Offer {
        Offer {
            name: name(provider).to_string(),
            provider,
            fields: Map::new(),
            reason: reason.into(),
            lacks: None,
        }
    }

    /// The mock, for where nothing else can answer.
    pub fn mock() -> Offer {
        Offer::new(
            Provider::Mock,
            "built in, and no model: nothing else answers",
        )
    }

    /// Its place among others: servers first, then the cloud, each in the order of the providers.
    pub fn rank(&self) -> (bool, Option<usize>) {
        let place = Provider::ALL.iter().position(|p| *p == self.provider);
        (self.provider.ways().home == Home::Cloud, place)
    }

    fn with(mut self, field: &str, value: Value) -> Offer {
        self.fields.insert(field.to_string(), value);
        self
    }
}

/// As the shipped profiles call them.
fn name(provider: Provider) -> &'static str {
    match provider {
        Provider::AzureOpenAi => "azure",
        Provider::VertexAi => "vertex",
        other => other.ways().name,
    }
}

/// One offer a model server, in their order.
pub fn of_services(services: &[Service]) -> Vec<Offer> {
    services.iter().filter_map(of_service).collect()
}

fn of_service(service: &Service) -> Option<Offer> {
    let provider = provider_of(service)?;
    let ways = provider.ways();
    let (host, port) = host_and_port(service)?;
    let here = is_here(host);
    let place = match here {
        true => format!("this machine, at {}", service.address),
        false => format!("at {}", service.address),
    };
    let mut offer = Offer::new(provider, place);
    offer = match (here, port == ways.default_port) {
        (true, true) => offer,
        (true, false) => offer.with("port", json!(port)),
        (false, _) => offer.with("address", json!(format!("http://{}", service.address))),
    };
    if provider != Provider::Ollama {
        return Some(offer);
    }
    let Some((model, others)) = smallest(&service.models) else {
        let what = match service.models.is_empty() {
            true => "Ollama has no model",
            false => "Ollama has no model that chats",
        };
        let next = provider.fetch_model(ways.default_model);
        offer.lacks = Some(Error::new(what, next));
        return Some(offer);
    };
    if others > 0 {
        let all = count(others + 1, "model");
        offer.reason = format!("{}, the smallest of its {all} that chat", offer.reason);
    }
    // What `ollama list` calls NAME:latest is NAME to everybody.
    let name = model.name.strip_suffix(":latest").unwrap_or(&model.name);
    Some(offer.with("model", json!(name)))
}

/// The model that is there soonest and asks least of the machine, and how many others chat. Not
/// those that only embed.
fn smallest(models: &[Model]) -> Option<(&Model, usize)> {
    let chat = models.iter().filter(|model| !model.embeds);
    let others = chat.clone().count().saturating_sub(1);
    let size = |model: &&Model| (model.size.unwrap_or(u64::MAX), model.name.clone());
    Some((chat.min_by_key(size)?, others))
}

pub(super) fn provider_of(service: &Service) -> Option<Provider> {
    let mut all = Provider::ALL.into_iter();
    all.find(|provider| provider.ways().title == service.product)
}

pub(super) fn host_and_port(service: &Service) -> Option<(&str, u16)> {
    let (host, port) = service.address.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

pub(super) fn is_here(host: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].contains(&host)
}

/// One offer a provider in the cloud whose key is at hand, whether it takes the key or not.
pub fn of_keys(keys: &[Key]) -> Vec<Offer> {
    let cloud = Provider::ALL.into_iter();
    let cloud = cloud.filter(|provider| provider.ways().home == Home::Cloud);
    cloud
        .filter_map(|provider| of_provider(provider, keys))
        .collect()
}

fn of_provider(provider: Provider, keys: &[Key]) -> Option<Offer> {
    let own = |key: &&Key| key.provider == provider.ways().name;
    // What is set counts before what lies in a file.
    let rank = |key: &&Key| match key.source.as_str() {
        ENVIRONMENT => 0,
        DOTENV => 2,
        _ => 1,
    };
    let key = keys.iter().filter(own).min_by_key(rank)?;
    let offer = Offer::new(provider, format!("key in {}", key.source));
    let lent = key.source != ENVIRONMENT || key.name == "GOOGLE_APPLICATION_CREDENTIALS";
    Some(match provider {
        Provider::VertexAi if lent && key.source != DOTENV => {
            let words = [
                "gcloud",
                "auth",
                "application-default",
                "print-access-token",
            ];
            offer.with("key", json!({"command": words}))
        }
        _ => offer,
    })
}

/// Providers in the cloud that a key would bring in: those that take one word, and have none here.
pub fn without_key(keys: &[Key]) -> Vec<Offer> {
    let known = |provider: &Provider| keys.iter().any(|key| key.provider == provider.ways().name);
    let typed = |provider: &Provider| {
        // A token of Vertex AI's lives for an hour: nobody types one.
        provider.ways().home == Home::Cloud && *provider != Provider::VertexAi
    };
    let all = Provider::ALL.into_iter().filter(typed);
    let all = all.filter(|provider| !known(provider));
    let offer = |provider: Provider| {
        let title = provider.ways().title;
        let variable = provider.ways().variables.first().copied().unwrap_or("KEY");
        let next = format!("read -rs {variable} && export {variable} && gw up");
        Offer {
            lacks: Some(Error::usage(format!("no key for {title} is at hand"), next)),
            ..Offer::new(provider, "no key at hand: tick it to type one")
        }
    };
    all.map(offer).collect()
}

/// What keeps an offer from being used, and what asking its provider brought.
pub fn judged(offers: Vec<Offer>, services: &Services) -> Vec<Offer> {
    let judge = |mut offer: Offer| {
        if offer.lacks.is_none() {
            offer.lacks = obstacle(&offer, services);
        }
        match services.keys.get(&offer.name) {
            Some(KeyState::Here { note: None, .. }) => offer.reason = "key checked".to_string(),
            Some(KeyState::Here {
                note: Some(note), ..
            }) => offer.reason.clone_from(note),
            Some(KeyState::Lacking(_)) | None => {}
        }
        offer
    };
    offers.into_iter().map(judge).collect()
}

/// Why a profile with this backend alone could not be planned.
fn obstacle(offer: &Offer, services: &Services) -> Option<Error> {
    let text = document(std::slice::from_ref(offer), None, PORT);
    match wire::read(&text) {
        Ok(profile) => select(&profile, TargetKind::Embedded, services).err(),
        Err(_) => {
            let title = offer.provider.ways().title;
            let what = format!("what was found of {title} makes no profile");
            Some(Error::new(what, "gw detect -o json"))
        }
    }
}
