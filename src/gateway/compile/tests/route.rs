//! Routes and gateways (facts 4.1-4.3).

use serde_json::{Value, json};

use super::{World, compile, gateway, route, said, status};

#[test]
fn routes_get_the_conditions_of_facts_4_3() {
    let resolved = "ResolvedRefs=True ResolvedRefs";
    let accepted = "Accepted=True Accepted";
    let rule = |backend: Value| json!({"rules": [{"backendRefs": [backend]}]});
    let table = [
        (json!({}), json!({}), [accepted, resolved]),
        (
            json!({}),
            json!({"parentRefs": [{"name": "gw", "sectionName": "other"}]}),
            [
                "Accepted=False NoMatchingParent No listener with the specified sectionName on the parent Gateway",
                resolved,
            ],
        ),
        (
            json!({}),
            json!({"parentRefs": [{"name": "gw", "port": 9}]}),
            [
                "Accepted=False NoMatchingParent No listener with the specified sectionName on the parent Gateway",
                resolved,
            ],
        ),
        (
            json!({"hostname": "a.example"}),
            json!({"hostnames": ["b.example"]}),
            [
                "Accepted=False NoMatchingListenerHostname no hostnames matched parent hostname \"a.example\"",
                resolved,
            ],
        ),
        (
            json!({"allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}}}),
            json!({}),
            [
                "Accepted=False NotAllowedByListeners hostnames matched parent hostname \"\", but namespace \"ns\" is not allowed by the parent",
                resolved,
            ],
        ),
        (
            json!({}),
            rule(json!({"group": "agentgateway.dev", "kind": "AgentgatewayBackend", "name": "x"})),
            [
                accepted,
                "ResolvedRefs=False BackendNotFound kgateway Backend not found: ns/x",
            ],
        ),
        (
            json!({}),
            rule(
                json!({"group": "agentgateway.dev", "kind": "AgentgatewayBackend", "name": "x", "namespace": "else"}),
            ),
            [
                accepted,
                "ResolvedRefs=False RefNotPermitted backendRef x/else not accessible to a HTTPRoute in namespace \"ns\" (missing a ReferenceGrant?)",
            ],
        ),
        (
            json!({}),
            rule(json!({"name": "svc", "port": 80})),
            [
                accepted,
                "ResolvedRefs=False BackendNotFound backend(svc.ns.svc.cluster.local) not found",
            ],
        ),
        (
            json!({}),
            rule(json!({"name": "svc"})),
            [
                accepted,
                "ResolvedRefs=False UnsupportedValue port is required in backendRef",
            ],
        ),
        (
            json!({}),
            rule(json!({"name": "svc.ns", "port": 80})),
            [
                accepted,
                "ResolvedRefs=False UnsupportedValue service name invalid; the name of the Service must be used, not the hostname.",
            ],
        ),
        (
            json!({}),
            rule(json!({"group": "g", "kind": "k", "name": "x"})),
            [
                accepted,
                "ResolvedRefs=False InvalidKind referencing unsupported backendRef: group \"g\" kind \"k\"",
            ],
        ),
        (
            json!({}),
            json!({"rules": [{"filters": [{"type": "ExtensionRef", "extensionRef": {"group": "g", "kind": "k"}}]}]}),
            [
                accepted,
                "ResolvedRefs=False IncompatibleFilters unsupported ExtensionRef: g/k",
            ],
        ),
        (
            json!({}),
            json!({"rules": [{"filters": [{"type": "RequestMirror"}]}]}),
            [
                accepted,
                "ResolvedRefs=False UnsupportedValue port is required in backendRef",
            ],
        ),
        (
            json!({}),
            json!({"rules": [{"matches": [{"path": {"type": "RegularExpression", "value": "("}}]}]}),
            [
                accepted,
                "ResolvedRefs=False UnsupportedValue invalid regular expression \"(\"",
            ],
        ),
    ];
    for (listener, spec, expected) in table {
        let status = status(vec![gateway(listener), route(spec.clone())], "HTTPRoute");
        assert_eq!(
            said(&status["parents"][0]["conditions"]),
            expected,
            "{spec}"
        );
    }
}

#[test]
fn a_hard_mistake_drops_the_route_and_a_soft_one_does_not() {
    let candidates = |spec: Value| {
        let compiled = compile(&World::of(vec![gateway(json!({})), route(spec)]).unwrap());
        compiled.config.listeners[&8080][0].candidates.len()
    };
    assert_eq!(
        candidates(json!({"rules": [{"backendRefs": [{"name": "svc"}]}, {}]})),
        0
    );
    assert_eq!(
        candidates(json!({"rules": [{"backendRefs": [{"name": "svc", "port": 1}]}, {}]})),
        2
    );
}

#[test]
fn a_route_without_its_gateway_has_no_parents() {
    assert_eq!(
        status(vec![route(json!({}))], "HTTPRoute"),
        json!({"parents": []})
    );
    let mut other = gateway(json!({}));
    other["spec"]["gatewayClassName"] = json!("no-such-class");
    assert_eq!(
        said(&status(vec![other.clone()], "Gateway")["conditions"]),
        [
            "Accepted=Unknown Pending Waiting for controller",
            "Programmed=Unknown Pending Waiting for controller",
        ]
    );
    assert_eq!(
        status(vec![other, route(json!({}))], "HTTPRoute"),
        json!({"parents": []})
    );
}

#[test]
fn gateways_get_the_conditions_of_facts_4_1() {
    let fine = status(vec![gateway(json!({})), route(json!({}))], "Gateway");
    assert_eq!(
        said(&fine["conditions"]),
        [
            "Accepted=True Accepted",
            "Programmed=True Programmed Successfully programmed Gateway"
        ]
    );
    assert_eq!(fine["listeners"][0]["attachedRoutes"], 1);
    let table = [
        ("UDP", "protocol \"UDP\" is unsupported"),
        (
            "http",
            "protocol \"http\" is unsupported. hint: \"HTTP\" (uppercase) may be supported",
        ),
        (
            "TLS",
            "protocol \"TLS\" is not supported by the embedded gateway, which serves HTTP and HTTPS on 127.0.0.1 only",
        ),
    ];
    for (protocol, message) in table {
        let status = status(vec![gateway(json!({"protocol": protocol}))], "Gateway");
        let expected = format!(
            "Accepted=True ListenersNotValid Some listeners are not programmed: http: {message}"
        );
        assert_eq!(said(&status["conditions"])[0], expected);
        let listener = said(&status["listeners"][0]["conditions"]);
        assert_eq!(
            listener[0],
            format!("Accepted=False UnsupportedProtocol {message}")
        );
    }
}
