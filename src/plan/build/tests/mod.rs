mod offers;

use super::*;
use crate::plan::select::Service;
use crate::profile::load::load;
use crate::provider::Provider;
use std::collections::HashSet;

fn services() -> Services {
    Services {
        found: vec![Service {
            provider: Provider::Ollama,
            port: 11434,
            models: vec!["llama3.2:latest".into()],
        }],
        mock_port: 18434,
        ..Services::default()
    }
}

#[test]
fn every_step_needs_only_steps_that_stand_before_it() {
    let profile = load("default", std::io::empty()).unwrap();
    for target in TargetKind::ALL {
        let plan = build(&profile, target, "default", &services()).unwrap();
        let mut seen = HashSet::new();
        for step in &plan.steps {
            for need in &step.needs {
                assert!(seen.contains(need.as_str()), "{} needs {need}", step.id);
            }
            assert!(seen.insert(step.id.as_str()), "{} stands twice", step.id);
        }
    }
}

#[test]
fn a_route_waits_for_every_policy_of_the_gateway() {
    let profile = load("default", std::io::empty()).unwrap();
    let plan = build(&profile, TargetKind::Kind, "default", &services()).unwrap();
    let route = plan
        .steps
        .iter()
        .find(|step| step.id == "object.HTTPRoute.ollama")
        .unwrap();
    assert!(
        route
            .needs
            .contains(&"object.AgentgatewayPolicy.same-site".to_string())
    );
}

#[test]
fn without_ollama_the_default_profile_takes_the_mock_and_says_so() {
    let profile = load("default", std::io::empty()).unwrap();
    let none = Services {
        found: Vec::new(),
        mock_port: 18434,
        ..Services::default()
    };
    let plan = build(&profile, TargetKind::Embedded, "default", &none).unwrap();
    assert_eq!(plan.routes.len(), 1);
    assert_eq!(
        (plan.routes[0].path.as_str(), plan.routes[0].serves.title()),
        ("/mock", "mock provider")
    );
    assert_eq!(
        plan.notes,
        ["Ollama does not answer on 127.0.0.1:11434: using mock instead"]
    );
}

#[test]
fn a_required_ollama_that_is_not_there_ends_in_the_command_that_starts_it() {
    let profile = load("ollama", std::io::empty()).unwrap();
    let none = Services {
        found: Vec::new(),
        mock_port: 18434,
        ..Services::default()
    };
    let error = build(&profile, TargetKind::Embedded, "default", &none).unwrap_err();
    assert_eq!(error.next, "ollama serve");
}

#[test]
fn a_plan_without_a_route_is_refused_and_not_proved_by_nothing() {
    let mut profile = load("default", std::io::empty()).unwrap();
    profile.routes.retain(|route| route.backend == "ollama");
    let none = Services {
        found: Vec::new(),
        mock_port: 18434,
        ..Services::default()
    };
    let error = build(&profile, TargetKind::Embedded, "default", &none).unwrap_err();
    assert!(
        error.what.starts_with("no route of profile default"),
        "{error}"
    );
}

#[test]
fn a_model_that_is_not_pulled_gives_way_to_the_first_that_is_and_that_is_said() {
    let profile = load("default", std::io::empty()).unwrap();
    let mut services = services();
    services.found[0].models = vec!["qwen3:8b".into()];
    let plan = build(&profile, TargetKind::Embedded, "default", &services).unwrap();
    assert_eq!(plan.routes[0].serves.model(), "qwen3:8b");
    assert_eq!(
        plan.notes,
        ["Ollama has no llama3.2: using qwen3:8b; get it with: ollama pull llama3.2"]
    );
}

#[test]
fn clusters_differ_only_in_how_their_gateway_is_reached() {
    let profile = load("default", std::io::empty()).unwrap();
    let of = |target| build(&profile, target, "default", &services()).unwrap();
    let kind = of(TargetKind::Kind);
    let types = [
        (TargetKind::Kind, "NodePort"),
        (TargetKind::Context, "ClusterIP"),
        (TargetKind::OrbStack, "LoadBalancer"),
    ];
    for (target, service) in types {
        let plan = of(target);
        for (ours, theirs) in plan.objects().zip(kind.objects()) {
            match ours["kind"].as_str() {
                Some("AgentgatewayParameters") => {
                    assert_eq!(ours["spec"]["service"]["spec"]["type"], service);
                }
                _ => assert_eq!(ours, theirs),
            }
        }
        assert_eq!(plan.objects().count(), kind.objects().count());
        let forwards = plan
            .steps
            .iter()
            .any(|s| matches!(s.action, Action::Forward { .. }));
        assert_eq!(forwards, target == TargetKind::Context);
    }
}

#[test]
fn a_second_environment_in_somebodys_cluster_has_a_namespace_of_its_own() {
    let profile = load("default", std::io::empty()).unwrap();
    let plan = build(&profile, TargetKind::Context, "two", &services()).unwrap();
    let system = profile.release.namespace.as_str();
    assert_eq!(
        (plan.namespace.as_str(), plan.system.as_str()),
        ("gatewright-two", system)
    );
    for object in plan
        .objects()
        .filter(|object| object["kind"] != "Namespace")
    {
        assert_eq!(
            object["metadata"]["namespace"], "gatewright-two",
            "{object}"
        );
    }
    let mut charts = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Chart(chart) => Some(&chart.namespace),
        _ => None,
    });
    assert!(charts.all(|namespace| namespace == system));
}
