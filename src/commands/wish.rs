//! From flags, profile and what is on this machine to a plan: shared by `up` and `plan`.

use super::keys;
use super::session::Session;
use crate::apply::ledger::Ledger;
use crate::apply::record::Record;
use crate::cli::{TargetName, Wish};
use crate::error::{Error, Result};
use crate::host::facts::Facts;
use crate::host::port::Claim;
use crate::host::process::Background;
use crate::host::{compatible, look, ollama, port, web};
use crate::plan::build::{build, default_cluster};
use crate::plan::select::{Service, Services};
use crate::plan::{BRIDGE, MOCK, PROCESSOR, Plan};
use crate::profile::load::{Source, find};
use crate::profile::{McpServer, McpTarget, Profile, Serves, TargetKind, manifest, shipped};
use crate::provider::check::AUTHORIZATION;
use crate::provider::{Home, Provider};
use crate::secret::source::at_home;
use crate::secret::vault::Vault;
use crate::target::choose::{Asked, Choice, Needs, choose};
use crate::target::place::{Place, Product};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Where the built-in processor listens, if nobody else does.
const PROCESSOR_PORT: u16 = 18435;
/// The same of the bridge.
const BRIDGE_PORT: u16 = 18436;

/// A plan, why it is for this target, and what it was made from.
pub struct Wanted {
    pub plan: Plan,
    /// Its reason is empty where it has been told already.
    pub choice: Choice,
    pub source: Source,
    pub port_flag: Option<u16>,
    /// The keys that the plan refers to.
    pub vault: Vault,
    /// Keys for callers that have still to be made: policy and name.
    pub to_make: Vec<(String, String)>,
    /// The ports of our own services, for nobody else while this lives.
    #[allow(dead_code, reason = "held, not read")]
    pub ports: [Claim; 3],
}

impl Session {
    /// What was applied here before, if anything of it is there.
    pub fn bound(&self) -> Result<Option<Record>> {
        let paths = self.environment();
        let record = Record::load(&paths)?;
        Ok(record.filter(|_| !Ledger::peek(&paths.ledger()).is_empty()))
    }

    /// Looks at this machine, all probes side by side, and plans. Touches nothing.
    pub async fn plan(&self, wish: &Wish) -> Result<Wanted> {
        let record = self.bound()?;
        let source = self.source(wish, record.as_ref()).await?;
        let mut profile = source.profile()?;
        let port_flag = wish
            .port
            .or(record.as_ref().and_then(|record| record.port_flag));
        wish.override_profile(&mut profile);
        if let Some(record) = &record {
            record.keep_upgrade(&mut profile.release.version);
        }
        profile.gateway.port = port_flag.unwrap_or(profile.gateway.port);
        if let (None, Some(record)) = (&wish.cluster, &record)
            && !record.cluster.is_empty()
        {
            profile.target.cluster = Some(record.cluster.clone());
        }
        let asked = Asked {
            target: wish.target.map(TargetName::kind),
            context: wish.context.clone(),
            last: record.as_ref().and_then(place),
            profile: profile.target.kind,
            profile_context: profile.target.context.clone(),
            own: profile
                .target
                .cluster
                .clone()
                .unwrap_or_else(|| default_cluster(&self.global.env)),
        };
        let settings = keys::settings();
        let paths = self.environment();
        let with_keys = async {
            let keys = keys::gather(&profile, &settings, &paths).await?;
            let services = find_services(&profile, &keys.vault).await;
            let answering = answering(&profile).await;
            Ok::<_, Error>((keys, services, answering))
        };
        let looking = async {
            match asked.needs() {
                Needs::Nothing => Facts::default(),
                Needs::Context(name) => look::context(name).await,
                Needs::Everything => look::places().await,
            }
        };
        let (facts, with_keys) = tokio::join!(looking, with_keys);
        let (keys, (found, elsewhere), answering) = with_keys?;
        let choice = choose(&asked, &facts)?;
        if let Some(context) = choice.place.context() {
            profile.target.context = Some(context.to_string());
        }
        let target = choice.place.kind();
        let (mock_port, processor_port) = (self.mock_port(), self.processor_port());
        let bridge_port = self.bridge_port();
        let services = Services {
            found,
            elsewhere,
            answering,
            mock_port: mock_port.port,
            processor_port: processor_port.port,
            bridge_port: bridge_port.port,
            programs: programs(&profile),
            settings,
            manifests: manifest::objects(&profile)?,
            keys: keys.states,
        };
        let mut plan = build(&profile, target, &self.global.env, &services)?;
        for note in &mut plan.notes {
            *note = self.told(note);
        }
        Ok(Wanted {
            plan,
            choice,
            source,
            port_flag,
            vault: keys.vault,
            to_make: keys.to_make,
            ports: [mock_port, processor_port, bridge_port],
        })
    }

    /// The profile that was named, else the last one, else the default. Standard input is read
    /// aside: a read that nobody answers must not keep Ctrl-C from working.
    async fn source(&self, wish: &Wish, record: Option<&Record>) -> Result<Source> {
        let last = record.map(|record| record.source.clone());
        let last = last.filter(|source| !source.is_empty());
        let name = wish
            .profile
            .clone()
            .or(last)
            .unwrap_or_else(|| "default".to_string());
        let reading = tokio::task::spawn_blocking(move || find(&name, std::io::stdin()));
        reading.await.unwrap_or_else(|e| {
            Err(Error::new("the profile can't be read", "gw profile list").because(&e))
        })
    }

    /// The port that the mock has already, or one for it.
    pub(super) fn mock_port(&self) -> Claim {
        self.own_port(MOCK, Provider::Mock.ways().default_port)
    }

    /// The same of the built-in processor.
    pub(super) fn processor_port(&self) -> Claim {
        self.own_port(PROCESSOR, PROCESSOR_PORT)
    }

