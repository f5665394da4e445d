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

fn with_server(server: &str) -> Profile {
    let text = format!(
        "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: p\nbackends:\n\
         - name: tools\n  mcp:\n  - {server}\n"
    );
    load("-", text.as_bytes()).unwrap()
}

fn backend_spec(plan: &Plan) -> Value {
    let object = plan.objects().find(|o| o["kind"] == "AgentgatewayBackend");
    object.unwrap()["spec"].clone()
}

/// Facts 6: both by labels, and without `namespaces` it is the backend's own.
#[test]
fn an_mcp_server_by_its_labels_is_a_selector_and_needs_nothing_of_this_machine() {
    let profile = with_server("{name: x, selector: {app: mcp}, namespace: tools}");
    let plan = build(&profile, TargetKind::Kind, "default", &services()).unwrap();
    let expected = serde_json::json!({"mcp": {"targets": [{"name": "x", "selector": {
        "namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}},
        "services": {"matchLabels": {"app": "mcp"}},
    }}]}});
    assert_eq!(backend_spec(&plan), expected);
    let needs_host = |step: &Step| matches!(step.action, Action::HostService(_));
    assert!(!plan.steps.iter().any(needs_host));
    let plain = with_server("{name: x, selector: {app: mcp}}");
    let plan = build(&plain, TargetKind::Kind, "default", &services()).unwrap();
    let selector = &backend_spec(&plan)["mcp"]["targets"][0]["selector"];
    assert_eq!(selector["namespaces"], Value::Null);
}

#[test]
fn without_a_cluster_a_selector_picks_among_the_profiles_own_services_or_is_refused() {
    let profile = with_server("{name: x, selector: {app: mcp}}");
    let error = build(&profile, TargetKind::Embedded, "default", &services()).unwrap_err();
    assert_eq!(error.next, "gw up --target kind");
    let text = "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: p\nbackends:\n\
        - {name: tools, required: false, mcp: [{name: x, selector: {app: mcp}}]}\n\
        - {name: mock, provider: mock}\n";
    let optional = load("-", text.as_bytes()).unwrap();
    let plan = build(&optional, TargetKind::Embedded, "default", &services()).unwrap();
    let note =
        "left out: MCP server x is picked among Services, and without a cluster there is none";
    assert!(
        plan.notes.iter().any(|n| n.starts_with(note)),
        "{:?}",
        plan.notes
    );
    let own = serde_json::json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "s", "labels": {"app": "mcp", "more": "x"}}});
    let with_own = Services {
        manifests: vec![own],
        ..services()
    };
    assert!(build(&profile, TargetKind::Embedded, "default", &with_own).is_ok());
}

#[test]
fn programs_that_speak_mcp_share_one_bridge_and_keep_their_keys_out_of_objects() {
    let server = "{name: a, command: [npx, -y, x], env: {A: b, TOKEN: {env: T}}}\n  \
                  - {name: c, command: [npx, y]}";
    let profile = with_server(server);
    let key = crate::plan::select::KeyState::Here {
        entries: vec!["TOKEN".into()],
        from: "T".into(),
        note: None,
    };
    let there = Services {
        bridge_port: 18436,
        programs: ["npx".to_string()].into(),
        keys: [("tools-a".to_string(), key)].into(),
        ..services()
    };
    let plan = build(&profile, TargetKind::Embedded, "default", &there).unwrap();
    let bridges = plan.steps.iter().filter_map(|step| match &step.action {
        Action::HostService(service) => Some(service),
        _ => None,
    });
    let bridges: Vec<&HostService> = bridges.collect();
    assert_eq!((bridges.len(), bridges[0].role()), (1, Some("bridge")));
    let names: Vec<&str> = bridges[0].bridged.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(names, ["tools-a", "tools-c"]);
    assert_eq!(bridges[0].bridged[0].keys, ["TOKEN"]);
    let targets = &backend_spec(&plan)["mcp"]["targets"];
    assert_eq!(targets[0]["static"]["path"], "/mcp/tools-a");
    assert_eq!(targets[1]["static"]["port"], 18436);
    assert!(!plan.objects().any(|object| object["kind"] == "Secret"));

    let error = build(
        &profile,
        TargetKind::Embedded,
        "default",
        &Services {
            programs: Default::default(),
            ..there
        },
    );
    let said = error.unwrap_err();
    assert_eq!(said.what, "MCP server a needs npx, which is not on PATH");
    assert!(
        said.next.ends_with("node") || said.next.ends_with("npm"),
        "{}",
        said.next
    );
}
