//! Objects with a few parts changed: whatever they are, they are read, judged and compiled, and a
//! request finds its rule or none.

use http::{HeaderMap, Method};
use proptest::prelude::{Just, ProptestConfig, any, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{backend, gateway, openai, policy, route};
use crate::gateway::choose::{self, Asked};
use crate::gateway::compile;
use crate::gateway::input::{Input, Source, Weight};
use crate::gateway::mutant::mutant;
use crate::gateway::object::World;

fn samples() -> Vec<Value> {
    let target = |kind: &str, name: &str| match kind {
        "AgentgatewayBackend" => json!([{"group": "agentgateway.dev", "kind": kind, "name": name}]),
        _ => json!([{"group": "gateway.networking.k8s.io", "kind": kind, "name": name}]),
    };
    let service = json!({"name": "s", "port": 80});
    let key = json!({"name": "secret"});
    let mut gateway = gateway(
        json!({"protocol": "HTTPS", "hostname": "*.example", "tls": {"mode": "Terminate", "certificateRefs": [key]},
            "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}}}}),
    );
    // Beside one whose certificate is no certificate, one that is served.
    if let Some(listeners) = gateway["spec"]["listeners"].as_array_mut() {
        listeners.push(json!({"name": "plain", "protocol": "HTTP", "port": 8081}));
    }
    let mut redirects = route(
        json!({"rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "hostname": "h", "port": 1, "statusCode": 301,
            "path": {"type": "ReplaceFullPath", "replaceFullPath": "/x"}}}]}]}),
    );
    redirects["metadata"]["name"] = json!("redirects");
    vec![
        gateway,
        route(
            json!({"hostnames": ["a.example", "*.b.example"], "rules": [{"name": "one",
            "matches": [{"path": {"type": "RegularExpression", "value": "/a/[a-z]+"}, "method": "GET",
                "headers": [{"type": "RegularExpression", "name": "x", "value": "a|b"}], "queryParams": [{"name": "q", "value": "v"}]},
                {"path": {"type": "PathPrefix", "value": "/p/q"}}],
            "filters": [
                {"type": "URLRewrite", "urlRewrite": {"hostname": "h", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/r/"}}},
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}], "add": [{"name": "c", "value": "d"}], "remove": ["e"]}},
                {"type": "RequestMirror", "requestMirror": {"backendRef": service, "fraction": {"numerator": 1, "denominator": 3}}},
                {"type": "CORS", "cors": {"allowOrigins": ["*"], "maxAge": 5}}],
            "timeouts": {"request": "1s", "backendRequest": "500ms"}, "retry": {"attempts": 2, "codes": [500], "backoff": "10ms"},
            "backendRefs": [{"group": "agentgateway.dev", "kind": "AgentgatewayBackend", "name": "b", "weight": 3}, service]}]}),
        ),
        redirects,
        openai(
            json!({"auth": {"secretRef": key}, "tls": {"sni": "h", "insecureSkipVerify": "All"}, "http": {"version": "HTTP2", "requestTimeout": "1s"},
            "ai": {"routes": {"/x": "Messages", "*": "Passthrough"}, "prompt": {"prepend": [{"role": "system", "content": "c"}]},
                "defaults": [{"field": "a", "value": 1}], "overrides": [{"field": "b", "value": {}}], "modelAliases": {"fast*": "m"},
                "promptGuard": {"request": [{"regex": {"action": "Reject", "matches": ["a+"], "builtins": ["Email"]}, "response": {"statusCode": 400, "message": "m"}}],
                    "response": [{"webhook": {"backendRef": service, "forwardHeaderMatches": [{"name": "x", "value": "y", "type": "RegularExpression"}]}}]}}}),
        ),
        backend(json!({"ai": {"groups": [{"providers": [
            {"name": "one", "bedrock": {"region": "r", "model": "m", "guardrail": {"identifier": "g", "version": "1"}}, "policies": {"auth": {"aws": {"secretRef": key}}}},
            {"name": "two", "vertexai": {"projectId": "p", "region": "r"}, "host": "h", "port": 1, "path": "/p"},
            {"name": "three", "azureopenai": {"endpoint": "e", "deploymentName": "d", "apiVersion": "v"}}]}]}})),
        backend(json!({"mcp": {"sessionRouting": "Stateless", "targets": [
            {"name": "one", "static": {"host": "h", "port": 1, "path": "/mcp", "protocol": "SSE", "policies": {"mcp": {"authorization": {"policy": {"matchExpressions": ["true"]}}}}}},
            {"name": "two", "selector": {"services": {"matchLabels": {"a": "b"}}}}]}})),
        policy(json!({"targetRefs": target("HTTPRoute", "r"), "traffic": {
            "rateLimit": {"local": [{"tokens": 3, "unit": "Seconds", "burst": 1}],
                "global": {"backendRef": service, "domain": "d", "descriptors": [{"entries": [{"name": "n", "expression": "request.path"}], "unit": "Requests"}]}},
            "cors": {"allowOrigins": ["https://a.example"], "allowMethods": ["GET"], "allowHeaders": ["x"], "allowCredentials": true, "maxAge": 1},
            "apiKeyAuthentication": {"mode": "Optional", "secretSelector": {"matchLabels": {"a": "b"}}},
            "basicAuthentication": {"realm": "r", "users": ["a:b"]},
            "jwtAuthentication": {"mode": "Permissive", "providers": [{"issuer": "i", "audiences": ["a"], "jwks": {"inline": "{\"keys\":[]}"}}]},
            "extAuth": {"backendRef": service, "forwardBody": {"maxSize": 1}, "http": {"path": "'/x'", "redirect": "'r'"}},
            "extProc": {"backendRef": service},
            "authorization": {"action": "Deny", "policy": {"matchExpressions": ["request.path == '/'"]}},
            "transformation": {"request": {"set": [{"name": "a", "value": "'b'"}], "add": [], "remove": ["c"], "body": "'d'"}},
            "headerModifiers": {"request": {"set": [{"name": "a", "value": "b"}]}, "response": {"remove": ["c"]}},
            "csrf": {"additionalOrigins": ["https://a.example"]}, "retry": {"attempts": 1, "codes": [503], "backoff": "1s"},
            "timeouts": {"request": "1s"}, "directResponse": {"status": 200, "body": "b"}}})),
        policy(
            json!({"targetRefs": target("Gateway", "gw"), "traffic": {"phase": "PreRouting", "extProc": {"backendRef": service}}}),
        ),
        policy(
            json!({"targetRefs": target("AgentgatewayBackend", "b"), "backend": {"mcp": {"authorization": {"policy": {"matchExpressions": ["mcp.tool.name == 't'"]}}}}}),
        ),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secret", "namespace": "ns"}, "data": {"Authorization": "YQ==", "tls.crt": "YQ==", "tls.key": "YQ=="},
            "stringData": {"accessKey": "a", "secretKey": "b", ".htaccess": "a:{SHA}x"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "ns", "labels": {"a": "b"}, "annotations": {"kgateway.dev/mcp-path": "x"}},
            "spec": {"clusterIP": "1.2.3.4", "ports": [{"name": "p", "port": 80, "targetPort": "x", "appProtocol": "kgateway.dev/mcp"}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "s", "namespace": "ns", "labels": {"kubernetes.io/service-name": "s"}},
            "addressType": "IPv4", "ports": [{"name": "p", "port": 1}], "endpoints": [{"addresses": ["1.2.3.4"], "conditions": {"ready": true}}]}),
    ]
}