    /// The same of the bridge to MCP servers that are programs.
    pub(super) fn bridge_port(&self) -> Claim {
        self.own_port(BRIDGE, BRIDGE_PORT)
    }

    fn own_port(&self, role: &str, usual: u16) -> Claim {
        let alive = Background::new(&self.environment(), role).alive();
        let has = alive.and_then(|identity| identity.ready.rsplit(':').next()?.parse().ok());
        match has {
            Some(port) => Claim::held(port),
            None => port::claim(self.paths.runtime(), usual),
        }
    }
}

impl Wish {
    pub fn override_profile(&self, profile: &mut Profile) {
        if self.cluster.is_some() {
            profile.target.cluster.clone_from(&self.cluster);
        }
        if self.node_image.is_some() {
            profile.target.node_image.clone_from(&self.node_image);
        }
    }
}

impl TargetName {
    pub fn kind(self) -> TargetKind {
        match self {
            TargetName::Orbstack => TargetKind::OrbStack,
            TargetName::Context => TargetKind::Context,
            TargetName::Kind => TargetKind::Kind,
            TargetName::Embedded => TargetKind::Embedded,
        }
    }

    pub fn of(kind: TargetKind) -> TargetName {
        match kind {
            TargetKind::OrbStack => TargetName::Orbstack,
            TargetKind::Kind => TargetName::Kind,
            TargetKind::Context => TargetName::Context,
            TargetKind::Embedded => TargetName::Embedded,
        }
    }
}

/// Where an environment is.
pub fn place(record: &Record) -> Option<Place> {
    Some(match record.target()? {
        TargetKind::Kind => Place::Kind {
            cluster: record.cluster.clone(),
        },
        TargetKind::OrbStack => Place::OrbStack {
            context: record.access.as_ref()?.context.clone(),
        },
        TargetKind::Context => Place::Context {
            name: record.access.as_ref()?.context.clone(),
            product: Product::Unknown,
        },
        TargetKind::Embedded => Place::Embedded,
    })
}

/// Servers of this machine, and models of servers elsewhere by backend.
type Found = (Vec<Service>, BTreeMap<String, Vec<String>>);

/// Asks every service of this machine or at an address of the profile's own that a backend names.
pub(super) async fn find_services(profile: &Profile, vault: &Vault) -> Found {
    let served = profile.backends.iter();
    let served = served.filter_map(|backend| match &backend.serves {
        Serves::Llm(llm) => Some((&backend.name, llm)),
        Serves::Groups(_) | Serves::Mcp(_) => None,
    });
    let asked = served.map(|(name, llm)| async move {
        let ways = llm.provider.ways();
        let key = vault.get(name, AUTHORIZATION);
        let port = match &llm.address {
            Some(address) if !address.is_machine() => {
                let base = address.text();
                let base = base.strip_suffix("/v1").unwrap_or(&base);
                let models = compatible::find_at(base, key).await;
                return (name, None, models);
            }
            Some(address) => address.port,
            None => llm.port.unwrap_or(ways.default_port),
        };
        let found = match (llm.provider, ways.home) {
            (Provider::Ollama, _) => ollama::find(port).await,
            (Provider::Mock, _) | (_, Home::Cloud) => None,
            (provider, _) => {
                let models = compatible::find(port, key).await;
                models.map(|models| Service {
                    provider,
                    port,
                    models,
                })
            }
        };
        (name, found, None)
    });
    let mut all: Found = Default::default();
    for (name, here, elsewhere) in join_all(asked).await {
        all.0.extend(here);
        if let Some(models) = elsewhere {
            all.1.insert(name.clone(), models);
        }
    }
    all
}

/// Ports of this machine at which MCP servers of the profile answer HTTP.
async fn answering(profile: &Profile) -> BTreeSet<u16> {
    let addresses = mcp_targets(profile).filter_map(McpTarget::address);
    let ports: BTreeSet<u16> = addresses
        .filter(|a| a.is_machine())
        .map(|a| a.port)
        .collect();
    let asked = ports.into_iter().map(|port| async move {
        let url = format!("http://127.0.0.1:{port}/");
        let answer = web::get(&url, None, Duration::from_millis(800)).await;
        answer.is_ok().then_some(port)
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// A path is kept absolute, a text from standard input as a file: `gw up` works from any folder.
pub fn keep_source(session: &Session, wanted: &Wanted) -> Result<String> {
    let origin = &wanted.source.origin;
    if shipped::named(origin).is_some() {
        return Ok(origin.clone());
    }
    let kept = session.environment().profile();
    let path = match Path::new(origin).exists() {
        true => std::path::absolute(origin),
        false => std::fs::write(&kept, &wanted.source.text).map(|()| kept.clone()),
    };
    let path = path.map_err(|e| {
        Error::new(format!("{} can't be written", kept.display()), "df -h").because(&e)
    })?;
    Ok(path.to_string_lossy().into_owned())
}

fn mcp_targets(profile: &Profile) -> impl Iterator<Item = &McpTarget> {
    profile.backends.iter().flat_map(|b| match &b.serves {
        Serves::Mcp(mcp) => mcp.targets.as_slice(),
        Serves::Llm(_) | Serves::Groups(_) => &[],
    })
}

/// The programs that MCP servers of the profile are, where they are there.
pub(super) fn programs(profile: &Profile) -> BTreeSet<String> {
    let named = mcp_targets(profile).filter_map(|target| match &target.server {
        McpServer::Stdio(stdio) => stdio.command.first(),
        McpServer::Mock | McpServer::Address(_) | McpServer::Services(_) => None,
    });
    let there = |name: &&String| which::which(at_home(name)).is_ok();
    named.filter(there).cloned().collect()
}
