//! The `ai` section of an AgentgatewayBackend: whose API it is and where (facts 6, 9.3-9.5).

use serde_json::Value;

use super::reference::origin;
use crate::gateway::config::{Provider, ProviderKind, Tls};
use crate::gateway::llm::RouteTypes;
use crate::gateway::object::{World, dig, port, text};

pub(super) fn read(world: &World, spec: &Value, tls: Option<Tls>) -> Result<Provider, String> {
    let provider = dig(spec, &["ai", "provider"]);
    if dig(provider, &["openai"]).is_null() {
        return Err(
            "exactly one of the fields in [ai static dynamicForwardProxy mcp] must be set"
                .to_string(),
        );
    }
    let given = |path: &[&str]| match text(provider, path) {
        "" => None,
        text => Some(text.to_string()),
    };
    let host = given(&["host"]);
    let origin = match &host {
        Some(host) => origin(world, host, port(provider, &["port"]), tls),
        // The provider's own address is always TLS (facts 9.3).
        None => {
            let tls = tls.unwrap_or(Tls { server_name: None });
            origin(world, "api.openai.com", 443, Some(tls))
        }
    }?;
    Ok(Provider {
        kind: ProviderKind::Openai,
        origin,
        own_host: host.is_some(),
        path: given(&["path"]),
        model: given(&["openai", "model"]),
        routes: RouteTypes::read(dig(spec, &["policies", "ai", "routes"]))?,
    })
}
