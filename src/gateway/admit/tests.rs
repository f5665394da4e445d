//! Objects and what an API server says of them (facts 6, 7; the CRDs).

use serde_json::{Value, json};

use super::check;

fn said(object: &Value) -> Vec<String> {
    let faults = check(object).into_iter();
    faults
        .map(|fault| format!("{}: {}", fault.path, fault.what))
        .collect()
}

fn backend(spec: Value) -> Value {
    json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayBackend", "metadata": {"name": "b"}, "spec": spec})
}

fn policy(mut spec: Value) -> Value {
    let target = json!([{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r"}]);
    if spec.get("targetRefs").is_none() {
        spec["targetRefs"] = target;
    }
    json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayPolicy", "metadata": {"name": "p"}, "spec": spec})
}

fn route(rule: Value) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [rule]}})
}

#[test]
fn backends_are_refused_in_the_words_of_the_crd() {
    let table = [
        (
            json!({"ai": {"provider": {"openai": {}}}, "static": {"host": "h", "port": 1}}),
            "spec: Invalid value: \"object\": exactly one of the fields in [ai static dynamicForwardProxy mcp] must be set",
        ),
        (
            json!({"ai": {"provider": {"openai": {}, "host": "h"}}}),
            "spec.ai.provider: Invalid value: \"object\": both host and port must be set together",
        ),
        (
            json!({"static": {"host": "h", "port": 1}, "policies": {"ai": {"routes": {"*": "Passthrough"}}}}),
            "spec: Invalid value: \"object\": AI policies require AI backend",
        ),
        (
            json!({"static": {"host": "h", "port": 70000}}),
            "spec.static.port: Invalid value: 70000: spec.static.port in body should be less than or equal to 65535",
        ),
        (
            json!({"static": {"host": "h"}}),
            "spec.static.port: Required value",
        ),
        (
            json!({"static": {"host": 1, "port": 1}}),
            "spec.static.host: Invalid value: \"integer\": spec.static.host in body must be of type string: \"integer\"",
        ),
        (
            json!({"ai": {"provider": {"azureopenai": {"endpoint": "e", "model": "m"}}}}),
            "spec.ai.provider.azureopenai.model: unknown field \"spec.ai.provider.azureopenai.model\"",
        ),
        (
            json!({"ai": {"provider": {"openai": {}}}, "policies": {"ai": {"routes": {"/x": "Realtime"}}}}),
            "spec.policies.ai.routes[/x]: Unsupported value: \"Realtime\": supported values: \"Completions\", \"Messages\", \"Models\", \"Passthrough\", \"Responses\", \"AnthropicTokenCount\", \"Embeddings\"",
        ),
        (
            json!({"mcp": {"targets": [{"name": "a", "static": {"host": "h", "port": 1, "protocol": "http_sse"}}]}}),
            "spec.mcp.targets[0].static.protocol: Unsupported value: \"http_sse\": supported values: \"StreamableHTTP\", \"SSE\"",
        ),
        (
            json!({"ai": {"provider": {"bedrock": {"region": "US East"}}}}),
            "spec.ai.provider.bedrock.region: Invalid value: \"US East\": spec.ai.provider.bedrock.region in body should match '^[a-z0-9-]+$'",
        ),
    ];
    for (spec, expected) in table {
        let said = said(&backend(spec));
        assert!(
            said.iter().any(|line| line == expected),
            "{expected}\n{said:#?}"
        );
    }
}

#[test]
fn policies_are_refused_in_the_words_of_the_crd() {
    let table = [
        (
            json!({"traffic": {"rateLimit": {"local": [{"requests": 1, "tokens": 1, "unit": "Minutes"}]}}}),
            "spec.traffic.rateLimit.local[0]: Invalid value: \"object\": exactly one of the fields in [requests tokens] must be set",
        ),
        (
            json!({"traffic": {"rateLimit": {"local": [{"requests": 1, "unit": "minutes"}]}}}),
            "spec.traffic.rateLimit.local[0].unit: Unsupported value: \"minutes\": supported values: \"Seconds\", \"Minutes\", \"Hours\"",
        ),
        (
            json!({"frontend": {"tcp": {"keepalive": {}}}}),
            "spec: Invalid value: \"object\": the 'frontend' field can only target a Gateway",
        ),
        (
            json!({"traffic": {"timeouts": {"request": "10ms"}}}),
            "spec.traffic.timeouts.request: Invalid value: \"10ms\": request must be at least 100ms",
        ),
    ];
    for (spec, expected) in table {
        let said = said(&policy(spec));
        assert!(
            said.iter()
                .any(|line| line.starts_with(expected.split(": Invalid").next().unwrap())),
            "{expected}\n{said:#?}"
        );
    }
}

#[test]
fn routes_are_refused_in_the_words_of_the_crd() {
    let table = [
        (
            json!({"matches": [{"path": {"value": "no/slash"}}]}),
            "spec.rules[0].matches[0].path: Invalid value: \"object\": value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']",
        ),
        (
            json!({"matches": [{"path": {"type": "Prefix", "value": "/"}}]}),
            "spec.rules[0].matches[0].path.type: Unsupported value: \"Prefix\": supported values: \"Exact\", \"PathPrefix\", \"RegularExpression\"",
        ),
        (
            json!({"filters": [{"type": "URLRewrite"}]}),
            "spec.rules[0].filters[0]: Invalid value: \"object\": filter.urlRewrite must be specified for URLRewrite filter.type",
        ),
        (
            json!({"backendRef": []}),
            "spec.rules[0].backendRef: unknown field \"spec.rules[0].backendRef\"",
        ),
    ];
    for (rule, expected) in table {
        let said = said(&route(rule));
        assert!(
            said.iter().any(|line| line == expected),
            "{expected}\n{said:#?}"
        );
    }
}

#[test]
fn a_field_that_is_left_empty_and_a_default_are_as_on_a_server() {
    let rule = json!({"matches": null, "backendRefs": [{"name": "s", "port": 80, "weight": null}]});
    assert_eq!(said(&route(rule)), Vec::<String>::new());
}

#[test]
fn core_objects_are_checked_and_no_key_is_quoted() {
    let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data});
    assert_eq!(
        said(&secret(json!({"Authorization": "QmVhcmVyIGs="}))),
        Vec::<String>::new()
    );
    let plain = said(&secret(json!({"Authorization": "Bearer sk-very-secret"})));
    assert_eq!(
        plain,
        ["data[Authorization]: illegal base64 data at input byte 6"]
    );
    let named = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "Mine"}, "spec": {"ports": [{"port": 0}], "prots": []}});
    let said = said(&named);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said[0].starts_with("metadata.name: Invalid value: \"Mine\": a DNS-1035 label"),
        "{said:?}"
    );
    assert_eq!(check(&named)[2].hint, "did you mean `ports`?");
}

#[test]
fn everything_that_the_real_server_took_is_taken() {
    let text = include_str!("../../../tests/recordings/resources.yaml");
    for object in crate::yaml::read_values(text).unwrap() {
        assert_eq!(said(&object), Vec::<String>::new(), "{object}");
    }
    for file in std::fs::read_dir("tests/recordings/policies").unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let recording: Value = serde_json::from_str(&text).unwrap();
        for object in objects(&recording) {
            assert_eq!(said(object), Vec::<String>::new(), "{object}");
        }
    }
}

fn objects(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(fields)
            if fields.contains_key("apiVersion") && fields.contains_key("kind") =>
        {
            vec![value]
        }
        Value::Object(fields) => fields.values().flat_map(objects).collect(),
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}
