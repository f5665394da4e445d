use crate::diagnose::snapshot::Container;
use crate::diagnose::snapshot::tests::{codes, healthy};

#[test]
fn a_cluster_that_is_gone_is_the_one_finding() {
    let mut snapshot = healthy();
    snapshot.place.alive = false;
    snapshot.place.silence = "connection refused".into();
    for (container, words) in [
        (Some(Container::Missing), "somebody deleted it"),
        (Some(Container::Stopped), "as after a reboot"),
        (Some(Container::Another), "made it anew"),
        (Some(Container::Paused), "somebody paused its node"),
        (None, "Docker can't be asked"),
    ] {
        snapshot.place.container = container;
        // A node that is paused keeps its port.
        let keeps = container == Some(Container::Paused);
        snapshot.door.owner = keeps.then(|| "docker-proxy (pid 7)".into());
        snapshot.door.answers = Some(Err("connection refused".into()));
        snapshot.probes.clear();
        let diagnosis = crate::diagnose::diagnose(&snapshot);
        assert_eq!(codes(&snapshot), ["GW001"]);
        assert!(diagnosis.findings[0].found.cause.contains(words));
    }
}

#[test]
fn versions_out_of_range_are_found_and_those_at_the_edges_are_not() {
    for (version, expected) in [
        ("v1.30.13", true),
        ("v1.31.0", false),
        ("v1.35.6+orb1", false),
        ("v1.36.0", true),
    ] {
        let mut snapshot = healthy();
        snapshot.place.version = Some(version.into());
        assert_eq!(codes(&snapshot).contains(&"GW002"), expected, "{version}");
    }
    for (version, expected) in [
        ("v1.1.0", true),
        ("v1.2.0", false),
        ("v1.4.1", false),
        ("v1.5.1", true),
        ("", false),
    ] {
        let mut snapshot = healthy();
        let gateways = "gateways.gateway.networking.k8s.io".to_string();
        snapshot.crds.insert(gateways, version.into());
        assert_eq!(codes(&snapshot).contains(&"GW004"), expected, "{version}");
    }
}

#[test]
fn missing_kinds_are_found_unless_nobody_could_look() {
    let mut snapshot = healthy();
    snapshot
        .crds
        .remove("agentgatewaybackends.agentgateway.dev");
    assert_eq!(codes(&snapshot), ["GW006"]);
    snapshot.crds.clear();
    assert_eq!(codes(&snapshot), ["GW003", "GW006"]);
    snapshot.unread.push(("CRDs".into(), "403".into()));
    assert_eq!(codes(&snapshot), Vec::<&str>::new());
}

#[test]
fn clocks_may_differ_by_what_a_network_explains() {
    for (ahead, expected) in [(-29, false), (31, true), (-600, true)] {
        let mut snapshot = healthy();
        snapshot.place.clock_ahead = Some(ahead);
        assert_eq!(codes(&snapshot).contains(&"GW005"), expected, "{ahead}");
    }
}
