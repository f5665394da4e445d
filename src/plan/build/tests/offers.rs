//! What a plan makes of providers, keys, groups, MCP servers and policies.

use crate::error::Error;
use crate::plan::build::build;
use crate::plan::select::{KeyState, Service, Services};
use crate::plan::{Action, Plan, Served};
use crate::profile::{Profile, TargetKind, wire};
use crate::provider::Provider;
use serde_json::{Value, json};
use std::collections::HashSet;

fn profile(backends: &str, rest: &str) -> Profile {
    let text = format!(
        "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: t\nbackends:\n{backends}{rest}"
    );
    wire::read(&text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn here(entries: &[&str]) -> KeyState {
    KeyState::Here {
        entries: entries.iter().map(ToString::to_string).collect(),
        from: "A_KEY".into(),
        note: None,
    }
}

fn refused() -> KeyState {
    let error = Error::usage("OpenAI refuses the key: \"no\"", "read -rs A_KEY");
    KeyState::Lacking(error)
}

fn services(keys: &[(&str, KeyState)]) -> Services {
    let keys = keys.iter().cloned();
    Services {
        mock_port: 18434,
        keys: keys
            .map(|(name, state)| (name.to_string(), state))
            .collect(),
        ..Services::default()
    }
}

fn embedded(profile: &Profile, services: &Services) -> Plan {
    build(profile, TargetKind::Embedded, "default", services).unwrap()
}

fn object(plan: &Plan, kind: &str, name: &str) -> Value {
    let is_it = |o: &&Value| o["kind"] == kind && o["metadata"]["name"] == name;
    plan.objects().find(is_it).cloned().unwrap_or_default()
}

fn needs(plan: &Plan, id: &str) -> Vec<String> {
    let step = plan.steps.iter().find(|step| step.id == id);
    step.map(|step| step.needs.clone()).unwrap_or_default()
}

#[test]
fn a_provider_at_home_needs_only_its_secret() {
    let profile = profile("- {name: openai, provider: openai}\n", "");
    let plan = embedded(&profile, &services(&[("openai", here(&["Authorization"]))]));
    let secret = object(&plan, "Secret", "openai-key");
    assert_eq!(
        secret["stringData"],
        json!({"Authorization": "{secret.openai.Authorization}"})
    );
    let backend = object(&plan, "AgentgatewayBackend", "openai");
    // Facts 5 and 6.
    assert_eq!(
        backend["spec"]["ai"]["provider"],
        json!({"openai": {"model": "gpt-4o-mini"}})
    );
    assert_eq!(
        backend["spec"]["policies"]["auth"],
        json!({"secretRef": {"name": "openai-key"}})
    );
    assert_eq!(
        needs(&plan, "object.AgentgatewayBackend.openai"),
        ["object.Secret.openai-key"]
    );
    assert_eq!(plan.sources["openai-key"], "A_KEY");
}

#[test]
fn aws_keys_are_referred_to_in_the_form_that_is_read() {
    let profile = profile("- {name: b, provider: bedrock}\n", "");
    let plan = embedded(
        &profile,
        &services(&[("b", here(&["accessKey", "secretKey"]))]),
    );
    let backend = object(&plan, "AgentgatewayBackend", "b");
    assert_eq!(
        backend["spec"]["policies"]["auth"],
        json!({"aws": {"secretRef": {"name": "b-key"}}})
    );
}

#[test]
fn azure_has_a_deployment_and_no_model() {
    let profile = profile("- {name: a, provider: azureopenai}\n", "");
    let mut services = services(&[("a", here(&["Authorization"]))]);
    let error = build(&profile, TargetKind::Embedded, "default", &services).unwrap_err();
    assert_eq!(
        error.next,
        "export AZURE_OPENAI_ENDPOINT=NAME.openai.azure.com"
    );
    for (name, value) in [
        ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com/"),
        ("AZURE_OPENAI_DEPLOYMENT", "d"),
    ] {
        services.settings.insert(name.into(), value.into());
    }
    let plan = embedded(&profile, &services);
    let backend = object(&plan, "AgentgatewayBackend", "a");
    assert_eq!(
        backend["spec"]["ai"]["provider"]["azureopenai"],
        json!({"endpoint": "x.openai.azure.com", "deploymentName": "d"})
    );
    let Served::Chat { accepted, .. } = &plan.routes[0].serves else {
        panic!("no chat");
    };
    assert!(accepted.is_empty(), "a deployment's model is not known");
}

#[test]
fn a_refused_key_is_an_error_where_it_is_required_and_a_note_where_not() {
    let required = profile("- {name: openai, provider: openai}\n", "");
    let services = services(&[("openai", refused())]);
    let error = build(&required, TargetKind::Embedded, "default", &services).unwrap_err();
    assert_eq!(error.what, "OpenAI refuses the key: \"no\"");
    let optional = profile(
        "- {name: openai, provider: openai, required: false}\n- {name: mock, provider: mock}\n",
        "",
    );
    let plan = embedded(&optional, &services);
    assert_eq!(
        plan.notes,
        ["left out: OpenAI refuses the key: \"no\"; take it in: read -rs A_KEY"]
    );
    assert_eq!(plan.routes.len(), 1);
}

#[test]
fn clients_choose_among_models_and_the_first_is_for_those_who_do_not() {
    let profile = profile(
        "- {name: o, provider: openai, models: [gpt-4o, gpt-4o-mini], aliases: {fast: gpt-4o-mini}}\n",
        "",
    );
    let plan = embedded(&profile, &services(&[("o", here(&["Authorization"]))]));
    let spec = object(&plan, "AgentgatewayBackend", "o")["spec"].clone();
    // Facts 9.5: a model here would replace every client's.
    assert_eq!(spec["ai"]["provider"], json!({"openai": {}}));
    let ai = &spec["policies"]["ai"];
    assert_eq!(
        ai["defaults"],
        json!([{"field": "model", "value": "gpt-4o"}])
    );
    assert_eq!(ai["modelAliases"], json!({"fast": "gpt-4o-mini"}));
}

#[test]
fn a_group_goes_without_a_member_that_has_no_key() {
    let profile = profile(
        "- {name: openai, provider: openai, required: false}\n\
         - {name: gemini, provider: gemini}\n\
         - {name: either, groups: [[openai], [gemini]]}\n",
        "routes: [{name: either, backend: either}]\n",
    );
    let services = services(&[("openai", refused()), ("gemini", here(&["Authorization"]))]);
    let plan = embedded(&profile, &services);
    let groups = object(&plan, "AgentgatewayBackend", "either")["spec"]["ai"]["groups"].clone();
    let names: Vec<&Value> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|g| &g["providers"][0]["name"])
        .collect();
    assert_eq!(names, ["gemini"]);
    assert!(
        plan.notes[1].starts_with("either goes without a member")
            || plan.notes[0].starts_with("either goes without a member")
    );
}

#[test]
fn one_service_of_this_machine_is_proved_once() {
    let profile = profile(
        "- {name: a, provider: ollama, model: llama3.2}\n\
         - {name: b, provider: ollama, model: qwen3}\n\
         - {name: m, provider: mock}\n- {name: t, mcp: [{name: x, mock: true}]}\n",
        "",
    );
    let services = Services {
        found: vec![Service {
            provider: Provider::Ollama,
            port: 11434,
            models: vec!["llama3.2:latest".into(), "qwen3:latest".into()],
        }],
        ..services(&[])
    };
    let plan = embedded(&profile, &services);
    let hosts: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::HostService(_)))
        .map(|step| step.id.as_str())
        .collect();
    assert_eq!(hosts, ["host.a", "host.m"]);
    let host = |name| object(&plan, "AgentgatewayBackend", name)["spec"].clone();
    assert_eq!(host("b")["ai"]["provider"]["host"], "{host.a}");
    assert_eq!(host("t")["mcp"]["targets"][0]["static"]["host"], "{host.m}");
}