proptest! {
    // Each case is a whole world.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn no_change_to_an_object_makes_anything_panic(
        changed in proptest::collection::vec(mutant(samples()), 1..3), path in "/[a-z/%.]{0,12}",
        host in prop_oneof![any::<String>(), Just("a.example".to_string()), Just("x.b.example".to_string())],
    ) {
        // In the world as it should be, the changed ones take the places of those they were.
        let objects: Vec<Value> = samples().into_iter().chain(changed).collect();
        let text: Vec<String> = objects.iter().map(Value::to_string).collect();
        let source = Source { origin: "f".to_string(), text: text.join("\n---\n") };
        let mut input = Input::read(vec![source], "ns");
        let Ok(world) = World::of(objects) else {
            return Ok(());
        };
        let compiled = compile(&world);
        input.note_standing(&compiled.status);
        input.lines(Weight::Refused);
        for listeners in compiled.config.listeners.values() {
            let headers = HeaderMap::new();
            let asked = Asked { host: &host, path: &path, query: Some("q=%zz&q"), method: &Method::GET, headers: &headers };
            if let Some(listener) = choose::listener(listeners, &host) {
                choose::rule(listener, &asked);
            }
        }
    }
}

#[test]
fn the_samples_have_listeners_with_rules_to_find() {
    let compiled = compile(&World::of(samples()).unwrap());
    let mut listeners = compiled.config.listeners.values().flatten();
    assert!(listeners.any(|listener| !listener.candidates.is_empty()));
}
