//! The way from pods to a service of this machine: candidates are proved from inside the cluster,
//! the first that answers wins; a relay is the last resort (architecture, decision 5).

use super::object::apply;
use super::witness::{Candidate, Witness, none_answered};
use crate::error::Result;
use crate::host::docker::Network;
use crate::host::paths::EnvironmentPaths;
use crate::host::process::Background;
use crate::plan::HostService;
use crate::plan::object::host_alias_name;
use crate::plan::outcome::{Change, Context, Outcome, Wire};
use crate::plan::thing::Thing;
use futures::future::join_all;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;
use tokio::net::TcpStream;

pub struct Wiring<'a> {
    pub witness: Witness<'a>,
    /// The network of the nodes' containers, where nodes are containers of this machine.
    pub network: Option<Network>,
    pub aliases: &'static [&'static str],
    pub paths: &'a EnvironmentPaths,
}

impl Wiring<'_> {
    /// Finds and proves the way; what an earlier run proved is taken as it is while it still can
    /// be true, because the routes' own proof follows.
    pub async fn perform(&self, service: &HostService, context: &Context<'_>) -> Result<Outcome> {
        if let Some(wire) = context.wire(&service.name)
            && self.may_hold(&wire, service)
        {
            let change = self.alias(service, &wire, context).await?;
            return Ok(Outcome::new(change, self.title(service, &wire)));
        }
        let wire = self.find(service, context).await?;
        self.alias(service, &wire, context).await?;
        let detail = self.title(service, &wire);
        context.set_wire(&service.name, wire);
        Ok(Outcome::new(Change::Created, detail))
    }

    fn title(&self, service: &HostService, wire: &Wire) -> String {
        format!("{} answers pods at {}", service.title, wire.title())
    }

    fn relay(&self, service: &HostService) -> Background {
        Background::new(self.paths, &role(service))
    }

    fn may_hold(&self, wire: &Wire, service: &HostService) -> bool {
        let same_network = wire.address.is_none_or(|address| {
            let network = self.network.as_ref();
            network.is_some_and(|network| network.gateway == address)
        });
        let relay = self.relay(service).alive();
        let wanted = self.network.as_ref().map(|on| relay_args(on, service));
        let same_relay = relay.is_some_and(|identity| Some(identity.args) == wanted);
        same_network && (!wire.relay || same_relay)
    }

    async fn find(&self, service: &HostService, context: &Context<'_>) -> Result<Wire> {
        let mut candidates: Vec<Candidate> = self
            .aliases
            .iter()
            .map(|name| candidate(name, service.port))
            .collect();
        let mut relay = None;
        if let Some(network) = &self.network {
            let direct = SocketAddrV4::new(network.gateway, service.port);
            let listens_there = answers_here(direct).await;
            let here = is_ours(direct);
            if listens_there || !here {
                candidates.push(candidate(&direct.ip().to_string(), service.port));
            }
            if here && !listens_there {
                let address = self.start_relay(network, service, context).await?;
                relay = Some(candidate(&address.ip().to_string(), address.port()));
                candidates.extend(relay.clone());
            }
        }
        (context.waiting)(format!(
            "asking for {} from inside the cluster",
            service.title
        ));
        let asked = candidates
            .iter()
            .map(|candidate| self.witness.ask(candidate, service, context));
        let mut tried = Vec::new();
        let mut found = None;
        for (candidate, answer) in candidates.iter().zip(join_all(asked).await) {
            match answer? {
                Ok(()) if found.is_none() => found = Some(candidate.clone()),
                Ok(()) => {}
                Err(why) => tried.push((candidate.clone(), why)),
            }
        }
        let Some(found) = found else {
            return Err(none_answered(service, &tried));
        };
        let relay = relay.as_ref() == Some(&found);
        if !relay {
            self.stop_relay(service, context).await?;
        }
        Ok(wire(service, &found, relay))
    }

    /// A relay on the bridge's address (architecture, decision 5), on any free port: on the service's
    /// own it would keep the person from letting the service listen there itself.
    async fn start_relay(
        &self,
        network: &Network,
        service: &HostService,
        context: &Context<'_>,
    ) -> Result<SocketAddrV4> {
        let relay = self.relay(service);
        let args = relay_args(network, service);
        let ready = match relay.alive().filter(|identity| identity.args == args) {
            Some(identity) if !identity.ready.is_empty() => identity.ready,
            _ => {
                context.journal.begin(&process(service))?;
                relay.stop().await?;
                relay.start(&args).await?.ready
            }
        };
        ready.parse().map_err(|_| {
            crate::error::Error::new(
                format!("the relay said `{ready}` where its address was expected"),
                "gw logs relay",
            )
        })
    }

    async fn stop_relay(&self, service: &HostService, context: &Context<'_>) -> Result<()> {
        self.relay(service).stop().await?;
        context.journal.removed(&process(service))
    }

    /// The name of an address: a Service and its EndpointSlice (facts 15.9).
    async fn alias(
        &self,
        service: &HostService,
        wire: &Wire,
        context: &Context<'_>,
    ) -> Result<Change> {
        if wire.address.is_none() {
            return Ok(Change::Unchanged);
        }
        context.set_wire(&service.name, wire.clone());
        let mut change = Change::Unchanged;
        for object in &service.alias {
            let applied = apply(self.witness.client, &context.fill(object)?, context).await?;
            change = if applied == Change::Unchanged {
                change
            } else {
                applied
            };
        }
        Ok(change)
    }
}

