//! Gateways and their listeners (facts 4.1, 4.2).

use serde_json::{Value, json};

use super::{gateway, object, said, status};

const CERTIFICATE: &str = include_str!("../../../../tests/recordings/tls/cert.pem");
const KEY: &str = include_str!("../../../../tests/recordings/tls/key.pem");

fn secret(place: &str, certificate: &str, key: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls", "namespace": place},
        "stringData": {"tls.crt": certificate, "tls.key": key}})
}

fn https(reference: Value) -> Value {
    gateway(json!({"protocol": "HTTPS", "tls": {"certificateRefs": [reference]}}))
}

fn listener(objects: Vec<Value>) -> Vec<String> {
    said(&status(objects, "Gateway")["listeners"][0]["conditions"])
}

#[test]
fn an_https_listener_needs_a_certificate_that_it_may_use() {
    let own = || https(json!({"name": "tls"}));
    let far = || https(json!({"name": "tls", "namespace": "far"}));
    let none = gateway(json!({"protocol": "HTTPS", "tls": {"certificateRefs": []}}));
    let table = [
        (
            vec![own(), secret("ns", CERTIFICATE, KEY)],
            "ResolvedRefs=True ResolvedRefs No errors found",
        ),
        (
            vec![own()],
            "ResolvedRefs=False InvalidCertificateRef invalid certificate reference //tls., secret not found",
        ),
        (
            vec![own(), secret("ns", "no PEM", KEY)],
            "ResolvedRefs=False InvalidCertificateRef invalid certificate reference //tls., the certificate is malformed: ",
        ),
        (
            vec![own(), secret("ns", CERTIFICATE, "no key")],
            "ResolvedRefs=False InvalidCertificateRef invalid certificate reference //tls., the certificate is malformed: ",
        ),
        (
            vec![none],
            "ResolvedRefs=False InvalidCertificateRef exactly 1 certificateRefs should be present for TLS termination",
        ),
        (
            vec![far(), secret("far", CERTIFICATE, KEY)],
            "ResolvedRefs=False RefNotPermitted certificateRef tls/far not accessible to a Gateway in namespace \"ns\" (missing a ReferenceGrant?)",
        ),
    ];
    for (objects, expected) in table {
        let good = expected.contains("=True");
        let said = listener(objects);
        assert!(
            said.iter().any(|line| line.starts_with(expected)),
            "{expected}\n{said:#?}"
        );
        let programmed = match good {
            true => "Programmed=True Programmed No errors found",
            false => "Programmed=False Invalid Bad TLS configuration",
        };
        assert!(said.contains(&programmed.to_string()), "{said:#?}");
    }
}

#[test]
fn a_grant_opens_a_secret_of_another_namespace() {
    let grant = json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": {"name": "g", "namespace": "far"},
        "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "ns"}], "to": [{"group": "", "kind": "Secret"}]}});
    let far = https(json!({"name": "tls", "namespace": "far"}));
    let said = listener(vec![far, secret("far", CERTIFICATE, KEY), grant]);
    assert!(
        said.contains(&"ResolvedRefs=True ResolvedRefs No errors found".to_string()),
        "{said:#?}"
    );
}

#[test]
fn a_broken_listener_is_told_by_its_gateway() {
    let said = said(&status(vec![https(json!({"name": "tls"}))], "Gateway")["conditions"]);
    assert_eq!(
        said[0],
        "Accepted=True ListenersNotValid Some listeners are not programmed: http: Bad TLS configuration"
    );
}

#[test]
fn parameters_that_are_not_there_are_invalid() {
    let with = |reference: Value| {
        let mut gateway = gateway(json!({}));
        gateway["spec"]["infrastructure"] = json!({"parametersRef": reference});
        gateway
    };
    let ours = || {
        with(json!({"group": "agentgateway.dev", "kind": "AgentgatewayParameters", "name": "p"}))
    };
    let accepted = |objects: Vec<Value>| said(&status(objects, "Gateway")["conditions"])[0].clone();
    let there = object(
        "agentgateway.dev/v1alpha1",
        "AgentgatewayParameters",
        "p",
        json!({}),
    );
    assert_eq!(accepted(vec![ours(), there]), "Accepted=True Accepted");
    assert!(
        accepted(vec![ours()]).ends_with("AgentgatewayParameters ns/p not found for Gateway ns/gw")
    );
    let other = with(json!({"group": "", "kind": "ConfigMap", "name": "p"}));
    assert!(accepted(vec![other]).contains(
        "references unsupported type: group= kind=ConfigMap; use AgentgatewayParameters instead"
    ));
}
