use super::*;
use crate::host::facts::{Answer, Container, Docker};

/// A machine with our kind cluster, one of somebody's, and a cloud's context.
fn machine() -> Facts {
    let node = |cluster: &str, port| Container {
        name: format!("{cluster}-control-plane"),
        product: "kind".into(),
        cluster: cluster.into(),
        running: true,
        published: vec![port],
    };
    let context = |name: &str, server: &str| Context {
        name: name.into(),
        server: server.into(),
        current: false,
        answer: Some(Answer::Cluster {
            version: "v1.34.0".into(),
            nodes: Vec::new(),
            installed: Vec::new(),
        }),
    };
    Facts {
        docker: Docker {
            address: Some("unix:///var/run/docker.sock".into()),
            containers: vec![node("gatewright", 40000), node("dev", 40001)],
            ..Docker::default()
        },
        contexts: vec![
            context("kind-gatewright", "https://127.0.0.1:40000"),
            context("kind-dev", "https://127.0.0.1:40001"),
            context("prod", "https://prod.example"),
        ],
        ..Facts::default()
    }
}

fn nothing_said() -> Asked {
    Asked {
        own: "gatewright".into(),
        ..Asked::default()
    }
}

fn named(context: &str) -> Asked {
    Asked {
        context: Some(context.into()),
        ..nothing_said()
    }
}

#[test]
fn what_was_said_wins_over_what_is_found() {
    let own = Place::Kind {
        cluster: "gatewright".into(),
    };
    let place = |asked: &Asked, facts: &Facts| choose(asked, facts).unwrap().place;
    let asked = nothing_said();
    assert_eq!(place(&asked, &Facts::default()), Place::Embedded);
    assert_eq!(place(&asked, &machine()), own);
    let profile = Asked {
        profile: Some(TargetKind::Embedded),
        ..asked
    };
    assert_eq!(place(&profile, &machine()), Place::Embedded);
    let last = Asked {
        last: Some(own.clone()),
        ..profile
    };
    assert_eq!(place(&last, &Facts::default()), own);
    let flag = Asked {
        target: Some(TargetKind::Embedded),
        ..last
    };
    assert_eq!(place(&flag, &machine()), Place::Embedded);
}

#[test]
fn a_context_is_used_as_it_was_asked_for() {
    let choice = |asked: &Asked| choose(asked, &machine()).unwrap();
    let dev = choice(&named("kind-dev"));
    assert_eq!(dev.place.name(), "context/kind-dev");
    assert_eq!(dev.server, "https://127.0.0.1:40001");
    assert!(dev.locality.is_local() && dev.named);
    assert_eq!(
        choice(&named("kind-gatewright")).place.name(),
        "kind/gatewright"
    );
    let forced = Asked {
        target: Some(TargetKind::Context),
        ..named("kind-gatewright")
    };
    assert_eq!(choice(&forced).place.name(), "context/kind-gatewright");
    let prod = choice(&named("prod"));
    assert!(!prod.locality.is_local(), "{prod:?}");
    let contradiction = Asked {
        target: Some(TargetKind::OrbStack),
        ..named("kind-dev")
    };
    let error = choose(&contradiction, &machine()).unwrap_err();
    assert_eq!(error.next, "gw up --context kind-dev");
}

#[test]
fn a_profile_never_names_a_cluster_for_the_person() {
    let asked = Asked {
        profile: Some(TargetKind::Context),
        profile_context: Some("prod".into()),
        ..nothing_said()
    };
    let choice = choose(&asked, &machine()).unwrap();
    assert!(!choice.named && !choice.locality.is_local());
}

#[test]
fn without_a_name_a_context_is_taken_only_where_there_is_one_that_is_local() {
    let asked = Asked {
        target: Some(TargetKind::Context),
        ..nothing_said()
    };
    let one = choose(&asked, &machine()).unwrap();
    assert_eq!(one.place.name(), "context/kind-dev");
    let mut remote = machine();
    remote.contexts.retain(|context| context.name == "prod");
    let error = choose(&asked, &remote).unwrap_err();
    assert_eq!(error.exit, Exit::NoTarget);
    assert_eq!(
        error.facts,
        ["context/prod: its address is not this machine's"]
    );
}

#[test]
fn what_was_asked_for_and_is_not_there_is_an_error_and_nothing_else_is_taken() {
    let error = choose(&named("nowhere"), &machine()).unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    let orbstack = Asked {
        target: Some(TargetKind::OrbStack),
        ..nothing_said()
    };
    let error = choose(&orbstack, &machine()).unwrap_err();
    assert_eq!(
        (error.exit, error.next.as_str()),
        (Exit::NoTarget, "orb start k8s")
    );
    let mut stopped = machine();
    stopped.docker.containers[1].running = false;
    let error = choose(&named("kind-dev"), &stopped).unwrap_err();
    assert_eq!(error.next, "docker start dev-control-plane");
}

#[test]
fn the_flags_of_a_place_lead_to_that_place() {
    let facts = machine();
    for candidate in candidates(&facts, "gatewright") {
        let mut asked = nothing_said();
        let flags = candidate.place.flags();
        for pair in flags.chunks(2) {
            match pair[0].as_str() {
                "--target" => asked.target = TargetKind::named(&pair[1]),
                "--context" => asked.context = Some(pair[1].clone()),
                other => panic!("{other}"),
            }
        }
        assert_eq!(choose(&asked, &facts).unwrap().place, candidate.place);
    }
}

#[test]
fn an_embedded_gateway_says_why_it_is_no_cluster() {
    let facts = Facts {
        docker: Docker {
            reason: Some("no Docker socket found".into()),
            ..Docker::default()
        },
        ..Facts::default()
    };
    let reason = choose(&nothing_said(), &facts).unwrap().reason;
    let expected = "no cluster: Docker does not answer; no Docker socket found";
    assert_eq!(reason, expected);
}