fn relay_args(network: &Network, service: &HostService) -> Vec<String> {
    let listen = SocketAddrV4::new(network.gateway, 0).to_string();
    let to = format!("127.0.0.1:{}", service.port);
    let subnet = &network.subnet;
    let args = ["relay", "--listen", &listen, "--to", &to, "--allow", subnet];
    let whole = service.whole.then_some("--whole");
    let raw = service.grpc.then_some("--raw");
    let args = args.into_iter().chain(whole).chain(raw);
    args.map(str::to_string).collect()
}

fn process(service: &HostService) -> Thing {
    Thing::Process {
        role: role(service),
    }
}

fn role(service: &HostService) -> String {
    format!("relay-{}", service.name)
}

fn candidate(host: &str, port: u16) -> Candidate {
    Candidate {
        host: host.to_string(),
        port,
    }
}

/// A name that was proved becomes the backend's host itself; an address gets a name.
fn wire(service: &HostService, found: &Candidate, relay: bool) -> Wire {
    match found.host.parse() {
        Ok(address) => Wire {
            host: format!(
                "{}.{}.svc.cluster.local",
                host_alias_name(&service.name),
                service.namespace
            ),
            address: Some(address),
            port: found.port,
            relay,
        },
        Err(_) => Wire {
            host: found.host.clone(),
            address: None,
            port: found.port,
            relay: false,
        },
    }
}

/// Whether anything listens at an address, seen from this machine.
async fn answers_here(address: SocketAddrV4) -> bool {
    let connect = TcpStream::connect(SocketAddr::V4(address));
    matches!(
        tokio::time::timeout(Duration::from_millis(500), connect).await,
        Ok(Ok(_))
    )
}

/// Whether the address is one of this machine's, so that a relay could listen on it. On macOS the
/// bridge is inside a virtual machine.
fn is_ours(address: SocketAddrV4) -> bool {
    std::net::TcpListener::bind(SocketAddrV4::new(*address.ip(), 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> HostService {
        HostService {
            name: "ollama".into(),
            title: "Ollama".into(),
            port: 11434,
            health_path: "/api/version".into(),
            any_answer: false,
            start: "ollama serve".into(),
            mock: false,
            grpc: false,
            demo: false,
            bridged: Vec::new(),
            whole: false,
            namespace: "kgateway-system".into(),
            alias: Vec::new(),
        }
    }

    #[test]
    fn a_proved_name_is_the_host_itself_and_an_address_gets_a_name() {
        let by_name = wire(&service(), &candidate("host.docker.internal", 11434), false);
        assert_eq!(
            (by_name.host.as_str(), by_name.address),
            ("host.docker.internal", None)
        );
        let by_address = wire(&service(), &candidate("172.18.0.1", 40001), true);
        assert_eq!(
            by_address.host,
            "host-ollama.kgateway-system.svc.cluster.local"
        );
        assert_eq!(by_address.title(), "172.18.0.1:40001, through a relay");
    }
}