#[test]
fn a_compatible_server_elsewhere_is_asked_by_tls_under_its_own_prefix() {
    let profile = profile(
        "- {name: r, provider: openai-compatible, address: \"https://openrouter.ai/api/v1\", model: m}\n",
        "",
    );
    let mut services = services(&[]);
    services.elsewhere.insert("r".into(), Vec::new());
    let plan = embedded(&profile, &services);
    let spec = object(&plan, "AgentgatewayBackend", "r")["spec"].clone();
    assert_eq!(
        spec["ai"]["provider"],
        json!({"openai": {"model": "m"}, "host": "openrouter.ai", "port": 443})
    );
    assert_eq!(spec["policies"]["tls"], json!({}));
    let route = object(&plan, "HTTPRoute", "r");
    let instead = "/spec/rules/0/filters/0/urlRewrite/path/replacePrefixMatch";
    assert_eq!(route.pointer(instead), Some(&json!("/api")));
}

#[test]
fn a_guard_is_in_the_backend_and_its_other_routes_are_told() {
    let profile = profile(
        "- {name: m, provider: mock}\n",
        "routes: [{name: a, backend: m}, {name: b, backend: m}]\n\
         policies: [{name: g, routes: [a], promptGuard: {reject: [x, Ssn], mask: [Email], status: 422}}]\n",
    );
    let plan = embedded(&profile, &services(&[]));
    let spec = object(&plan, "AgentgatewayBackend", "m")["spec"].clone();
    assert_eq!(
        spec["policies"]["ai"]["promptGuard"]["request"],
        json!([
            {"regex": {"action": "Reject", "builtins": ["Ssn"], "matches": ["x"]}, "response": {"statusCode": 422}},
            {"regex": {"action": "Mask", "builtins": ["Email"]}},
        ])
    );
    assert_eq!(plan.notes, ["policy g guards /b too: it shares backend m"]);
}

