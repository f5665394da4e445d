//! Backends and policies (facts 4.4, 4.5).

use serde_json::{Value, json};

use super::{UNSUPPORTED, backend, gateway, openai, policy, route, said, status};

#[test]
fn backends_get_the_conditions_of_facts_4_4() {
    let secret = |key: &str, value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}, "stringData": {key: value}});
    let by_secret = || openai(json!({"auth": {"secretRef": {"name": "s"}}}));
    let failed = "Accepted=False TranslationError failed to translate backend:";
    let table = [
        (
            vec![openai(json!({}))],
            "Accepted=True Accepted Backend successfully accepted".to_string(),
        ),
        (vec![by_secret()], format!("{failed} secret ns/s not found")),
        (
            vec![by_secret(), secret("api-key", "k")],
            format!("{failed} secret ns/s missing Authorization value"),
        ),
        (
            vec![by_secret(), secret("Authorization", "  ")],
            format!("{failed} secret ns/s missing Authorization value"),
        ),
        (
            vec![by_secret(), secret("Authorization", "Bearer k\n")],
            "Accepted=True Accepted Backend successfully accepted".to_string(),
        ),
        (
            vec![openai(
                json!({"tls": {"caCertificateRefs": [{"name": "s"}]}}),
            )],
            format!("{failed} ConfigMap ns/s not found"),
        ),
        (
            vec![
                openai(json!({"tls": {"mtlsCertificateRef": [{"name": "s"}]}})),
                secret("tls.crt", "x"),
            ],
            format!("{failed} secret ns/s contains invalid certificate: no certificate in it"),
        ),
        (
            vec![openai(json!({"auth": {"secretRef": {"name": "s"}},
                "tls": {"insecureSkipVerify": "All", "verifySubjectAltNames": ["x"]}}))],
            format!(
                "{failed} secret ns/s not found\ninsecureSkipVerify and verifySubjectAltNames may not be set together"
            ),
        ),
        (
            vec![openai(json!({"auth": {"key": "a\nb"}}))],
            format!("{failed} the key has characters that no header can carry"),
        ),
    ];
    for (objects, expected) in table {
        assert_eq!(
            said(&status(objects.clone(), "AgentgatewayBackend")["conditions"]),
            [expected],
            "{objects:?}"
        );
    }
}

#[test]
fn what_is_not_supported_is_named() {
    let table = [
        (
            openai(json!({"ai": {"promptCompression": {}}})),
            "policies.ai.promptCompression",
        ),
        (
            backend(json!({"static": {"host": "x", "port": 1}, "policies": {"auth": {"aws": {}}}})),
            "policies.auth.aws of a backend that is no model",
        ),
    ];
    for (object, part) in table {
        let expected = format!(
            "Accepted=False {UNSUPPORTED} the embedded gateway does not support {part} yet; a cluster target does"
        );
        assert_eq!(
            said(&status(vec![object], "AgentgatewayBackend")["conditions"]),
            [expected]
        );
    }
}

#[test]
fn policies_get_the_conditions_of_facts_4_5() {
    let on = |kind: &str, name: &str, traffic: Value| {
        policy(json!({"targetRefs": [{"kind": kind, "name": name}], "traffic": traffic}))
    };
    let valid = "Accepted=True Valid Policy accepted";
    let world = |policy: Value| vec![gateway(json!({})), route(json!({})), policy];
    let table = [
        (
            on("Gateway", "gw", json!({"csrf": {}})),
            [
                valid.to_string(),
                "Attached=True Attached Attached to all targets".into(),
            ],
        ),
        (
            on("HTTPRoute", "r", json!({"csrf": {}})),
            [
                valid.to_string(),
                "Attached=True Attached Attached to all targets".into(),
            ],
        ),
        (
            on("Gateway", "x", json!({"csrf": {}})),
            [
                valid.to_string(),
                "Attached=False Pending Policy is not attached: Gateway ns/x not found".into(),
            ],
        ),
        (
            on("Gateway", "gw", json!({"csrf": {}, "hostRewrite": {}})),
            [
                format!(
                    "Accepted=False {UNSUPPORTED} the embedded gateway does not support traffic.hostRewrite yet; a cluster target does"
                ),
                "Attached=False Pending Policy is not attached due to invalid status".into(),
            ],
        ),
        (
            on(
                "Gateway",
                "gw",
                json!({"extProc": {"backendRef": {"name": "s", "port": 1}}}),
            ),
            [
                "Accepted=True Invalid failed to build extProc: unable to find the Service ns/s"
                    .to_string(),
                "Attached=False Pending Policy is not attached due to invalid status".into(),
            ],
        ),
        (
            on(
                "Gateway",
                "gw",
                json!({"apiKeyAuthentication": {"secretRef": {"name": "s"}}}),
            ),
            [
                "Accepted=True Invalid API Key secret s not found".to_string(),
                "Attached=False Pending Policy is not attached due to invalid status".into(),
            ],
        ),
    ];
    for (object, expected) in table {
        let status = status(world(object), "AgentgatewayPolicy");
        assert_eq!(said(&status["ancestors"][0]["conditions"]), expected);
    }
    let selected =
        policy(json!({"targetSelectors": [{"kind": "Gateway"}], "traffic": {"csrf": {}}}));
    assert_eq!(status(world(selected), "AgentgatewayPolicy"), Value::Null);
}
