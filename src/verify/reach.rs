//! The way of a request, hop by hop: what each hop shows of itself, and which is the first that
//! fails. Pure: facts in, hops out.

use super::check::{Claim, Finding, Verdict};
use super::derive;
use super::installed::{Installed, Way, complaints, items, name, namespace, word};
use crate::plan::survey::Trouble;
use crate::plan::view::Address;
use crate::provider::{Provider, anthropic, gemini, openai};
use crate::text;
use serde_json::Value;
use std::time::Duration;

/// One hop as it was found.
pub fn hop(id: &str, title: &str, summary: impl Into<String>) -> Finding {
    Finding {
        summary: summary.into(),
        ..Finding::new(&claim(id, title), Verdict::Pass)
    }
}

/// A hop that fails, with what to do.
pub fn broken(id: &str, title: &str, summary: impl Into<String>, next: &str) -> Finding {
    Finding::fail(&claim(id, title), summary, next)
}

fn claim(id: &str, title: &str) -> Claim {
    Claim {
        id: format!("reach.{id}"),
        title: title.to_string(),
        needs: Vec::new(),
        deadline: Duration::ZERO,
        lane: String::new(),
    }
}

/// Who holds the gateway's port, where a process of ours is to: its title, and its pid if it lives.
pub fn held(owner: &str, title: &str, pid: Option<u32>) -> Finding {
    let broken = |what| broken("port", "port", what, "gw up");
    match pid {
        Some(pid) if owner.ends_with(&format!("(pid {pid})")) => {
            hop("port", "port", format!("{owner}, {title}"))
        }
        Some(pid) => broken(format!("{owner} holds it, and not {title} (pid {pid})")),
        None => broken(format!("{owner} holds it; {title} has ended")),
    }
}

/// The Gateway's Service, and the pods behind it.
pub fn service(
    installed: &Installed,
    home: &str,
    gateway: &str,
    troubles: &[Trouble],
) -> Vec<Finding> {
    let Some(service) = installed.find("Service", home, gateway) else {
        let what = format!("there is no Service {home}/{gateway}: the controller has made none");
        return vec![broken("service", "Service", what, "gw logs controller")];
    };
    let ports = items(service, "/spec/ports").iter();
    let ports: Vec<String> = ports.map(|port| port["port"].to_string()).collect();
    let slices = installed.all("EndpointSlice").filter(|slice| {
        slice["metadata"]["labels"]["kubernetes.io/service-name"] == gateway
            && namespace(slice) == home
    });
    let ready = |endpoint: &&Value| endpoint["conditions"]["ready"] != false;
    let pods = slices
        .flat_map(|slice| items(slice, "/endpoints"))
        .filter(ready)
        .count();
    let text = format!("{home}/{gateway}, port {}", text::list(&ports));
    let first = hop("service", "Service", text);
    let second = match pods {
        0 => {
            let own = |trouble: &&Trouble| {
                let pod = trouble.object.starts_with(&format!("pod {gateway}-"));
                pod || trouble.object == format!("deployment {gateway}")
            };
            let why = troubles.iter().find(own);
            let next = why
                .and_then(|why| why.next.as_deref())
                .unwrap_or("gw logs controller");
            let why = why.map_or("there is no pod of it".to_string(), Trouble::text);
            broken("pod", "proxy pod", format!("none is ready: {why}"), next)
        }
        pods => hop(
            "pod",
            "proxy pod",
            format!("{} ready", text::count(pods, "pod")),
        ),
    };
    vec![first, second]
}

/// Listener, route and backend, as their controllers see them.
pub fn objects(installed: &Installed, way: &Way) -> Vec<Finding> {
    let mut hops = Vec::new();
    let parent = &way.parent;
    let gateway = installed.find("Gateway", &parent.namespace, &parent.name);
    hops.push(match gateway {
        None => broken(
            "listener",
            "listener",
            format!("there is no Gateway {}", parent.name),
            "gw up",
        ),
        Some(gateway) => said(
            "listener",
            "listener",
            &format!("{} of {}", parent.section, parent.name),
            gateway,
        ),
    });
    let route = installed.find("HTTPRoute", &way.namespace, &way.route);
    let path = shown(way);
    hops.push(match route {
        None => broken(
            "route",
            "route",
            format!("there is no HTTPRoute {}", way.route),
            "gw up",
        ),
        Some(route) => said(
            "route",
            "route",
            &format!("HTTPRoute {}, {path}", way.route),
            route,
        ),
    });
    for (title, backend) in installed.backends(way).into_iter().take(1) {
        hops.push(match backend {
            None => {
                let what = format!("HTTPRoute {} names {title}, which is not there", way.route);
                broken("backend", "backend", what, "gw up")
            }
            Some(backend) => said("backend", "backend", &about(backend), backend),
        });
    }
    hops
}

