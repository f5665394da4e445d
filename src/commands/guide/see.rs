//! What the guide knows before it asks: this machine, and what providers say of the keys on it.

use crate::cli::{Guide, TargetName};
use crate::commands::keys::{self, Keys};
use crate::commands::session::Session;
use crate::commands::wish::place;
use crate::error::{Error, Result};
use crate::host::at_hand;
use crate::host::facts::Facts;
use crate::host::look::{DEADLINE, look};
use crate::host::port::Claim;
use crate::plan::build::default_cluster;
use crate::plan::select::{KeyState, Services};
use crate::profile::{PORT, wire};
use crate::secret::Secret;
use crate::secret::vault::Vault;
use crate::target::choose::Asked;
use crate::target::propose::document::document;
use crate::target::propose::offer::{Offer, judged, of_keys, of_services};
use crate::target::propose::{Known, elsewhere, services};
use crate::text::list;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a slow machine is waited for where nobody looks on.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Seen {
    pub known: Known,
    pub services: Services,
    /// The ports of our own services, for nobody else while this lives.
    pub ports: [Claim; 3],
    pub vault: Vault,
    /// Variables whose keys were typed.
    pub typed: Vec<&'static str>,
}

impl Seen {
    /// A key that was typed, once its provider has been asked about it.
    pub async fn take(&mut self, offer: &Offer, key: Secret) {
        let settings = &self.services.settings;
        let (state, vault) = keys::typed(&offer.name, offer.provider, key, settings).await;
        if matches!(state, KeyState::Here { .. }) {
            self.vault.extend(vault);
            self.typed.extend(offer.provider.ways().variables.first());
        }
        self.services.keys.insert(offer.name.clone(), state);
        let fresh = Offer {
            lacks: None,
            fields: Default::default(),
            ..offer.clone()
        };
        let judged = judged(vec![fresh], &self.services);
        self.known.offers.retain(|known| known.name != offer.name);
        self.known.offers.extend(judged);
        self.known.offers.sort_by_key(Offer::rank);
    }
}

impl Session {
    /// Looks at everything at once; `picture` shows the machine while providers still think.
    pub async fn look_around(
        &self,
        options: &Guide,
        picture: impl FnOnce(&Facts, Duration),
    ) -> Result<Seen> {
        let start = Instant::now();
        let wish = &options.wish;
        let settings = keys::settings();
        let asking = tokio::spawn(ask(settings.clone(), self.environment()));
        // Nobody looks on who asks no question: what is slow today must not count as absent.
        let patience = match options.yes {
            true => PATIENCE,
            false => DEADLINE,
        };
        let facts = look(wish.port.unwrap_or(PORT), patience).await;
        picture(&facts, start.elapsed());
        let offers = of_keys(&facts.keys);
        let asked = offers.iter().filter(|offer| offer.lacks.is_none());
        let asked: Vec<&str> = asked.map(|o| o.provider.ways().title).collect();
        let task = self.sink.begin("keys");
        if !asked.is_empty() {
            task.waiting(format!("{}: asking whether the key is taken", list(&asked)));
        }
        let keys = asking.await;
        let keys = keys.unwrap_or_else(|e| {
            Err(Error::new("the keys can't be checked", "gw up").because(&e))
        })?;
        task.unchanged("");
        let (mock_port, processor_port) = (self.mock_port(), self.processor_port());
        let bridge_port = self.bridge_port();
        let services = Services {
            found: services(&facts),
            elsewhere: elsewhere(&facts),
            answering: Default::default(),
            manifests: Vec::new(),
            mock_port: mock_port.port,
            processor_port: processor_port.port,
            bridge_port: bridge_port.port,
            programs: Default::default(),
            settings,
            keys: keys.states,
        };
        let mut all = of_services(&facts.services);
        all.extend(offers);
        let offers = judged(all, &services);
        let record = self.bound()?;
        let own = wish.cluster.clone();
        let own = own.or(record.as_ref().map(|record| record.cluster.clone()));
        let own = own.filter(|name| !name.is_empty());
        let asked = Asked {
            target: wish.target.map(TargetName::kind),
            last: record.as_ref().and_then(place),
            context: wish.context.clone(),
            profile: None,
            profile_context: None,
            own: own.unwrap_or_else(|| default_cluster(&self.global.env)),
        };
        Ok(Seen {
            known: Known {
                facts,
                offers,
                asked,
                usual_cluster: default_cluster(&self.global.env),
                last_port: record.map(|record| record.port),
            },
            vault: keys.vault,
            ports: [mock_port, processor_port, bridge_port],
            services,
            typed: Vec::new(),
        })
    }
}

/// Shows every key at hand to its provider, beside everything else.
async fn ask(
    settings: BTreeMap<String, String>,
    paths: crate::host::paths::EnvironmentPaths,
) -> Result<Keys> {
    let at_hand = tokio::task::spawn_blocking(at_hand::all).await;
    let offers = of_keys(&at_hand.unwrap_or_default());
    let offers: Vec<Offer> = offers.into_iter().filter(|o| o.lacks.is_none()).collect();
    if offers.is_empty() {
        return Ok(Keys::default());
    }
    let text = document(&offers, None, PORT);
    let profile = wire::read(&text).map_err(|problems| {
        let what = format!("what was found makes no profile: {problems:?}");
        Error::new(what, "gw detect -o json")
    })?;
    keys::gather(&profile, &settings, &paths).await
}
