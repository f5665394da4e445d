//! This machine: services that backends need, our own processes, the gateway's port, registry logins.

use super::finding::{Change, Fix, Found, Scope, Severity};
use super::rule::{Needs, Rule};
use super::snapshot::{Container, Process, Service, Snapshot};
use crate::cluster::forward;

pub const RULES: [Rule; 5] = [
    Rule {
        code: "GW021",
        title: "every relay that gw started runs",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        story: "A service that listens on loopback only, as Ollama does, is carried to pods by a small relay \
                of gw's on the bridge's address. A reboot or a kill ends it, and then pods get connection \
                refused while the service itself is well. The fix looks for the way to the service again \
                and starts the relay; so does `gw up`.",
        explains: &["GW022", "GW038", "GW040"],
        look: relays,
    },
    Rule {
        code: "GW026",
        title: "the gateway's port on this machine is the gateway's",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        story: "Looks who listens on the port that callers use while the gateway itself is down. Another \
                program that has taken it gets the requests, and the gateway can't start. End that program, \
                or give the gateway another port with `gw up --port`.",
        explains: &["GW001", "GW040", "GW049"],
        look: port,
    },
    Rule {
        code: "GW027",
        title: "a port of the kind node leads to the gateway",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 15.13
        story: "Looks at the port mappings of the kind node's container. A mapping to port 30080 can only be \
                made when a cluster is created; a cluster that was made by hand has none, and then nothing on \
                this machine leads to the gateway, however well it runs. A cluster of gw's own has it.",
        explains: &["GW040", "GW049"],
        look: mapping,
    },
    Rule {
        code: "GW028",
        title: "logins to the registries of charts and images are valid",
        severity: Severity::Warn,
        needs: Needs::Nothing,
        story: "Shows the login that Docker keeps for the charts' registry to that registry. The charts are \
                public, but an expired login is refused where none would have been needed: helm and docker \
                say denied. Logging out is enough.",
        explains: &["GW052", "GW061"],
        look: logins,
    },
    Rule {
        code: "GW029",
        title: "every background process that gw started runs",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        story: "Looks whether the processes that gw keeps for this environment are alive, by pid and start \
                time: the mock provider, the built-in processor, the bridge to MCP servers that are programs, \
                the port-forward. A reboot or a kill ends them. The fix starts those again that routes lead to; \
                for the others, and for a bridge whose keys are not at hand, it is `gw up`.",
        explains: &["GW020", "GW037", "GW038", "GW040", "GW049"],
        look: processes,
    },
];

/// The service that a relay carries.
fn carried<'a>(snapshot: &'a Snapshot, role: &str) -> Option<&'a Service> {
    let name = role.strip_prefix("relay-")?;
    snapshot
        .services
        .iter()
        .find(|service| service.name == name)
}

/// Relays that a way leads through and of which no trace is left.
fn gone(snapshot: &Snapshot) -> impl Iterator<Item = Process> {
    let relayed = snapshot.services.iter().filter(|service| {
        let wire = snapshot.wires.get(&service.name);
        wire.is_some_and(|wire| wire.relay)
    });
    let roles = relayed.map(|service| format!("relay-{}", service.name));
    roles
        .filter(|role| snapshot.processes.iter().all(|p| p.role != *role))
        .map(|role| Process {
            role,
            ..Process::default()
        })
}

fn relays(snapshot: &Snapshot) -> Vec<Found> {
    let dead = snapshot
        .processes
        .iter()
        .filter(|p| !p.alive && p.role.starts_with("relay-"));
    let found = dead.cloned().chain(gone(snapshot)).map(|process| {
        let service = carried(snapshot, &process.role);
        let name = process.role.trim_start_matches("relay-").to_string();
        let title = service.map_or(name.clone(), |service| service.title.clone());
        let scope = match service {
            Some(service) => snapshot.scope_of_service(service),
            None => Scope::route(&name),
        };
        let can = snapshot.place.alive;
        let fix = match can && service.is_some_and(|service| service.silence.is_none()) {
            true => Fix::Change(Change::Rewire { service: name }),
            false => Fix::command("gw up"),
        };
        let process_is = match process.pid {
            Some(pid) => format!("its process {pid} has ended"),
            None => "its process is gone".to_string(),
        };
        Found::new(format!("the relay to {title} runs"), "host", fix)
            .short(format!("the relay to {title} has ended"))
            .scope(scope)
            .cause(process_is.clone())
            .saw(format!("process {}", process.role), process_is)
    });
    found.collect()
}

