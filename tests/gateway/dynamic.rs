//! Calls to whatever host is asked for.

use std::collections::HashMap;

use gatewright::gateway::{Gateway, Options, Ports};

use crate::support::client::call;
use crate::support::log::Lines;
use crate::support::model::{self, Seen};
use crate::support::yaml;

#[tokio::test]
async fn only_hosts_that_a_route_names_are_called_and_never_this_gateway() {
    let seen = Seen::default();
    let upstream = model::start(model::recorded, None, seen.clone()).await;
    // The upstream is called on the listener's port.
    let port = upstream.port();
    let objects = yaml::objects(&format!(
        r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: ns}}
spec: {{gatewayClassName: agentgateway, listeners: [{{name: http, protocol: HTTP, port: {port}}}]}}
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: any, namespace: ns}}
spec: {{dynamicForwardProxy: {{}}, policies: {{auth: {{key: k}}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: named, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  hostnames: ["*.up.example"]
  rules: [{{backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: any}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: rest, namespace: ns}}
spec:
  parentRefs: [{{name: gw}}]
  rules: [{{backendRefs: [{{group: agentgateway.dev, kind: AgentgatewayBackend, name: any}}]}}]
"#
    ));
    let mut options = Options::new(Box::new(Lines::default()));
    options.ports = Ports::Free;
    let names = ["a.up.example", "evil.example"];
    options.resolve = HashMap::from(names.map(|name| (name.to_string(), upstream)));
    let gateway = Gateway::start(options).unwrap();
    for object in objects {
        gateway.apply(object).await.unwrap();
    }
    let address = gateway.address(port).await.unwrap();
    for (host, expected) in [
        ("a.up.example", 200),
        ("a.up.example:1234", 200),
        ("evil.example", 421),
        ("localhost", 421),
        ("127.0.0.1", 421),
    ] {
        let reply = call(address, "GET", "/v1/models?x=1", &[("host", host)], "").await;
        assert_eq!(reply.status, expected, "{host} {}", reply.body);
        let request = seen.take().pop().unwrap_or_default();
        match expected {
            200 => {
                assert_eq!(request["path"], "/v1/models?x=1");
                assert_eq!(request["headers"]["host"], host);
                assert_eq!(request["headers"]["authorization"], "Bearer k");
            }
            _ => assert!(request.is_null(), "{host}"),
        }
    }
}
