//! Ways to services of this machine that an environment has proved, for a backend of another name.

use crate::plan::HostService;
use crate::plan::object::host_alias_name;
use crate::plan::outcome::Wire;
use std::collections::BTreeMap;

/// A way that was proved to the same port, under a name of the new backend's own. A relay that passes
/// inference alone is none for a service of which every path is wanted.
pub fn way(
    wanted: &HostService,
    namespace: &str,
    services: &[HostService],
    wires: &BTreeMap<String, Wire>,
) -> Option<Wire> {
    let same = services.iter().filter(|service| {
        let alike = service.port == wanted.port && service.grpc == wanted.grpc;
        alike && (service.whole || !wanted.whole)
    });
    let wire = same.filter_map(|service| wires.get(&service.name)).next()?;
    Some(match wire.address {
        // The Service that bears the address is named for its backend.
        Some(_) => Wire {
            host: format!(
                "{}.{namespace}.svc.cluster.local",
                host_alias_name(&wanted.name)
            ),
            ..wire.clone()
        },
        None => wire.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, port: u16, whole: bool) -> HostService {
        HostService {
            name: name.into(),
            title: "S".into(),
            port,
            health_path: "/".into(),
            any_answer: false,
            start: String::new(),
            mock: false,
            grpc: false,
            demo: false,
            bridged: Vec::new(),
            whole,
            namespace: "ns".into(),
            alias: Vec::new(),
        }
    }

    #[test]
    fn a_proved_way_to_the_same_port_is_taken_under_the_new_name() {
        let relay = Wire {
            host: "host-ollama.ns.svc.cluster.local".into(),
            address: Some("172.30.0.1".parse().unwrap()),
            port: 36213,
            relay: true,
        };
        let wires = BTreeMap::from([("ollama".to_string(), relay.clone())]);
        let services = [service("ollama", 11434, false)];
        let way = |wanted: HostService| way(&wanted, "ns", &services, &wires);
        let expected = Wire {
            host: "host-x.ns.svc.cluster.local".into(),
            ..relay
        };
        assert_eq!(way(service("x", 11434, false)), Some(expected));
        assert_eq!(way(service("x", 8000, false)), None);
        assert_eq!(way(service("x", 11434, true)), None);
    }
}