fn port(snapshot: &Snapshot) -> Vec<Found> {
    let down = match snapshot.on_cluster() {
        false => !snapshot.place.alive,
        true => matches!(
            snapshot.place.container,
            Some(Container::Stopped | Container::Missing)
        ),
    };
    let Some(owner) = snapshot.door.owner.as_ref().filter(|_| down) else {
        return Vec::new();
    };
    let port = snapshot.port;
    vec![
        Found::new(
            format!("port {port} on this machine is the gateway's"),
            "host",
            Fix::command(format!("gw up --port {}", port + 1)),
        )
        .short(format!("port {port} is taken by {owner}"))
        .cause(match snapshot.was_up() {
            true => format!("{owner} has taken the port while the gateway was down"),
            false => format!("{owner} has the port"),
        })
        .saw(format!("listener on port {port}"), owner.clone()),
    ]
}

fn mapping(snapshot: &Snapshot) -> Vec<Found> {
    if snapshot.door.mapped != Some(false) {
        return Vec::new();
    }
    let cluster = &snapshot.cluster;
    let next = format!(
        "gw up --target kind --cluster {cluster}-gw --env {}-gw",
        snapshot.environment
    );
    vec![
        Found::new(
            "a port of the kind node leads to the gateway",
            "cluster",
            Fix::command(next),
        )
        .short("nothing on this machine leads to the gateway")
        .cause(format!(
            "kind cluster {cluster} was created without a mapping for port {}",
            crate::plan::NODE_PORT
        ))
        .saw(
            "Docker",
            format!("no published port {}", crate::plan::NODE_PORT),
        ),
    ]
}

fn logins(snapshot: &Snapshot) -> Vec<Found> {
    let stale = snapshot.logins.iter().filter(|login| login.stale);
    let found = stale.map(|login| {
        let registry = &login.registry;
        Found::new(
            format!("the login to {registry} is valid"),
            "host",
            Fix::command(format!("docker logout {registry}")),
        )
        .short(format!("the login to {registry} is refused"))
        .cause(format!(
            "{registry} refuses the login that Docker keeps, and needs none for these charts"
        ))
        .saw("Docker's config.json", format!("a login to {registry}"))
        .saw(registry.clone(), "refuses it, and answers without one")
    });
    found.collect()
}

fn processes(snapshot: &Snapshot) -> Vec<Found> {
    let other = |role: &str| role != "gateway" && !role.starts_with("relay-");
    let dead = snapshot
        .processes
        .iter()
        .filter(|p| !p.alive && other(&p.role));
    let found = dead.map(|process| {
        let service = snapshot
            .services
            .iter()
            .find(|service| service.role.as_deref() == Some(process.role.as_str()));
        // Without the place nothing can be led there.
        let fix = match service.filter(|_| snapshot.place.alive) {
            Some(service) => Fix::Change(Change::Rewire {
                service: service.name.clone(),
            }),
            None => Fix::command("gw up"),
        };
        let scope = match service {
            Some(service) => snapshot.scope_of_service(service),
            // Everything comes by the port-forward.
            None if process.role == forward::ROLE => Scope::Everything,
            None => Scope::Routes(snapshot.routes.iter().map(|r| r.name.clone()).collect()),
        };
        let role = &process.role;
        let ended = match process.pid {
            Some(pid) => format!("its process {pid} has ended"),
            None => "its process is gone".to_string(),
        };
        Found::new(format!("the {role} runs"), "host", fix)
            .short(format!("the {role} has ended"))
            .scope(scope)
            .cause(ended.clone())
            .saw(format!("process {role}"), ended)
    });
    found.collect()
}

#[cfg(test)]
#[path = "tests/host.rs"]
mod tests;
