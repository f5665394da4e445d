use super::*;
use serde_json::json;

/// A cluster on which all is well: what the rules' tables start from.
pub fn healthy() -> Snapshot {
    let text = include_str!("healthy.json");
    let objects: Vec<Value> = serde_json::from_str(text).unwrap();
    let route = Route {
        name: "ollama".into(),
        path: "/ollama".into(),
        provider: "ollama".into(),
        title: "Ollama".into(),
        model: "llama3.2".into(),
        variable: String::new(),
    };
    let cloud = Route {
        name: "openai".into(),
        path: "/openai".into(),
        provider: "openai".into(),
        title: "OpenAI".into(),
        model: "gpt-4o-mini".into(),
        variable: "OPENAI_API_KEY".into(),
    };
    let good = |route: &str| Probe {
        route: route.into(),
        sent: format!("POST /{route}/v1/chat/completions"),
        status: 200,
        content_type: "application/json".into(),
        body: "{}".into(),
        good: true,
        ..Probe::default()
    };
    let release = |name: &str| Release {
        name: name.into(),
        status: "deployed".into(),
        version: "v2.2.0".into(),
        description: String::new(),
    };
    let wire = Wire {
        host: "host-ollama.kgateway-system.svc.cluster.local".into(),
        address: Some("172.18.0.1".parse().unwrap()),
        port: 41000,
        relay: true,
    };
    let ollama = Service {
        name: "ollama".into(),
        title: "Ollama".into(),
        port: 11434,
        start: "ollama serve".into(),
        listens: vec!["127.0.0.1".parse().unwrap()],
        models: Some(vec!["llama3.2:latest".into()]),
        with_host: Some((wire.host.clone(), 200)),
        ..Service::default()
    };
    let bundle = |kind: &str| {
        (
            format!("{kind}.gateway.networking.k8s.io"),
            "v1.4.1".to_string(),
        )
    };
    let ours = |kind: &str| (format!("{kind}.agentgateway.dev"), String::new());
    Snapshot {
        environment: "default".into(),
        target: "kind".into(),
        cluster: "gatewright".into(),
        gateway: "ai-gateway".into(),
        namespace: "kgateway-system".into(),
        system: "kgateway-system".into(),
        context: "kind-gatewright".into(),
        base_url: "http://localhost:8080".into(),
        port: 8080,
        routes: vec![route, cloud],
        place: Place {
            alive: true,
            container: Some(Container::Running),
            version: Some("v1.34.4".into()),
            clock_ahead: Some(0),
            ..Place::default()
        },
        ledger: objects.iter().map(Thing::of).collect(),
        objects,
        crds: [
            bundle("gatewayclasses"),
            bundle("gateways"),
            bundle("httproutes"),
            ours("agentgatewaybackends"),
            ours("agentgatewaypolicies"),
            ours("agentgatewayparameters"),
        ]
        .into(),
        releases: ["agentgateway-crds", "agentgateway"].map(release).into(),
        processes: vec![Process {
            role: "relay-ollama".into(),
            alive: true,
            pid: Some(4711),
            last: None,
        }],
        services: vec![ollama],
        wires: [("ollama".to_string(), wire)].into(),
        door: Door {
            answers: Some(Ok(404)),
            owner: None,
            mapped: Some(true),
        },
        probes: vec![good("ollama"), good("openai")],
        ..Snapshot::default()
    }
}

/// The healthy cluster with one object changed by a JSON merge.
pub fn with(kind: &str, name: &str, patch: Value) -> Snapshot {
    let mut snapshot = healthy();
    let object = snapshot
        .objects
        .iter_mut()
        .find(|o| o["kind"] == *kind && super::name(o) == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"));
    merge(object, &patch);
    snapshot
}

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        match value {
            Value::Null => {
                target.as_object_mut().unwrap().shift_remove(key);
            }
            value => merge(&mut target[key.as_str()], value),
        }
    }
}

/// An answer through a route instead of the good one.
pub fn answered(mut snapshot: Snapshot, route: &str, status: u16, body: &str) -> Snapshot {
    let probe = snapshot
        .probes
        .iter_mut()
        .find(|p| p.route == route)
        .unwrap();
    probe.status = status;
    probe.body = body.into();
    probe.content_type = match body.starts_with('{') {
        true => "application/json".into(),
        false => "text/plain".into(),
    };
    probe.good = false;
    snapshot
}

/// Codes of the findings in their order, effects left out.
pub fn codes(snapshot: &Snapshot) -> Vec<&'static str> {
    crate::diagnose::diagnose(snapshot)
        .findings
        .iter()
        .map(|f| f.code)
        .collect()
}

#[test]
fn nothing_is_found_where_all_is_well() {
    assert_eq!(codes(&healthy()), Vec::<&str>::new());
}
