//! The hops behind the gateway, as it sees them.

use super::super::look::applied;
use super::{Looking, failed};
use crate::apply::ledger::Ledger;
use crate::apply::perform;
use crate::error::Result;
use crate::host::{process, view};
use crate::plan::view::Address;
use crate::provider::Provider;
use crate::secret::vault::Vault;
use crate::verify::behind::{Remedy, behind, beside};
use crate::verify::check::{Finding, Verdict};
use crate::verify::installed::{Way, name, namespace, word};
use crate::verify::reach;
use crate::verify::tls::Hands;
use serde_json::Value;
use std::sync::Mutex;
use std::time::{Duration, Instant};

impl Looking<'_> {
    /// What the gateway sees of the address; a witness of it is in the ledger before it is made.
    pub(super) async fn behind(
        &self,
        backend: &Value,
        address: &Address,
        title: &str,
        way: &Way,
    ) -> Result<Vec<Finding>> {
        let session = self.session;
        let paths = session.environment();
        let _lock = session.lock("reach").await?;
        let ledger = Ledger::open(&paths.ledger())?;
        let (wires, vault) = (Mutex::default(), Vault::default());
        let run = perform::Run {
            ledger: &ledger,
            sink: &session.sink,
            wires: &wires,
            patience: Duration::from_secs(30),
            force: false,
            vault: &vault,
        };
        let task = session.sink.begin("look");
        let start = Instant::now();
        let view = self.target.view(address, &run.context(&|_| {})).await;
        task.unchanged("");
        let remedy = Remedy {
            start: self.start(way, address),
            hands: self.hands(backend, address),
        };
        let mut hops = behind(address, &view?, title, &remedy);
        if let Some(last) = hops.last_mut() {
            last.seconds = start.elapsed().as_secs_f64();
        }
        if failed(&hops)
            && let Some((name, wire)) = self
                .record
                .wires
                .iter()
                .find(|(_, wire)| wire.host == address.host)
        {
            let here = Address {
                host: "127.0.0.1".to_string(),
                port: address.port,
                ..address.clone()
            };
            beside(&mut hops, &view::look(&here, view::ask(&here)).await);
            if wire.relay
                && let Some(broken) = hops.iter_mut().find(|hop| hop.verdict == Verdict::Fail)
            {
                let alive = process::all(&paths);
                let relay = alive
                    .iter()
                    .find(|(role, _)| *role == format!("relay-{name}"));
                let state = match relay {
                    Some((_, Some(identity))) => format!("runs (pid {})", identity.pid),
                    _ => "has ended".to_string(),
                };
                if state == "has ended" {
                    broken.next = Some("gw up".to_string());
                }
                broken.facts.push(("relay".to_string(), state));
            }
        }
        Ok(hops)
    }

    /// What starts the service behind a route.
    fn start(&self, way: &Way, address: &Address) -> &'static str {
        let route = self
            .record
            .routes
            .iter()
            .find(|route| route.name == way.route && way.ours);
        let provider = route.and_then(|route| Provider::named(&route.provider));
        let start = provider.map_or("", |provider| provider.ways().start);
        let mut wires = self.record.wires.values();
        match start.is_empty() && wires.any(|wire| wire.host == address.host) {
            true => "gw up",
            false => start,
        }
    }

    /// Who can change the backend, and whether somebody has.
    fn hands(&self, backend: &Value, address: &Address) -> Hands {
        let paths = self.session.environment();
        let place = namespace(backend);
        let kubectl = self.record.is_on_cluster().then(|| {
            let way = self.record.way(&paths);
            way.here(&format!("kubectl -n {place}"))
        });
        let applied = applied(&paths, self.record);
        let ours = applied.iter().find(|object| {
            let same = word(object, "/kind") == "AgentgatewayBackend";
            same && name(object) == name(backend) && namespace(object) == place
        });
        let led = ours.and_then(reach::address);
        let source = std::fs::read_to_string(&self.record.source).unwrap_or_default();
        let is_in = source.contains(&address.host) && ours.is_some();
        Hands {
            backend: name(backend).to_string(),
            kubectl,
            is_changed: led.as_ref().is_some_and(|led| !led.is_where(address)),
            is_lone: backend["spec"]["policies"]
                .as_object()
                .is_some_and(|policies| policies.len() == 1),
            is_secured: led.is_some_and(|led| address.tls && !led.tls),
            profile: is_in.then(|| self.record.source.clone()),
        }
    }
}