#[test]
fn nothing_is_served_before_its_policies_and_their_secrets_are_there() {
    let profile = profile(
        "- {name: m, provider: mock}\n",
        "policies: [{name: k, apiKeys: {keys: {ann: {env: ANN}}}}, {name: p, extProc: {host: h, port: 9}}]\n",
    );
    let plan = embedded(&profile, &services(&[]));
    let mut seen = HashSet::new();
    for step in &plan.steps {
        assert!(
            step.needs.iter().all(|need| seen.contains(need)),
            "{}",
            step.id
        );
        seen.insert(step.id.clone());
    }
    assert!(
        needs(&plan, "object.AgentgatewayPolicy.k")
            .contains(&"object.Secret.policy-k-key".to_string())
    );
    assert!(
        needs(&plan, "object.AgentgatewayPolicy.p")
            .contains(&"object.AgentgatewayBackend.p".to_string())
    );
    let route = needs(&plan, "object.HTTPRoute.m");
    for policy in ["k", "p"] {
        assert!(
            route.contains(&format!("object.AgentgatewayPolicy.{policy}")),
            "{route:?}"
        );
    }
    assert_eq!(plan.routes[0].auth.as_ref().unwrap().name, "ann");
}

#[test]
fn a_processor_in_the_cluster_is_ready_before_its_policy_and_a_gateway_without_one_has_it_here() {
    let profile = profile(
        "- {name: m, provider: mock}\n",
        "policies: [{name: p, extProc: {demo: true, in: cluster}}]\n",
    );
    let kind = build(&profile, TargetKind::Kind, "two", &services(&[])).unwrap();
    let deployment = object(&kind, "Deployment", "processor-p");
    let template = &deployment["spec"]["template"];
    let container = &template["spec"]["containers"][0];
    let image = format!(
        "ghcr.io/gatewright/gatewright:v{}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(container["image"], image);
    assert_eq!(
        crate::supply::bundle::image::named(std::slice::from_ref(&deployment)),
        [image.clone()].into()
    );
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(template["spec"]["securityContext"]["runAsNonRoot"], true);
    let service = object(&kind, "Service", "processor-p");
    for (label, value) in service["spec"]["selector"].as_object().unwrap() {
        assert_eq!(template["metadata"]["labels"][label], *value);
    }
    assert!(deployment["metadata"]["labels"]["gatewright.dev/environment"] == "two");
    let policy = object(&kind, "AgentgatewayPolicy", "p");
    assert_eq!(
        policy["spec"]["traffic"]["extProc"]["backendRef"],
        json!({"name": "processor-p", "port": service["spec"]["ports"][0]["port"]})
    );
    let ready = "ready.processor-p".to_string();
    assert!(needs(&kind, "object.AgentgatewayPolicy.p").contains(&ready));
    assert!(needs(&kind, &ready).contains(&"object.Deployment.processor-p".to_string()));
    assert_eq!(kind.cluster().unwrap().own_image, Some(image));

    let embedded = embedded(&profile, &services(&[]));
    assert!(embedded.objects().all(|o| o["kind"] != "Deployment"));
    assert!(embedded.steps.iter().any(|s| s.id == "host.p-processor"));
    assert_eq!(
        embedded.notes,
        ["the processor of policy p runs on this machine: there is no cluster"]
    );
}

#[test]
fn an_image_of_ones_own_is_taken_as_it_is() {
    let profile = profile(
        "- {name: m, provider: mock}\n",
        "policies: [{name: p, extProc: {demo: true, in: cluster, image: 'r.example/gw:1'}}]\n",
    );
    let plan = build(&profile, TargetKind::Kind, "default", &services(&[])).unwrap();
    assert_eq!(plan.cluster().unwrap().own_image, None);
    let note = "the processor of policy p runs in the cluster: image r.example/gw:1, \
                which the cluster must be able to pull";
    assert_eq!(plan.notes, [note]);
}