fn said(id: &str, title: &str, text: &str, object: &Value) -> Finding {
    match complaints(object).into_iter().next() {
        None => hop(id, title, text),
        Some(complaint) => broken(id, title, format!("{text}: {complaint}"), "gw up"),
    }
}

fn shown(way: &Way) -> String {
    use super::installed::PathMatch::{Exact, Prefix, Regex};
    let (Prefix(path) | Exact(path) | Regex(path)) = &way.path;
    let filters = items(&way.rule, "/filters").iter();
    let mut instead = filters.filter_map(|f| f.pointer("/urlRewrite/path/replacePrefixMatch"));
    match instead.next_back().and_then(Value::as_str) {
        Some(instead) => format!("{path} -> {instead}"),
        None => path.clone(),
    }
}

fn about(backend: &Value) -> String {
    let name = name(backend);
    match derive::provider(backend) {
        Some(provider) => {
            let form = derive::form(provider).map_or("", |form| form.ways().form.name());
            match derive::fixed_model(provider) {
                "" => format!("{name}, {form} form"),
                model => format!("{name}, {form} form, {model}"),
            }
        }
        None if backend["spec"]["mcp"].is_object() => format!("{name}, MCP"),
        None => name.to_string(),
    }
}

/// Where a backend sends requests first; `None` where nobody can tell (facts 9.3, 9.4).
pub fn address(backend: &Value) -> Option<Address> {
    let fixed = backend.pointer("/spec/static");
    let mcp = backend.pointer("/spec/mcp/targets/0/static");
    let provider = derive::provider(backend);
    let named = [provider, mcp, fixed]
        .into_iter()
        .flatten()
        .find(|at| at["host"].is_string());
    if let Some(at) = named {
        let tls = at
            .pointer("/policies/tls")
            .or(backend.pointer("/spec/policies/tls"));
        return Some(Address {
            host: word(at, "/host").to_string(),
            port: u16::try_from(at["port"].as_u64()?).ok()?,
            tls: tls.is_some(),
            path: "/".to_string(),
            settings: tls.cloned().unwrap_or_default(),
            namespace: namespace(backend).to_string(),
        });
    }
    let provider = provider?;
    let region = |spec: &str, usual: &str| match word(&provider[spec], "/region") {
        "" => usual.to_string(),
        region => region.to_string(),
    };
    let host = match derive::form(provider)? {
        Provider::OpenAi => openai::HOST.to_string(),
        Provider::Anthropic => anthropic::HOST.to_string(),
        Provider::Gemini => gemini::HOST.to_string(),
        Provider::AzureOpenAi => word(&provider["azureopenai"], "/endpoint").to_string(),
        Provider::VertexAi => format!("{}-aiplatform.googleapis.com", region("vertexai", "global")),
        Provider::Bedrock => format!(
            "bedrock-runtime.{}.amazonaws.com",
            region("bedrock", "us-east-1")
        ),
        _ => return None,
    };
    Some(Address {
        host,
        port: 443,
        tls: true,
        path: "/".to_string(),
        namespace: namespace(backend).to_string(),
        ..Address::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_backend_without_a_host_is_at_its_providers_home() {
        let backend = |provider: Value| json!({"spec": {"ai": {"provider": provider}}});
        let host = |provider: Value| address(&backend(provider)).map(|at| (at.title(), at.tls));
        assert_eq!(
            host(json!({"openai": {}})),
            Some(("api.openai.com:443".into(), true))
        );
        assert_eq!(
            host(json!({"bedrock": {"region": "eu-west-1"}})),
            Some(("bedrock-runtime.eu-west-1.amazonaws.com:443".into(), true))
        );
        assert_eq!(
            host(json!({"openai": {}, "host": "h", "port": 1})),
            Some(("h:1".into(), false))
        );
    }

    #[test]
    fn the_port_is_held_by_the_process_that_is_to_hold_it() {
        let held = |pid| {
            let hop = held("gw (pid 42)", "the port-forward", pid);
            (hop.verdict, hop.summary)
        };
        let table = [
            (Some(42), Verdict::Pass, "gw (pid 42), the port-forward"),
            (
                Some(4),
                Verdict::Fail,
                "gw (pid 42) holds it, and not the port-forward (pid 4)",
            ),
            (
                None,
                Verdict::Fail,
                "gw (pid 42) holds it; the port-forward has ended",
            ),
        ];
        for (pid, verdict, summary) in table {
            assert_eq!(held(pid), (verdict, summary.to_string()));
        }
    }
}
